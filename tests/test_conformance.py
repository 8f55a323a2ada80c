"""Everything in the catalogue, and a node type of this test's own, under the conformance suite."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch_geometric.nn import GCNConv, SAGEConv

from gnnfuse import catalog
from gnnfuse.edges import Aligned, Complete, EdgeRule, GivenEdges, Grid, Nearest, Window
from gnnfuse.fusion import Concat, FusionModel, GraphFusion, JointTransformer, ModalityAttention, Unimodal
from gnnfuse.fusion.attention import CrossAttention
from gnnfuse.fusion.classical import PooledStates
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NodeTarget, NumberTarget, TargetEncoding
from gnnfuse.message_passing import (
    HGT,
    RGCN,
    SAGE,
    GATv2,
    LayerFactory,
    NearestStates,
    PyGLayer,
    RelationAttention,
    SimMIM,
)
from gnnfuse.nodes import (
    AudioFrames,
    AudioGain,
    AudioNoise,
    AudioShift,
    ConvPatches,
    Features,
    Hub,
    ImageFlip,
    ImagePatches,
    ImageShift,
    InTurn,
    Layout,
    LogMelFrames,
    NodeEncoder,
    NodeSet,
    NodeType,
    TextTokens,
    WaveformFrames,
)
from gnnfuse.readout import (
    AdditiveReadout,
    AttentionReadout,
    HubReadout,
    InteractionReadout,
    JoinedReadout,
    MeanReadout,
    Readout,
    TypedReadout,
)
from gnnfuse.sample import Rows, Sample, read_rows
from gnnfuse.tasks import (
    BinaryCrossEntropy,
    Classification,
    CrossEntropy,
    EachModality,
    MultiLabel,
    NodeClassification,
    NodeCrossEntropy,
    Objective,
    Regression,
    SquaredError,
    Task,
)
from gnnfuse.tasks.objectives import FocalLoss, Huber, LeftOut
from gnnfuse.testing import (
    check_edge_rule,
    check_fusion_model,
    check_layer,
    check_node_type,
    check_readout,
    check_task,
    example_builder,
    example_signals,
    random_samples,
)
from gnnfuse.testing.examples import Draw
from tests.nodes.pretrained.tiny_models import (
    torchaudio_audio,
    torchvision_image,
    transformers_audio,
    transformers_image,
    transformers_text,
)

DIM = 16


@dataclass(frozen=True, kw_only=True)
class Lidar(NodeType):
    """Points of a laser scan, as a user would add them: the library knows nothing of them."""

    name: str = "lidar"
    signal: str = "lidar"
    provides: frozenset[str] = field(default=frozenset({"position"}), init=False)

    def empty(self) -> NodeSet:
        return NodeSet(torch.zeros(0, 1), (0,), torch.zeros(0, 3))

    def nodes(self, sample: Sample) -> NodeSet | None:
        rows = read_rows(sample, self.signal, width=4)
        return None if rows is None else NodeSet(rows.values[:, 3:], (len(rows.values),), rows.values[:, :3])

    def encoder(self, dim: int) -> NodeEncoder:
        return LidarEncoder(dim)


class LidarEncoder(NodeEncoder):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.network = nn.Sequential(nn.Linear(4, dim), nn.GELU(), nn.Linear(dim, dim))

    def forward(self, values: Float[Tensor, "nodes 1"], layout: Layout) -> Float[Tensor, "nodes dim"]:
        assert layout.position is not None
        states: Tensor = self.network(torch.cat([values, layout.position], dim=1))
        return states


@dataclass(frozen=True, kw_only=True)
class Above(EdgeRule):
    """Joins every point with all points that lie higher: asks for positions, not for lidar."""

    name: str = "above"

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        return src.name == dst.name and "position" in src.provides

    def edges(self, src: NodeSet, dst: NodeSet) -> Int[Tensor, "2 edges"]:
        assert src.position is not None
        height = src.position[:, -1]
        return (height.unsqueeze(1) > height.unsqueeze(0)).nonzero().T


def draw_points(generator: torch.Generator) -> object:
    return torch.randn(int(torch.randint(3, 9, (), generator=generator)), 4, generator=generator)


def draw_sensor(generator: torch.Generator) -> object:
    rows = int(torch.randint(2, 6, (), generator=generator))
    start = torch.arange(rows) * 0.5
    position = torch.rand(rows, 2, generator=generator)
    return Rows(torch.randn(rows, 3, generator=generator), time=torch.stack([start, start + 0.5], 1), position=position)


def draw_molecule(generator: torch.Generator) -> Rows:
    atoms = 2 + int(torch.randint(3, (), generator=generator))
    bonds = torch.unique(torch.randint(atoms, (2, 5), generator=generator), dim=1)
    return Rows(torch.rand(atoms, 2, generator=generator), edges={("atom", "bond"): bonds})


SIGNALS: Mapping[str, Draw] = {
    **example_signals(),
    "sensor": draw_sensor,
    "lidar": draw_points,
    "atom": draw_molecule,
}
SENSOR = Features(signal="sensor", width=3, timed=True, coordinates=2, noise=0.1)
AUDIO = AudioFrames(sample_rate=800, hop=0.05, encoding=LogMelFrames(mels=4, columns=2, width=2))
SHAKEN_PICTURE = InTurn((ImageShift(1), ImageFlip()))
SHAKEN_RECORDING = InTurn((AudioShift(20), AudioGain(6.0), AudioNoise(0.1)))

# How to construct what the catalogue lists: a new entry needs a line here.
NODE_TYPES: Mapping[str, Sequence[NodeType]] = {
    "image_patches": [
        ImagePatches(patch=4, channels=1),
        ImagePatches(patch=4, stride=2, channels=3, encoding=ConvPatches(width=2), augmentation=SHAKEN_PICTURE),
        ImagePatches(patch=4, dtype="uint8", augmentation=SHAKEN_PICTURE),
    ],
    "audio_frames": [
        AUDIO,
        AudioFrames(
            sample_rate=800,
            hop=0.02,
            window=0.05,
            encoding=WaveformFrames(filters=3, length=8),
            augmentation=SHAKEN_RECORDING,
        ),
    ],
    "text_tokens": [TextTokens(word_dropout=0.3)],
    "features": [SENSOR],
    "hub": [Hub(count=2), Hub(name="text_hub", of="text")],
}
# The same, given a folder for the weights of a small random network.
PRETRAINED: Mapping[str, Sequence[Callable[[Path], NodeType]]] = {
    "pretrained_image": [
        lambda folder: torchvision_image(folder, "tiny_resnet", augmentation=SHAKEN_PICTURE),
        lambda folder: transformers_image(folder, "vit", frozen=False),
    ],
    "pretrained_audio": [
        lambda folder: torchaudio_audio(folder, "wav2vec2", augmentation=SHAKEN_RECORDING),
        lambda folder: transformers_audio(folder, "hubert", frozen=False, max_nodes=4, overflow="pool"),
    ],
    "pretrained_text": [
        lambda folder: transformers_text(folder, "bert", word_dropout=0.3),
        lambda folder: transformers_text(folder, "gpt2", frozen=False, max_nodes=3, overflow="pool"),
    ],
}
EDGE_RULES: Mapping[str, Sequence[EdgeRule]] = {
    "grid": [Grid(), Grid(radius=2, diagonal=False)],
    "window": [Window(size=1)],
    "complete": [Complete(dst="hub"), Complete(src="text", dst="text", within=True)],
    "aligned": [Aligned(by="order"), Aligned(by="time", margin=0.1)],
    "given": [GivenEdges(src="atom", dst="atom", name="bond")],
    "nearest": [Nearest(k=2), Nearest(k=3, by="features", within=True)],
}
LAYERS: Mapping[str, Sequence[LayerFactory]] = {
    "relation_attention": [
        RelationAttention,
        partial(RelationAttention, heads=2, expansion=1, impl="reference"),
    ],
    "hgt": [HGT, partial(HGT, heads=2, impl="reference")],
    "gatv2": [GATv2, partial(GATv2, heads=2, activation=None, impl="reference")],
    "sage": [SAGE],
    "rgcn": [RGCN, partial(RGCN, num_bases=2, activation="gelu")],
    "simmim": [SimMIM],
    "pyg": [
        partial(PyGLayer, conv=partial(SAGEConv, (DIM, DIM), DIM)),
        partial(PyGLayer, conv=partial(GCNConv, DIM, DIM), joined=True),
    ],
    "nearest_states": [
        partial(NearestStates, k=2),
        partial(NearestStates, k=3, layer=partial(HGT, heads=2), within=False),
    ],
}
READOUTS: Mapping[str, Callable[[], Readout]] = {
    "mean": MeanReadout,
    "attention": lambda: AttentionReadout(DIM, heads=2),
    "hub": lambda: HubReadout("hub"),
    "additive": lambda: AdditiveReadout(
        DIM, [node_type.name for node_type in lidar_builder().node_types if node_type.signal is not None]
    ),
    "joined": JoinedReadout,
    "interaction": lambda: InteractionReadout(DIM),
    "typed": lambda: TypedReadout(DIM, [node_type.name for node_type in lidar_builder().node_types]),
}
MODELS: Mapping[str, Callable[[GraphBuilder], FusionModel]] = {
    "graph": lambda builder: GraphFusion(builder.node_types, builder.relations, dim=DIM, depth=2),
    "joint_transformer": lambda builder: JointTransformer(builder.node_types, dim=DIM, depth=2),
    "modality_attention": lambda builder: ModalityAttention(builder.node_types, dim=DIM, depth=1),
    "cross_attention": lambda builder: CrossAttention.of(builder, dim=DIM, depth=1),
    "concat": lambda builder: Concat(builder.node_types, dim=DIM, depth=1),
    "unimodal": lambda builder: Unimodal(builder.node_types, modality="lidar", dim=DIM, depth=1),
    "pooled": lambda builder: PooledStates(builder.node_types),
}
TASKS: Mapping[str, tuple[Callable[..., Task], TargetEncoding, Draw | None]] = {
    "classification": (
        partial(Classification, dropout=0.5),
        ClassTarget(("cat", "dog", "owl")),
        lambda generator: ("cat", "dog", "owl")[int(torch.randint(3, (), generator=generator))],
    ),
    "multilabel": (
        partial(MultiLabel, dropout=0.5, threshold=0.4),
        MultiLabelTarget(("red", "round")),
        lambda generator: [name for name in ("red", "round") if float(torch.rand((), generator=generator)) < 0.5],
    ),
    "regression": (
        partial(Regression, dropout=0.5),
        NumberTarget(2, mean=(1.0, 2.0), scale=(3.0, 4.0)),
        lambda generator: torch.randn(2, generator=generator).tolist(),
    ),
    "node_classification": (partial(NodeClassification, dropout=0.5), NodeTarget("image", ("sky", "sea")), None),
}
OBJECTIVES: Mapping[str, tuple[str, str, Callable[[], Objective]]] = {  # a task and a model for it
    "cross_entropy": ("classification", "concat", lambda: CrossEntropy(class_weights=(1.0, 2.0, 3.0))),
    "binary_cross_entropy": ("multilabel", "concat", lambda: BinaryCrossEntropy(class_weights=(1.0, 2.0))),
    "focal_loss": ("classification", "concat", lambda: FocalLoss(class_weights=(1.0, 2.0, 3.0))),
    "squared_error": ("regression", "concat", SquaredError),
    "huber": ("regression", "concat", lambda: Huber(delta=0.5)),
    "each_modality": ("regression", "concat", lambda: EachModality(SquaredError(), weight=0.5)),
    "left_out": ("classification", "graph", lambda: LeftOut(CrossEntropy(), probability=0.3)),
    "node_cross_entropy": ("node_classification", "graph", NodeCrossEntropy),
}
TABLES: Mapping[str, Mapping[str, object]] = {
    "node_type": {**NODE_TYPES, **PRETRAINED},
    "edge_rule": EDGE_RULES,
    "layer": LAYERS,
    "readout": READOUTS,
    "model": MODELS,
    "task": TASKS,
    "objective": OBJECTIVES,
}


def listed(cases: Mapping[str, Sequence[Any]], *more: Any) -> list[Any]:
    """The cases, each under its name and place."""
    named = {f"{name}-{place}": case for name, every in cases.items() for place, case in enumerate(every)}
    named |= {type(case).__name__: case for case in more}
    return [pytest.param(case, id=name) for name, case in named.items()]


def samples(target: Draw | None = None, signals: Mapping[str, Draw] = SIGNALS) -> list[Sample]:
    return random_samples(torch.Generator().manual_seed(0), signals, target=target)


def lidar_builder(target: TargetEncoding | None = None) -> GraphBuilder:
    plain = example_builder()
    return GraphBuilder(
        [*plain.node_types, Lidar()], [*plain.edge_rules, Above(), Nearest(k=3)], target=target, extra="ignore"
    )


@pytest.mark.parametrize("kind", TABLES)
def test_every_entry_of_the_catalogue_is_checked(kind: str) -> None:
    assert sorted(TABLES[kind]) == [*catalog.names(kind)]
    for name in catalog.names(kind):
        assert isinstance(catalog.load(kind, name), type)


@pytest.mark.parametrize("node_type", listed(NODE_TYPES, Lidar()))
def test_node_type(node_type: NodeType) -> None:
    check_node_type(node_type, samples())


@pytest.mark.parametrize("make", listed(PRETRAINED))
def test_pretrained_node_type(make: Callable[[Path], NodeType], tmp_path: Path) -> None:
    check_node_type(make(tmp_path), samples())


@pytest.mark.parametrize("rule", listed(EDGE_RULES, Above()))
def test_edge_rule(rule: EdgeRule) -> None:
    node_types = [
        *example_builder().node_types,
        SENSOR,
        Features(signal="sensor", name="moment", width=3, timed=True, coordinates=2),
        Features(signal="atom", width=2, linked=True),
        Lidar(),
    ]
    check_edge_rule(rule, node_types, samples())


@pytest.mark.parametrize("layer", listed(LAYERS))
def test_layer(layer: LayerFactory) -> None:
    check_layer(layer, lidar_builder(), samples())


@pytest.mark.parametrize("name", READOUTS)
def test_readout(name: str) -> None:
    check_readout(READOUTS[name](), lidar_builder(), samples())


@pytest.mark.parametrize("name", MODELS)
def test_model_with_the_users_node_type(name: str) -> None:
    check_fusion_model(MODELS[name], lidar_builder(), samples(), classes=[Lidar, Above])


def test_graph_model_with_the_mean_of_its_nodes() -> None:
    def make(builder: GraphBuilder) -> FusionModel:
        return GraphFusion(builder.node_types, builder.relations, dim=DIM, depth=1, readout=MeanReadout())

    check_fusion_model(make, example_builder(), samples(signals=example_signals()))


def with_targets(builder: GraphBuilder, draw: Draw | None) -> list[Sample]:
    """Targets that are drawn, or a class for each patch of the picture."""
    if draw is not None:
        return samples(draw)
    plain = GraphBuilder(builder.node_types, extra="ignore")
    counts = [plain([sample], empty=True).layout["image"].offsets[-1] for sample in samples()]
    return [
        replace(sample, target=[("sky", "sea", None)[place % 3] for place in range(int(count))])
        for sample, count in zip(samples(), counts, strict=True)
    ]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("model", ["graph", "concat", "joint_transformer"])
def test_task(name: str, model: str) -> None:
    make, target, draw = TASKS[name]
    builder = lidar_builder(target)
    if name == "node_classification" and model == "concat":
        with pytest.raises(ValueError, match="objective 'cross_entropy' needs nodes, Concat gives parts"):
            make(MODELS[model](builder), builder)
        return
    check_task(
        lambda builder: make(MODELS[model](builder), builder),
        builder,
        with_targets(builder, draw),
        classes=[Lidar, Above],
    )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objective(name: str) -> None:
    """Whatever it is an objective of, a task with it alone trains and is saved with it."""
    task, model, objective = OBJECTIVES[name]
    make, target, draw = TASKS[task]
    builder = lidar_builder(target)
    check_task(
        lambda builder: make(MODELS[model](builder), builder, objectives=[objective()]),
        builder,
        with_targets(builder, draw),
        classes=[Lidar, Above],
    )
