"""One class per node: what is read, what counts, and what comes back."""

from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch.nn import functional as F

from gnnfuse.fusion import Concat, GraphFusion
from gnnfuse.graph import GraphBuilder, NodeTarget, Ragged
from gnnfuse.graph.networkx import from_networkx, to_networkx
from gnnfuse.graph.pyg import from_pyg, to_pyg
from gnnfuse.nodes import ImagePatches, TextTokens
from gnnfuse.sample import Sample
from gnnfuse.tasks import NodeClassification, NodeCrossEntropy
from gnnfuse.testing import example_builder
from gnnfuse.train import FitConfig, fit_task

TARGET = NodeTarget("image", ("sky", "sea"))
SAMPLES = [
    Sample({"image": torch.rand(3, 4, 8)}, target=[["sky", "sea"]], id="wide"),
    Sample({"text": "none"}, target=[], id="text"),
    Sample({"image": torch.rand(3, 8, 4)}, target=["sea", None], id="tall"),
]


def builder(target: NodeTarget = TARGET) -> GraphBuilder:
    return GraphBuilder([ImagePatches(patch=4), TextTokens()], target=target)


def task() -> NodeClassification:
    made = builder()
    torch.manual_seed(0)
    return NodeClassification(GraphFusion.of(made, dim=8, depth=1), made)


@pytest.mark.parametrize(
    ("target", "numbers"),
    [
        ([["sea", "sky"], ["sky", None]], [1, 0, 0, -1]),
        ((1, 0), [1, 0]),
        (torch.tensor([[0, 1], [-1, 1]]), [0, 1, -1, 1]),
        (torch.tensor([0, 1]).numpy(), [0, 1]),
        ([], []),
    ],
)
def test_classes_are_read_row_after_row(target: object, numbers: list[int]) -> None:
    assert TARGET.encode(Sample({}, target)).tolist() == numbers


@pytest.mark.parametrize("target", ["sky", 3, ["land"], [["sky"], 7]])
def test_what_is_no_class_is_refused_with_the_sample(target: object) -> None:
    with pytest.raises(ValueError, match="sample 'x': found target"):
        TARGET.encode(Sample({}, target, "x"))


def test_classes_are_fitted_on_what_is_known() -> None:
    assert NodeTarget.fit(SAMPLES, of="image") == NodeTarget("image", ("sea", "sky"))


def test_targets_of_different_length_are_laid_end_to_end() -> None:
    batch = builder()(SAMPLES)
    assert isinstance(batch.target, Ragged)
    assert batch.target.values.tolist() == [0, 1, 1, -1]
    assert batch.target.offsets.tolist() == [0, 2, 2, 4]
    assert batch.target.graph_id.tolist() == [0, 0, 2, 2]
    assert batch.target.of == "image"
    assert batch == batch.to("cpu") == from_pyg(to_pyg(batch)) == from_networkx(to_networkx(batch))
    assert batch != builder()(SAMPLES[::-1])


def test_every_sample_counts_alike_and_unknown_nodes_do_not() -> None:
    made = task()
    step = made.step(made.builder(SAMPLES))
    first = F.cross_entropy(step.outputs[:2], torch.tensor([0, 1]))
    last = F.cross_entropy(step.outputs[2:3], torch.tensor([1]))
    torch.testing.assert_close(NodeCrossEntropy()(step), (first + last) / 3)


def test_parts_of_a_step_add_up() -> None:
    made = task()

    def loss(samples: Sequence[Sample]) -> torch.Tensor:
        found: torch.Tensor = NodeCrossEntropy()(made.step(made.builder(samples)))
        return found

    torch.testing.assert_close(loss(SAMPLES), (loss(SAMPLES[:1]) + 2 * loss(SAMPLES[1:])) / 3)


def test_metrics_against_sets() -> None:
    """IoU of sky 1 / 3, of sea 2 / 4; three of five right; the unknown node counts nowhere."""
    metrics = task().metrics()
    predicted, true = torch.tensor([0, 0, 1, 1, 1, 0]), torch.tensor([0, 1, 1, 1, 0, -1])
    metrics.update(F.one_hot(predicted, 2).float(), true)
    found = {name: float(value) for name, value in metrics.compute().items()}
    assert found == pytest.approx({"mean_iou": (1 / 3 + 2 / 4) / 2, "accuracy": 3 / 5})


def test_predictions_are_labels_of_nodes_with_their_positions() -> None:
    made = task()
    wide, text, tall = made.predict([Sample(sample.signals, None, sample.id) for sample in SAMPLES])
    assert (len(wide.label), text.label, len(tall.label)) == (2, (), 2)  # type: ignore[arg-type]
    layout = made.builder(SAMPLES).layout["image"]
    assert layout.position is not None
    assert [list(node.position) for node in (*wide.label, *tall.label)] == layout.position.tolist()  # type: ignore[misc]
    assert {node.label for node in wide.label} <= {"sky", "sea"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("select", ["metric", "loss"])
def test_validation_samples_without_a_known_class_are_refused(select: Literal["metric", "loss"]) -> None:
    config = FitConfig(epochs=2, progress=False, device="cpu", select=select)
    unknown = [Sample(SAMPLES[0].signals, [None, -1], "wide"), SAMPLES[1]]
    message = "^validation samples: found no node of known class, expected some: 'mean_iou' is undefined without them$"
    with pytest.raises(ValueError, match=message):
        fit_task(task(), SAMPLES, unknown, config)
    report = fit_task(task(), unknown + SAMPLES, [*unknown, SAMPLES[2]], config)
    assert 0 <= report.best["valid_mean_iou"] <= 1


def test_what_does_not_fit_is_refused() -> None:
    made = builder()
    graph = GraphFusion.of(made, dim=8, depth=1)
    with pytest.raises(ValueError, match="sample 'wide': found 3 classes in its target, expected 2, one for each node"):
        NodeClassification(graph, made).step(made([Sample(SAMPLES[0].signals, ["sky"] * 3, "wide")]))
    with pytest.raises(ValueError, match="objective 'cross_entropy' needs nodes, Concat gives parts"):
        NodeClassification(Concat.of(made, dim=8, depth=1), made)
    other = builder(NodeTarget("video", ("sky", "sea")))
    with pytest.raises(ValueError, match="the target is of node type 'video', the model encodes image, text"):
        NodeClassification(graph, other)
    with pytest.raises(ValueError, match=r"needs a builder with target=NodeTarget\(of, classes\), found None"):
        NodeClassification(graph, example_builder())
