"""A training step of GraphFusion under torch.compile and under autocast."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, cast

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

from gnnfuse import catalog
from gnnfuse.edges import Complete, Window
from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import ClassTarget, GraphBatch, GraphBuilder
from gnnfuse.message_passing import RelationAttention
from gnnfuse.nodes import AudioFrames, ConvPatches, Features, Hub, ImagePatches, TextTokens, WaveformFrames
from gnnfuse.readout import Readout
from gnnfuse.sample import Sample
from gnnfuse.tasks import Classification
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import widened

Impl = Literal["auto", "reference", "numba", "dense"]
CLASSES, DIM = ("no", "yes"), 16

pytestmark = pytest.mark.usefixtures("unchecked")  # the run-time check of shapes cannot be traced


@pytest.fixture(autouse=True)
def nothing_compiled() -> None:
    torch.compiler.reset()


def readout(name: str, node_types: list[str]) -> Readout:
    made: Callable[..., Readout] = cast(Any, catalog.load("readout", name))
    arguments: dict[str, tuple[Any, ...]] = {
        "mean": (),
        "hub": ("hub",),
        "attention": (DIM,),
        "typed": (DIM, node_types),
        "additive": (DIM, [node_type for node_type in node_types if node_type != "hub"]),
        "joined": (),
        "interaction": (DIM,),
    }
    return made(*arguments[name])


@dataclass(frozen=True)
class Step:
    """A task, and batches of different sizes to train it on."""

    task: Classification
    batches: list[GraphBatch]

    def loss(self, batch: GraphBatch) -> Tensor:
        return self.task.losses(self.task.step(batch))["cross_entropy"]

    def gradients(self, loss: Tensor) -> dict[str, Tensor]:
        named = dict(self.task.named_parameters())
        return dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))


def make(builder: GraphBuilder, samples: list[list[Sample]], *, impl: Impl = "auto", name: str = "typed") -> Step:
    node_types = [node_type.name for node_type in builder.node_types]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GraphFusion(
            builder.node_types, builder.relations, dim=DIM, depth=1,
            layer=partial(RelationAttention, impl=impl), readout=readout(name, node_types),
        )  # fmt: skip
        task = Classification(model, builder)
    return Step(task, [builder(batch, empty=True) for batch in samples])


def classed(samples: list[Sample]) -> list[Sample]:
    return [replace(sample, target=CLASSES[place % 2]) for place, sample in enumerate(samples)]


def every_modality(**options: Any) -> Step:
    """Batches of 9, 5 and 7 samples that differ in every size, with both networks of pictures and recordings."""
    builder = example_builder(target=ClassTarget(CLASSES))
    image = ImagePatches(name="image_too", patch=4, channels=1, encoding=ConvPatches(width=4))
    waveform = WaveformFrames(filters=4, length=8)
    audio = AudioFrames(name="audio_too", sample_rate=800, hop=0.05, encoding=waveform)
    node_types = [*builder.node_types, image, audio, Features(signal="row", width=3)]
    samples = random_samples(torch.Generator().manual_seed(0))
    samples = [replace(sample, signals={**sample.signals, "row": torch.rand(4, 3)}) for sample in samples]
    builder = GraphBuilder(node_types, builder.edge_rules, target=builder.target)
    return make(builder, [classed(samples), classed(samples[:5]), classed(samples[1:8])], **options)


def texts(**options: Any) -> Step:
    """Two batches of texts with a hub."""
    builder = GraphBuilder([TextTokens(), Hub()], [Window(), Complete()], target=ClassTarget(CLASSES))
    words = [Sample({"text": text}) for text in ("a cat", "dog", "", "the long way home")] + [Sample({})]
    return make(builder, [classed(words), classed(words[1:4])], **options)


def assert_compiles(step: Step) -> int:
    """One graph, with the loss and the gradients of the step that is not compiled, for every batch.

    Returns how many graphs were made.
    """
    step.task.double()
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(step.loss, fullgraph=True, backend=counter)
    for batch in map(widened, step.batches):
        loss, expected = compiled(batch), step.loss(batch)
        torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(step.gradients(loss), step.gradients(expected), rtol=1e-12, atol=1e-12)
    return int(counter.frame_count)


def test_every_encoder_compiles_as_one_graph_and_sizes_make_no_new_one() -> None:
    """The first graph is of fixed sizes, the second of any."""
    assert assert_compiles(every_modality()) == 2


@pytest.mark.parametrize("impl", ["reference", "numba", "dense"])
def test_every_implementation_compiles_as_one_graph(impl: Impl) -> None:
    assert assert_compiles(texts(impl=impl)) <= 2


@pytest.mark.parametrize("name", catalog.names("readout"))
def test_every_readout_compiles_as_one_graph(name: str) -> None:
    assert assert_compiles(texts(name=name)) <= 2


@pytest.mark.parametrize("impl", ["auto", "reference", "numba", "dense"])
def test_under_autocast_a_step_is_as_good_as_in_bfloat16(impl: Impl) -> None:
    """Loss and gradients err at most four times what they err where everything is bfloat16."""
    step = every_modality(impl=impl)
    batch = step.batches[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = step.loss(batch)
    found = {"loss": loss, **step.gradients(loss)}
    assert loss.dtype == torch.float32
    assert all(tensor.isfinite().all() for tensor in found.values())
    step.task.double()
    loss = step.loss(widened(batch))
    exact = {"loss": loss, **step.gradients(loss)}
    step.task.bfloat16()
    loss = step.loss(narrowed(batch))
    narrow = {"loss": loss, **step.gradients(loss)}
    assert distance(found, exact) <= 4 * distance(narrow, exact)
    assert distance(found, exact) > 0


def narrowed(batch: GraphBatch) -> GraphBatch:
    """The batch with its values in bfloat16."""
    values = {
        name: tensor.bfloat16() if tensor.is_floating_point() else tensor for name, tensor in batch.values.items()
    }
    return replace(batch, values=values)


def distance(found: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    """The length of the difference of all tensors together."""
    return float(
        torch.cat([(found[name].double() - tensor).detach().flatten() for name, tensor in exact.items()]).norm()
    )
