"""Broken results of readouts are caught, each by its own message; those of models likewise."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from gnnfuse.fusion import Concat, Fused, GraphFusion, JointTransformer
from gnnfuse.graph import GraphBatch
from gnnfuse.readout import AdditiveReadout, MeanReadout, Readout
from gnnfuse.testing import check_fusion_model, check_readout, example_builder, random_samples

BUILDER = example_builder()
SAMPLES = random_samples(torch.Generator().manual_seed(0))
pytestmark = pytest.mark.usefixtures("unchecked")  # which would refuse some of them first


class Parts(AdditiveReadout):
    """A correct readout, whose result the cases change."""

    change: ClassVar[Callable[[Fused], object]]

    def __init__(self, dim: int = 16, modalities: Sequence[str] = BUILDER.modalities) -> None:
        super().__init__(dim, modalities)

    def read(self, states: Tensor, batch: GraphBatch) -> Fused:
        found: Any = type(self).change(super().read(states, batch))
        return found  # type: ignore[no-any-return]


def parts_of(fused: Fused) -> Tensor:
    assert fused.parts is not None
    return fused.parts


def present_of(fused: Fused) -> Tensor:
    assert fused.present is not None
    return fused.present


def wrong(losses: Any) -> Any:
    """Losses of another type, hidden from the type checker."""
    return losses


CHANGES: dict[str, tuple[Callable[[Fused], object], str]] = {
    "no parts": (lambda f: Fused(f.vector), r"gives \['parts'\], but parts is None"),
    "no present": (lambda f: f._replace(present=None), r"gives \['parts'\], but present is None"),
    "nodes": (lambda f: f._replace(nodes=f.vector), r"gives \['parts'\], but nodes is not None"),
    "a plain tensor": (lambda f: f.vector, "found a Tensor, expected a Fused"),
    "a plain tuple": (lambda f: tuple(f), "found a tuple, expected a Fused"),
    "one modality less": (lambda f: f._replace(parts=parts_of(f)[:, 1:]), r"parts has shape \[\d+, 2, 16\], expected"),
    "narrow parts": (lambda f: f._replace(parts=parts_of(f)[..., :3]), r"parts has shape \[\d+, 3, 3\], expected"),
    "parts in float32": (
        lambda f: f._replace(parts=parts_of(f).float()),
        "parts is torch.float32, expected torch.float64",
    ),
    "present in numbers": (
        lambda f: f._replace(present=present_of(f).double()),
        "present is torch.float64, expected torch.bool",
    ),
    "present turned round": (lambda f: f._replace(present=present_of(f).flip(1)), "present does not mark the graphs"),
    "parts of absent ones undefined": (
        lambda f: f._replace(parts=parts_of(f).masked_fill(~present_of(f)[..., None], torch.nan)),
        "found NaN or infinity in parts",
    ),
    "parts of the batch": (
        lambda f: f._replace(parts=parts_of(f) - parts_of(f).mean(dim=0)),
        "the parts of .* differ between a batch and the sample alone",
    ),
    "narrow vectors": (
        lambda f: f._replace(vector=f.vector[:, :4]),
        r"vector has shape \[\d+, 4\], expected \[\d+, 16\]",
    ),
    "a loss per sample": (
        lambda f: f._replace(losses={"kl": f.vector[:, 0]}),
        r"loss kl has shape \[\d+\], expected a",
    ),
    "a loss as a number": (lambda f: f._replace(losses=wrong({"kl": 0.5})), "loss kl is a float, expected a tensor"),
    "a loss that is no number": (lambda f: f._replace(losses={"kl": f.vector.sum() * torch.nan}), "loss kl is nan"),
    "losses in a list": (lambda f: f._replace(losses=wrong([f.vector.sum()])), "losses is a list, expected a mapping"),
    "a loss without a name": (
        lambda f: f._replace(losses=wrong({0: f.vector.sum()})),
        "found a loss named 0, expected a string",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_broken_result_of_a_readout_is_caught(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, message = CHANGES[case]
    monkeypatch.setattr(Parts, "change", staticmethod(change), raising=False)
    with pytest.raises(AssertionError, match=f"^Parts: {message}"):
        check_readout(Parts(), BUILDER, SAMPLES)


def test_the_correct_one_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Parts, "change", staticmethod(lambda fused: fused), raising=False)
    check_readout(Parts(), BUILDER, SAMPLES)


class PromisesParts(MeanReadout):
    gives = frozenset({"parts"})


class PromisesNodes(MeanReadout):
    gives = frozenset({"nodes"})


class Misspells(MeanReadout):
    gives = frozenset({"prats"})


class KeepsItsPartsSecret(AdditiveReadout):
    gives = frozenset()


@pytest.mark.parametrize(
    ("readout", "message"),
    [
        (PromisesParts(), r"gives \['parts'\], but parts is None"),
        (PromisesNodes(), r"gives \['nodes'\], but nodes is None"),
        (Misspells(), "gives 'prats', which is unknown; known are nodes, parts"),
        (KeepsItsPartsSecret(16, BUILDER.modalities), r"gives \[\], but parts is not None"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_promised_is_given_and_nothing_else(readout: Readout, message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{type(readout).__name__}: {message}"):
        check_readout(readout, BUILDER, SAMPLES)


class NodesOfOthers(JointTransformer):
    def fuse(self, states: Mapping[str, Tensor], batch: GraphBatch) -> Fused:
        fused = super().fuse(states, batch)
        assert fused.nodes is not None
        return fused._replace(nodes=fused.nodes + 1.0)


class NodesInAnotherOrder(JointTransformer):
    def fuse(self, states: Mapping[str, Tensor], batch: GraphBatch) -> Fused:
        fused = super().fuse(states, batch)
        assert fused.nodes is not None
        return fused._replace(nodes=fused.nodes.flip(0))


class PresentInNumbers(Concat):
    def fuse(self, states: Mapping[str, Tensor], batch: GraphBatch) -> Fused:
        fused = super().fuse(states, batch)
        return fused._replace(present=present_of(fused).long())


class LosesAVector(Concat):
    def fuse(self, states: Mapping[str, Tensor], batch: GraphBatch) -> Fused:
        fused = super().fuse(states, batch)
        return fused._replace(losses={"spread": fused.vector[:, 0]})


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (NodesOfOthers, "nodes of 'hub' are not zero, but not encoded"),
        (NodesInAnotherOrder, "the nodes of .* differ between a batch and the sample alone"),
        (PresentInNumbers, "present is torch.int64, expected torch.bool"),
        (LosesAVector, r"loss spread has shape \[\d+\], expected a scalar"),
    ],
)
def test_a_broken_result_of_a_model_is_caught(model: type[Concat] | type[JointTransformer], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{model.__name__}: {message}"):
        check_fusion_model(lambda builder: model.of(builder, dim=8, depth=1), BUILDER, SAMPLES, classes=[model])


def test_a_model_with_such_a_readout_is_caught_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Parts, "change", staticmethod(CHANGES["no parts"][0]), raising=False)
    with pytest.raises(ValueError, match=r"GraphFusion.fuse: found no parts, expected some"):
        check_fusion_model(lambda builder: GraphFusion.of(builder, dim=16, readout=Parts()), BUILDER, SAMPLES)
