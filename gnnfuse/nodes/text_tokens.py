"""Text tokens: bytes by default, or the sub-words of any transformers tokenizer."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from gnnfuse.nodes.augmentation import leave_letters_out
from gnnfuse.nodes.limit import check_limit, limit_slices
from gnnfuse.nodes.node_type import Layout, NodeEncoder, NodeSet, NodeType, Overflow
from gnnfuse.nodes.position import PositionEncoding
from gnnfuse.nodes.token_grams import ABSENT, TokenGrams
from gnnfuse.nodes.tokenizer_files import TokenizerFiles
from gnnfuse.sample import Sample, read_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BYTE_OFFSET, BYTE_VOCABULARY = 3, 259  # ByT5: padding, end and unknown come first (Xue et al., 2022)


@dataclass(frozen=True, kw_only=True)
class TextTokens(NodeType):
    """A text as a sequence of tokens.

    By default the tokens are UTF-8 bytes, numbered as ByT5 does (Xue et al., "ByT5", 2022): any language, no download.

    Args:
        signal: the signal it reads.
        name: the type's name; the signal's by default.
        tokenizer: "bytes", the name or folder of a transformers tokenizer, or the tokenizer itself; it is kept as its
            files (`TokenizerFiles`), so that a saved model includes it.
        special_tokens: keep the tokenizer's special tokens ([CLS], </s>) as nodes; not for bytes.
        max_nodes: most tokens per text; None for no limit.
        overflow: "truncate" keeps the first tokens, "raise" refuses, "pool" lets neighbouring tokens share a node
            (the mean of their embeddings), up to `max_pool` of them.
        max_pool: most tokens in a node when pooling.
        word_dropout: when augmenting, each character is left out with this probability (never all of them).

    Raises:
        ValueError: a number out of range, or special tokens requested with bytes.

    Example:
        >>> TextTokens().nodes(Sample({"text": "a cat"})).values.tolist()
        [100, 35, 102, 100, 119]
    """

    signal: str = "text"
    name: str = ""
    tokenizer: "str | TokenizerFiles | PreTrainedTokenizerBase" = "bytes"
    special_tokens: bool = False
    max_nodes: int | None = 512
    overflow: Overflow = "truncate"
    max_pool: int = 8
    word_dropout: float = 0.0
    provides: frozenset[str] = field(default=frozenset({"order"}), init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.signal)
        check_limit(self.max_nodes, self.overflow)
        if self.tokenizer != "bytes" and not isinstance(self.tokenizer, TokenizerFiles):
            object.__setattr__(self, "tokenizer", TokenizerFiles.of(self.tokenizer))
        if self.max_pool < 1 or not 0 <= self.word_dropout < 1:
            raise ValueError(
                f"node type {self.name!r}: max_pool must be at least 1 and word_dropout in 0..1, "
                f"found {self.max_pool} and {self.word_dropout}"
            )
        if self.special_tokens and self.tokenizer == "bytes":
            raise ValueError(f"node type {self.name!r}: bytes have no special tokens")

    @property
    def pools(self) -> bool:
        """Whether a node may hold several tokens."""
        return self.overflow == "pool" and self.max_nodes is not None

    @property
    def _kept(self) -> TokenizerFiles:
        assert isinstance(self.tokenizer, TokenizerFiles), "bytes have no tokenizer"
        return self.tokenizer

    def empty(self) -> NodeSet:
        """No tokens."""
        width = (self.max_pool,) if self.pools else ()
        return NodeSet(torch.zeros(0, *width, dtype=torch.int64), (0,))

    def nodes(self, sample: Sample) -> NodeSet | None:
        """Token ids: `[nodes]`, or `[nodes, max_pool]` filled with -1 when pooling."""
        text = read_text(sample, self.signal)
        if text is None:
            return None
        ids = self.token_ids(text)
        return limit_slices(
            NodeSet(ids, (len(ids),)), self.max_nodes, self.overflow, self.max_pool, sample=sample, signal=self.signal,
            absent=ABSENT,
        )  # fmt: skip

    def token_ids(self, text: str) -> Int[Tensor, "tokens"]:
        """The text's token ids."""
        if self.tokenizer == "bytes":
            letters = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64) + BYTE_OFFSET
            return torch.from_numpy(letters)
        tokenizer = self._kept.tokenizer()
        ids = tokenizer.encode(text, add_special_tokens=self.special_tokens)
        return torch.from_numpy(np.array(ids, dtype=np.int64))  # takes half the time of torch.tensor

    def token_texts(self, ids: Int[Tensor, "tokens"]) -> list[str]:
        """The text of each token, for drawings and explanations."""
        if self.tokenizer == "bytes":
            return [bytes([int(i) - BYTE_OFFSET]).decode("latin-1") for i in ids.tolist()]
        tokenizer = self._kept.tokenizer()
        return [tokenizer.decode([i]) for i in ids.tolist()]

    def encoder(self, dim: int) -> NodeEncoder:
        """Embedding plus position."""
        size = BYTE_VOCABULARY if self.tokenizer == "bytes" else len(self._kept.tokenizer())
        return TokenEncoder(size, dim)

    def summary(self) -> TokenGrams:
        """Counts of runs of one to four tokens."""
        upper = (ord("A") + BYTE_OFFSET, ord("Z") + BYTE_OFFSET) if self.tokenizer == "bytes" else None
        return TokenGrams(upper=upper)

    @property
    def augments(self) -> bool:
        """Whether signals are changed at random in training."""
        return self.word_dropout > 0

    def augment(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample with characters left out at random."""
        return leave_letters_out(sample, self.signal, self.word_dropout, generator)


class TokenEncoder(NodeEncoder):
    """Embedding of each token (the mean if a node holds several), plus its place in the text."""

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.dim = dim
        self.embedding = nn.Embedding(vocabulary, dim)
        self.position = PositionEncoding(dim, coordinates=1, periods=(2.0, 2048.0), frequencies=16)
        self.norm = nn.LayerNorm(dim)

    def forward(self, values: Int[Tensor, "nodes ..."], layout: Layout) -> Tensor:
        """Token ids in, states `[nodes, dim]` out."""
        if values.ndim == 1:
            embedded = self.embedding(values)
        else:
            held = (values != ABSENT).unsqueeze(-1)
            embedded = (self.embedding(values.clamp(min=0)) * held).sum(dim=1) / held.sum(dim=1)
        states: Tensor = self.norm(embedded + self.position(layout.index.unsqueeze(1)))
        return states
