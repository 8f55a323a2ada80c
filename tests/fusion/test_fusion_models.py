"""What the models say of wrong arguments, that order does not matter, and that each of them learns."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from gnnfuse.edges import Relation, Window
from gnnfuse.fusion import Concat, FusionModel, GraphFusion, JointTransformer, ModalityAttention, Unimodal
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.message_passing import RelationAttention
from gnnfuse.nodes import Hub, TextTokens
from gnnfuse.readout import HubReadout, MeanReadout, TypedReadout
from gnnfuse.sample import Sample
from gnnfuse.tasks import Classification
from gnnfuse.testing import example_builder, example_signals, random_samples

Make = Callable[[GraphBuilder], FusionModel]

MODELS: dict[str, Make] = {
    "graph": lambda b: GraphFusion(b.node_types, b.relations, dim=16, depth=2),
    "graph, hub": lambda b: GraphFusion(b.node_types, b.relations, dim=16, depth=2, readout=HubReadout()),
    "graph, mean": lambda b: GraphFusion(b.node_types, b.relations, dim=16, depth=2, readout=MeanReadout()),
    "joint transformer": lambda b: JointTransformer(b.node_types, dim=16, depth=2),
    "modality attention": lambda b: ModalityAttention(b.node_types, dim=16, depth=1),
    "concat": lambda b: Concat(b.node_types, dim=16, depth=1),
    "unimodal": lambda b: Unimodal(b.node_types, modality="text", dim=16, depth=2),
}
ATTENTION = (JointTransformer, ModalityAttention, Concat, partial(Unimodal, modality="text"))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_overfits_eight_samples(name: str) -> None:
    generator, answers = torch.Generator().manual_seed(0), ("no", "yes", "maybe")
    samples = [
        Sample({key: draw(generator) for key, draw in example_signals().items()}, target=answers[place % 3])
        for place in range(8)
    ]
    builder = example_builder(target=ClassTarget(answers))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        task = Classification(MODELS[name](builder), builder)
        optimiser = torch.optim.Adam(task.parameters(), lr=3e-3)
        batch = task.builder(samples)
        for _ in range(150):
            loss = task.losses(task.step(batch))["cross_entropy"]
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            if float(loss.detach()) < 0.05:
                break
    assert float(loss.detach()) < 0.05
    assert [prediction.label for prediction in task.predict(samples)] == [sample.target for sample in samples]


@pytest.mark.parametrize("make", ATTENTION)
@torch.no_grad()
def test_node_types_may_come_in_any_order(make: Callable[..., FusionModel]) -> None:
    builder = example_builder()
    batch = builder(random_samples(torch.Generator().manual_seed(0)), empty=True)
    shuffled = random.Random(0).sample(builder.node_types, k=len(builder.node_types))
    one, other = make(builder.node_types, dim=8, depth=1).eval(), make(shuffled, dim=8, depth=1).eval()
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(batch), other(batch))


@pytest.mark.parametrize("make", ATTENTION)
def test_heads_must_divide_dim(make: Callable[..., FusionModel]) -> None:
    with pytest.raises(ValueError, match="heads must divide dim, found heads=3 and dim=8"):
        make(example_builder().node_types, dim=8, heads=3)


@pytest.mark.parametrize("make", [JointTransformer, ModalityAttention, Concat])
def test_hubs_alone_cannot_be_fused(make: Callable[..., FusionModel]) -> None:
    with pytest.raises(ValueError, match="node type that reads a signal"):
        make([Hub()])


@pytest.mark.parametrize("modality", ["video", "hub", None])
def test_a_modality_that_is_not_there(modality: str | None) -> None:
    with pytest.raises(ValueError, match=f"found modality={modality!r}, expected one of: audio, image, text"):
        Unimodal(example_builder().node_types, modality=modality)


def test_the_only_modality_needs_no_name() -> None:
    assert Unimodal([Hub(), TextTokens()], dim=8).modality == "text"


def test_a_batch_of_another_builder() -> None:
    builder, other = example_builder(), GraphBuilder([TextTokens()])
    batch = other([Sample({"text": "a"})])
    graph = GraphFusion(builder.node_types, builder.relations, dim=8, depth=1)
    for model in (graph, Concat(builder.node_types, dim=8, depth=1)):
        with pytest.raises(ValueError, match="the model encodes node type 'audio', the batch has only text"):
            model(batch)
    unjoined = GraphBuilder(builder.node_types, builder.edge_rules[:1])
    with pytest.raises(ValueError, match="the model knows node types audio, hub, image, text and relations"):
        graph(unjoined([Sample({"text": "a"})]))


def test_graph_models_refuse_stray_relations_and_no_layers() -> None:
    stray = Relation("text", "window", "video")
    with pytest.raises(ValueError, match="found relation text-window-video, expected relations between text"):
        GraphFusion([TextTokens()], [stray])
    with pytest.raises(ValueError, match="found depth=0"):
        GraphFusion([TextTokens()], [], depth=0)


def test_layers_take_their_options_from_a_partial() -> None:
    builder = example_builder()
    layer = partial(RelationAttention, heads=2, expansion=1)
    model = GraphFusion(builder.node_types, builder.relations, dim=8, depth=3, layer=layer)
    assert [found.heads for found in model.layers if isinstance(found, RelationAttention)] == [2, 2, 2]


@pytest.mark.parametrize("name", ["type", "values", "float", "training", "forward"])
def test_a_name_that_torch_modules_cannot_hold_is_refused_early(name: str) -> None:
    """A table's column may be called so; torch's own KeyError would come much later and name no node type."""
    with pytest.raises(ValueError, match=f"TextTokens: name '{name}' is reserved by torch, give another name="):
        GraphBuilder([TextTokens(signal=name)])
    builder = GraphBuilder([TextTokens(signal=name, name="a_text")])
    assert JointTransformer(builder.node_types, dim=8, depth=1)(builder([Sample({name: "a"})])).shape == (1, 8)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"relations": [Window()]}, "found Window.* among the relations, expected builder.relations"),
        ({"layer": "hgt"}, "found 'hgt' as layer, expected the class of a layer, or a functools.partial of it"),
        ({"layer": torch.nn.Linear(1, 1)}, "found a Linear object as layer, expected the class of a layer"),
        ({"readout": MeanReadout}, r"MeanReadout'> as readout, expected a Readout object: MeanReadout\(...\)"),
        (
            {"readout": TypedReadout(8, ["text"])},
            "found TypedReadout for states of size 8, expected 16, the model's dim",
        ),
        ({"node_types": [TextTokens(name="a.b")]}, "TextTokens: name must be a non-empty string without dots, found"),
    ],
    ids=["a rule", "a layer's name", "a layer", "a readout's class", "a readout's size", "a name with a dot"],
)
def test_arguments_of_another_kind_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphFusion(**{"node_types": [TextTokens()], "relations": [], "dim": 16, "depth": 1, **options})


def test_a_batch_on_another_device_is_refused() -> None:
    builder = GraphBuilder([TextTokens()])
    model, batch = Unimodal(builder.node_types, dim=8, depth=1), builder(Sample({"text": "ab"}))
    with pytest.raises(ValueError, match=r"found a batch on device 'meta', expected 'cpu', .*: batch.to\('cpu'\), or"):
        model(batch.to("meta"))
    with pytest.raises(ValueError, match="found a batch on device 'cpu', expected 'meta'"):
        model.to("meta")(batch)
