"""Texts encoded by a pretrained network whose sub-word tokens are nodes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn

from gnnfuse.nodes.augmentation import leave_letters_out
from gnnfuse.nodes.features import RowEncoder
from gnnfuse.nodes.limit import limit_slices
from gnnfuse.nodes.node_type import NodeEncoder, NodeSet, Overflow
from gnnfuse.nodes.pretrained.pretrained_nodes import PretrainedNodes, refuse_shared, refuse_to_fetch
from gnnfuse.nodes.pretrained.text_architecture import TextArchitecture, text_architecture
from gnnfuse.nodes.pretrained.text_backbone import TextBackbone
from gnnfuse.nodes.tokenizer_files import TokenizerFiles
from gnnfuse.sample import Sample, SignalError, read_text, text_digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ONE_TOKEN = ("a", "1", "e", "the", "0", ".")  # every vocabulary contains one of these texts


@dataclass(frozen=True, kw_only=True)
class PretrainedText(PretrainedNodes):
    """A text as the states of a pretrained network, one node per sub-word token.

    Args:
        model: a text model of transformers, encoder or decoder: its name on the hub or its folder.
        signal: the signal it reads.
        name: the type's name; the signal's by default.
        weights: a revision on the hub.
        frozen: train only a projection to the size of the states; otherwise everything is trained.
        tuned: of a frozen network, train this many of its last blocks too, at a tenth of the learning rate.
        gradient_checkpointing: recompute inner states in the backward pass, if the model supports it.
        special_tokens: "keep" makes nodes of the tokens that the tokenizer puts around a text ([CLS], </s>); "drop"
            does not, but the network still sees them, as in its training.
        components: whiten features to this many components before the projection (`Whitening`), learnt on training
            samples before the first step (`fit_task`); None projects the features themselves.
        max_nodes: most nodes per text; None for no limit but the network's own.
        overflow: "truncate" keeps the first tokens (special ones always stay), "raise" refuses, "pool" lets
            neighbouring tokens share a node (the mean of their states), up to `max_pool` of them; text beyond the
            network's own limit is cut off when truncating, and refused otherwise.
        max_pool: most tokens in a node when pooling.
        word_dropout: when augmenting, each character is left out with this probability (never all of them).
        tokenizer: the model's own by default; a folder, a name, or a tokenizer.
        architecture: describes the network; read from the library by default, and kept in saved models.

    Raises:
        FileNotFoundError: the model is not available locally and cannot be fetched; the message has the command for it.
        ValueError: an unknown model, or a number out of range.
    """

    modality: ClassVar[str] = "text"
    readers: ClassVar[tuple[str, ...]] = ("tokenizers",)
    model: str
    signal: str = "text"
    name: str = ""
    weights: str | None = None
    frozen: bool = True
    tuned: int = 0
    gradient_checkpointing: bool = False
    components: int | None = None
    special_tokens: Literal["drop", "keep"] = "drop"
    max_nodes: int | None = 512
    overflow: Overflow = "truncate"
    max_pool: int = 8
    word_dropout: float = 0.0
    tokenizer: "str | TokenizerFiles | PreTrainedTokenizerBase | None" = field(default=None, repr=False)
    architecture: TextArchitecture | None = field(default=None, repr=False)
    provides: frozenset[str] = field(default=frozenset({"order"}), init=False)

    def __post_init__(self) -> None:
        self._prepare(lambda: text_architecture(self.model, self.weights))
        if self.max_pool < 1 or not 0 <= self.word_dropout < 1:
            raise ValueError(
                f"node type {self.name!r}: max_pool must be at least 1 and word_dropout in 0..1, "
                f"found {self.max_pool} and {self.word_dropout}"
            )
        if self.special_tokens not in ("drop", "keep"):
            raise ValueError(f"node type {self.name!r}: special_tokens must be 'drop' or 'keep'")
        object.__setattr__(self, "tokenizer", self._kept())
        if self._room < 1:
            raise ValueError(f"node type {self.name!r}: max_nodes={self.max_nodes} leaves no room for the text")

    def _kept(self) -> TokenizerFiles:
        if isinstance(self.tokenizer, TokenizerFiles):
            return self.tokenizer
        refuse_to_fetch(self.name, "tokenizer")
        if self.tokenizer is None:
            return TokenizerFiles.of(self.model, revision=self.weights)
        return TokenizerFiles.of(self.tokenizer)

    @property
    def _files(self) -> TokenizerFiles:
        assert isinstance(self.tokenizer, TokenizerFiles)
        return self.tokenizer

    @property
    def _made(self) -> TextArchitecture:
        assert self.architecture is not None
        return self.architecture

    @property
    def _specials(self) -> int:
        before, after = special_ids(self._files)
        return len(before) + len(after)

    @property
    def _taken(self) -> int:
        """Most tokens of the text itself that the network accepts."""
        longest: int = self._files.tokenizer().model_max_length  # a huge number if the tokenizer has no limit
        return min(longest, longest if self._made.limit is None else self._made.limit) - self._specials

    @property
    def _room(self) -> int:
        """Most tokens of the text itself when truncating."""
        if self.max_nodes is None:
            return self._taken
        own = self.max_nodes - (self._specials if self.special_tokens == "keep" else 0)
        return min(own, self._taken)

    def empty(self) -> NodeSet:
        """No tokens."""
        held = () if self._pooled is None else (self.max_pool,)
        return NodeSet(torch.zeros(0, *held, dtype=torch.int64), (0,))

    def nodes(self, sample: Sample) -> NodeSet | None:
        """Token ids: `[nodes]`, or `[nodes, max_pool]` when pooling."""
        text = read_text(sample, self.signal)
        if text is None:
            return None
        found = self._files.tokenizer().encode(text, add_special_tokens=False, verbose=False)
        self._check_ids(found)
        room = self._room if self.overflow == "truncate" else self._taken
        kept = found[:room]
        dropped = len(found) - len(kept)
        if dropped and self.overflow != "truncate":
            raise SignalError(sample, self.signal, f"{len(found)} tokens", f"at most {room}, which {self.model} takes")
        before, after = special_ids(self._files) if self.special_tokens == "keep" else ((), ())
        ids = torch.tensor([*before, *kept, *after], dtype=torch.int64)
        if self.overflow == "truncate":
            return NodeSet(ids, (len(ids),), dropped=dropped)
        nodes = NodeSet(ids, (len(ids),))
        return limit_slices(nodes, self.max_nodes, self.overflow, self.max_pool, sample=sample, signal=self.signal)

    def _check_ids(self, ids: Sequence[int]) -> None:
        known = getattr(self.network, "config", {}).get("vocab_size")
        if known is not None and ids and max(ids) >= known:
            raise ValueError(
                f"node type {self.name!r}: its tokenizer returns the token id {max(ids)}, which {self.model} with a "
                f"vocab_size of {known} lacks; expected the model's own tokenizer"
            )

    def _state_width(self) -> int:
        refuse_shared(self)
        return self.width * (1 + (self._specials if self.special_tokens == "drop" else 0))

    def content(self, sample: Sample) -> bytes | None:
        """SHA-256 of the text."""
        return text_digest(sample, self.signal)

    def token_texts(self, ids: Int[Tensor, "tokens"]) -> list[str]:
        """The text of each token, for drawings and explanations."""
        tokenizer = self._files.tokenizer()
        return [tokenizer.decode([token]) for token in ids.tolist()]

    def around(self, module: nn.Module) -> TextBackbone:
        """The backbone that adds special tokens to texts and applies the network to them."""
        before, after = special_ids(self._files) if self.special_tokens == "drop" else ((), ())
        self._check_ids((*before, *after))
        padded = self._made.padded
        return TextBackbone(module, self.width, before=before, after=after, padded=padded, max_nodes=self._pooled)

    def projection(self, dim: int) -> NodeEncoder:
        """A linear map of features or their whitened components, plus the place in the text."""
        return RowEncoder(self.width, dim, ordered=True, components=self.components)

    def augment(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample with characters left out at random."""
        return leave_letters_out(sample, self.signal, self.word_dropout, generator)


@cache
def special_ids(files: TokenizerFiles) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that a tokenizer puts before and after a text.

    Raises:
        ValueError: it changes the text's own ids.
    """
    tokenizer = files.tokenizer()
    for text in ONE_TOKEN:
        own = tokenizer.encode(text, add_special_tokens=False)
        whole = tokenizer.encode(text, add_special_tokens=True)
        for first in range(len(whole) - len(own) + 1 if own else 0):
            if whole[first : first + len(own)] == own:
                return tuple(whole[:first]), tuple(whole[first + len(own) :])
    raise ValueError("the tokenizer's special tokens are not put around the text's own tokens")
