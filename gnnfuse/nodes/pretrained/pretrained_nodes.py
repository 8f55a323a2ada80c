"""The common base of node types with pretrained encoders."""

import dataclasses
import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from typing import Any, ClassVar, Self

import torch
from torch import nn

from gnnfuse.nodes.limit import check_limit
from gnnfuse.nodes.node_type import NodeEncoder, NodeSet, NodeType, Overflow
from gnnfuse.nodes.pretrained.backbone import Backbone, weights_digest
from gnnfuse.nodes.pretrained.cut import Cut, TailCheck, hollow
from gnnfuse.nodes.pretrained.encoder import PretrainedEncoder
from gnnfuse.nodes.pretrained.last_blocks import check_tuned, tuned_parameters
from gnnfuse.nodes.pretrained.network import Network, make_module, weights_are_to_follow
from gnnfuse.sample import Sample

FEATURES = 1  # increased when backbones compute other features from the same weights and arguments
AUGMENTING = frozenset({"augmentation", "word_dropout"})  # arguments that change signals at random in training
NOT_OF_FEATURES = frozenset({"name", "signal", "frozen", "tuned", "gradient_checkpointing", "components"}) | AUGMENTING

LATER = frozenset({"cells"})  # arguments that were added later: caches made before are those of their None


class PretrainedNodes(NodeType):
    """A node type whose encoder is a pretrained network and a projection.

    Attributes:
        model: names the network and the library that owns it.
        weights: which of its weights.
        frozen: only the projection is trained, and the last `tuned` blocks of the network.
        tuned: how many of the last blocks of a frozen network are trained.
        gradient_checkpointing: inner states are recomputed in the backward pass.
        components: whitened components of the features that the projection takes; None takes the features.
        modality: "image", "audio" or "text".
        readers: the distributions that decode its signals; their versions affect the decoded values.
    """

    modality: ClassVar[str]
    readers: ClassVar[tuple[str, ...]]
    signal: str
    model: str
    weights: str | None
    frozen: bool
    tuned: int
    gradient_checkpointing: bool
    components: int | None
    max_nodes: int | None
    overflow: Overflow
    architecture: Any  # each type's own, with the `network`

    def _prepare(self, read: Callable[[], object]) -> None:
        """Set the default name, check what all types share, and read the architecture unless it is given.

        Raises:
            FileNotFoundError: the model is not available locally and cannot be fetched.
            ValueError: a number out of range, an unknown model, or a saved model without its architecture.
        """
        object.__setattr__(self, "name", self.name or self.signal)
        check_limit(self.max_nodes, self.overflow)
        if self.frozen and self.gradient_checkpointing:
            raise ValueError(
                f"node type {self.name!r}: gradient_checkpointing needs frozen=False, a frozen network has none"
            )
        if self.tuned < 0 or (self.tuned and not self.frozen):
            raise ValueError(
                f"node type {self.name!r}: found tuned={self.tuned} and frozen={self.frozen}, expected a number of "
                "last blocks of a frozen network"
            )
        if self.architecture is None:
            refuse_to_fetch(self.name, "architecture")
            object.__setattr__(self, "architecture", read())
            if self.tuned:
                check_tuned(self.network, self.tuned, self.model)
        if self.components is not None and not 1 <= self.components <= self.width:
            raise ValueError(
                f"node type {self.name!r}: components must be 1 to {self.width}, the features of {self.model}, "
                f"found {self.components}"
            )

    @property
    def _pooled(self) -> int | None:
        """Most nodes per signal if slices may share them."""
        return self.max_nodes if self.overflow == "pool" else None

    @property
    def network(self) -> Network:
        """Describes how to make the network."""
        found: Network = self.architecture.network
        return found

    @property
    def width(self) -> int:
        """The backbone's features per node."""
        return self.network.width

    @cached_property
    def kept_width(self) -> int:
        """The numbers per node that a cache keeps: features, or the state before tuned blocks.

        Raises:
            ValueError: there is no state that could be kept.
        """
        return self._state_width() if self.tuned else self.width

    @abstractmethod
    def _state_width(self) -> int:
        """The numbers per node of the state before tuned blocks: enough for signals of any length."""

    def empty_features(self) -> NodeSet:
        """No nodes, with what a cache keeps `[0, kept_width]` as values."""
        whole = self.empty()
        return NodeSet(torch.zeros(0, self.kept_width), whole.shape, whole.position, whole.time)

    @property
    def augments(self) -> bool:
        """Whether signals are changed at random in training."""
        return any(getattr(self, f.name) for f in dataclasses.fields(self) if f.name in AUGMENTING)  # type: ignore[arg-type]

    def without_augmentation(self) -> Self:
        """The same node type without random changes in training, so that its features can be cached."""
        own = {f.name: f.default for f in dataclasses.fields(self) if f.name in AUGMENTING}  # type: ignore[arg-type]
        return dataclasses.replace(self, **own)  # type: ignore[type-var]

    @abstractmethod
    def content(self, sample: Sample) -> bytes | None:
        """SHA-256 of the signal's undecoded content; None where it is absent.

        Raises:
            SignalError: it cannot be read.
        """

    @abstractmethod
    def projection(self, dim: int) -> NodeEncoder:
        """A new trainable module from features `[nodes, width]` to states."""

    @abstractmethod
    def around(self, module: nn.Module) -> Backbone:
        """The backbone around the network's module."""

    def backbone(self) -> Backbone:
        """The pretrained network alone, in evaluation mode: slices in, features `[nodes, width]` out.

        Raises:
            FileNotFoundError: its weights are not available locally and cannot be fetched.
            ValueError: its weights do not fit.
        """
        module = make_module(self.network, self.model, self.weights)
        module.requires_grad_(False)
        for parameter in self._trained(module):
            parameter.requires_grad_(True)
        if self.gradient_checkpointing:
            self.network.checkpoint(module)
        return self.around(module).eval()

    def _trained(self, module: nn.Module) -> list[nn.Parameter]:
        """What is trained; poolers, mask tokens and the like are not, as no state depends on them."""
        if self.tuned:
            return tuned_parameters(self.network, module, self.tuned)
        return [] if self.frozen else self.network.probe(module).used()

    def cut(self, backbone: Backbone) -> Cut:
        """Where a backbone is cut before its tuned blocks."""
        first = self.network.blocks(backbone.network)[-self.tuned]
        [name] = [name for name, part in backbone.network.named_modules() if part is first]
        return Cut(name, self.kept_width)

    def tail(self) -> tuple[Backbone, Cut]:
        """The backbone without what comes before its tuned blocks, and the cut at which it goes on.

        Raises:
            ValueError: the state there does not determine the features.
        """
        backbone = self.backbone()
        cut, module = self.cut(backbone), backbone.network
        kept = self.network.probe(module).used(start=module.get_submodule(cut.before), shared=True)
        check = None if weights_are_to_follow() else TailCheck.of(module, cut, self.network.smallest())
        hollow(module, frozenset(map(id, kept)))
        if check is not None and not check.holds(module, cut):
            raise ValueError(
                f"node type {self.name!r}: the tuned blocks of {self.model} read more than the state before them, "
                "which is all that a cache keeps; train without a cache"
            )
        return backbone, cut

    def encoder(self, dim: int) -> NodeEncoder:
        """The backbone and a projection."""
        return PretrainedEncoder(self.backbone(), self.projection(dim), frozen=self.frozen, tuned=self.tuned > 0)

    def fingerprint(self, backbone: Backbone | None = None) -> str:
        """SHA-256 over everything besides the signal that cached features depend on: weights, versions and arguments.
        Where blocks are tuned, the states before them are cached.

        Args:
            backbone: this node type's backbone, if already loaded; otherwise it is read.

        Raises:
            ValueError: the backbone is trained, so its features change.
        """
        if not self.frozen:
            raise ValueError(f"node type {self.name!r}: only a frozen backbone has features that stay the same")
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in NOT_OF_FEATURES}  # type: ignore[arg-type]
        own = {name: value for name, value in own.items() if value is not None or name not in LATER}
        described = {
            "features": FEATURES,
            "type": type(self).__name__,
            "arguments": own,
            "versions": {name: version(name) for name in sorted({"torch", self.network.library, *self.readers})},
            "weights": weights_digest(self.backbone() if backbone is None else backbone),
            **({"before last blocks": self.tuned} if self.tuned else {}),
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True, default=_plain).encode()).hexdigest()


def refuse_shared(node_type: PretrainedNodes) -> None:
    """Refuse to keep the states of slices that share nodes.

    Raises:
        ValueError: the node type's overflow is "pool".
    """
    if node_type.overflow == "pool":
        raise ValueError(
            f"node type {node_type.name!r}: found overflow='pool' and tuned blocks, expected another overflow: a cache "
            "cannot keep the states of slices that share nodes; train without a cache"
        )


def refuse_to_fetch(name: str, entry: str) -> None:
    """Refuse to fetch anything for a saved model from elsewhere.

    Raises:
        ValueError: a saved model is being built; names the node type and the entry of its config.
    """
    if weights_are_to_follow():
        raise ValueError(f"node type {name!r}: found no {entry} in the saved model, expected a complete one")


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return {"class": type(value).__name__, **{f.name: getattr(value, f.name) for f in dataclasses.fields(value)}}
    if isinstance(value, set | frozenset):
        return sorted(value)
    return repr(value)
