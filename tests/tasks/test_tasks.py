"""Losses, metrics and predictions of the tasks, against values computed on paper."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnfuse.edges import EdgeRule, Window
from gnnfuse.fusion import FusionModel, GraphFusion, Unimodal
from gnnfuse.fusion.token_transformer import TokenTransformer
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NumberTarget, TargetEncoding
from gnnfuse.nodes import Features, Hub, NodeType, TextTokens
from gnnfuse.sample import Sample, SignalError
from gnnfuse.saving.build import build
from gnnfuse.tasks import BinaryCrossEntropy, Classification, CrossEntropy, MultiLabel, Regression, SquaredError, Task
from gnnfuse.train import evaluate


def builder_of(target: TargetEncoding | None) -> GraphBuilder:
    return GraphBuilder([TextTokens()], target=target)


def model() -> Unimodal:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Unimodal([TextTokens()], dim=8, depth=1)


def classification(**options: Any) -> Classification:
    return Classification(model(), builder_of(ClassTarget(("cat", "dog", "owl"))), **options)


def multilabel() -> MultiLabel:
    return MultiLabel(model(), builder_of(MultiLabelTarget(("red", "round"))), threshold=0.4)


def regression(size: int = 1) -> Regression:
    target = NumberTarget(size, tuple(10.0 * (n + 1) for n in range(size)), tuple(2.0 + n for n in range(size)))
    return Regression(model(), builder_of(target))


OUTPUTS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0]])


def test_cross_entropy() -> None:
    loss = CrossEntropy().loss(OUTPUTS, torch.tensor([0, 2]))
    first = -math.log(math.exp(2) / (math.exp(2) + math.exp(1) + 1))
    second = -math.log(1 / (2 + math.exp(3)))
    assert float(loss) == pytest.approx((first + second) / 2, rel=1e-6)


def test_label_smoothing_spreads_its_share_over_all_classes() -> None:
    loss = CrossEntropy(label_smoothing=0.3).loss(OUTPUTS[:1], torch.tensor([0]))
    total = math.log(math.exp(2) + math.exp(1) + 1)
    expected = 0.8 * (total - 2) + 0.1 * (total - 1) + 0.1 * total
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_binary_cross_entropy() -> None:
    outputs, target = torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]])
    expected = (math.log(2) - math.log(1 - 1 / (1 + math.exp(-2)))) / 2
    assert float(BinaryCrossEntropy().loss(outputs, target)) == pytest.approx(expected, rel=1e-6)


def test_squared_error_of_scaled_numbers() -> None:
    task = regression()
    batch = task.builder([Sample({}, target=14), Sample({}, target=10)], empty=True)
    target = task.target_of(batch)
    assert isinstance(target, Tensor)
    assert target.tolist() == [[2.0], [0.0]]
    loss = SquaredError().loss(torch.tensor([[1.0], [3.0]]), target)
    assert float(loss) == (1 + 9) / 2


def described(task: Task, outputs: Tensor) -> list[tuple[str, object]]:
    batch = task.builder([Sample({}, id=f"row {place}") for place in range(len(outputs))], empty=True)
    return [(prediction.id, prediction.label) for prediction in task.describe(batch, outputs)]


def test_the_most_probable_class_is_predicted() -> None:
    task = classification()
    assert described(task, OUTPUTS) == [("row 0", "cat"), ("row 1", "dog")]
    scores = task.describe(task.builder([Sample({})], empty=True), OUTPUTS[:1])[0].scores
    assert list(scores) == ["cat", "dog", "owl"]
    assert sum(scores.values()) == pytest.approx(1.0)
    assert scores["cat"] / scores["dog"] == pytest.approx(math.e, rel=1e-5)


def test_classes_from_the_threshold_on_are_predicted() -> None:
    outputs = torch.tensor([[math.log(0.41 / 0.59), math.log(0.39 / 0.61)], [-9.0, -9.0], [9.0, 9.0]])
    assert [label for _, label in described(multilabel(), outputs)] == [("red",), (), ("red", "round")]


def test_numbers_come_back_in_their_own_unit() -> None:
    assert described(regression(), torch.tensor([[1.5]])) == [("row 0", 13.0)]
    assert described(regression(2), torch.tensor([[1.5, -1.0]])) == [("row 0", (13.0, 17.0))]


def test_metrics() -> None:
    found = classification().metrics()
    found.update(OUTPUTS, torch.tensor([0, 2]))
    assert float(found.compute()["accuracy"]) == 0.5
    found = multilabel().metrics()
    found.update(torch.tensor([[2.0, 2.0], [-2.0, -2.0]]), torch.tensor([[1, 0], [0, 0]]))
    assert float(found.compute()["micro_f1"]) == pytest.approx(2 / 3)
    found = regression().metrics()
    found.update(torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [0.0]]))
    assert float(found.compute()["mean_absolute_error"]) == 2.0
    assert float(found.compute()["root_mean_squared_error"]) == pytest.approx(math.sqrt(5))


def test_metrics_of_several_numbers_are_of_each_and_without_a_unit() -> None:
    """Two targets with scales 2 and 3 and errors (1, 3) and (0, 6) in their own units."""
    target = NumberTarget(2, (10.0, 20.0), (2.0, 3.0), ("mass", "ratio"))
    task = Regression(model(), builder_of(target))
    found = task.metrics()
    outputs, targets = torch.tensor([[0.5, 0.0], [1.5, 2.0]]), torch.zeros(2, 2)
    found.update(*task.measured(outputs, targets))
    values = {name: float(value) for name, value in found.compute().items()}
    assert values == pytest.approx(
        {
            "normalized_mean_absolute_error": (2 / 2 + 3 / 3) / 2,
            "mean_absolute_error.mass": 2.0,
            "mean_absolute_error.ratio": 3.0,
            "root_mean_squared_error.mass": math.sqrt(5),
            "root_mean_squared_error.ratio": math.sqrt(18),
            "r2.mass": 0.0,  # the targets are equal
            "r2.ratio": 0.0,
        }
    )
    assert task.monitor in values


@pytest.mark.parametrize("offset", [0.0, 1.7e9, 1.7e12])
def test_the_report_of_numbers_is_no_better_than_the_answers(offset: float) -> None:
    samples = [Sample({"text": "x" * n}, target=offset + 10 * n) for n in range(9)]
    task = Regression(model(), builder_of(NumberTarget.fit(samples)))
    answers = [float(str(prediction.label)) for prediction in task.predict(samples)]
    by_hand = sum(abs(answer - offset - 10 * n) for n, answer in zip(range(9), answers, strict=True)) / 9
    found = evaluate(task, samples, device="cpu").metrics["mean_absolute_error"]
    assert by_hand > 1
    # An encoded target is rounded to float32 after scaling, an answer to float64 after its offset is added.
    assert found == pytest.approx(by_hand, abs=100 * 2**-24 + offset * 2**-51)


def test_answers_have_all_digits() -> None:
    task = Regression(model(), builder_of(NumberTarget(mean=(1_700_000_000_000.5,))))
    assert described(task, torch.zeros(1, 1)) == [("row 0", 1_700_000_000_000.5)]


def test_a_model_saved_with_its_scale_as_tensors_gives_the_same_answers(tmp_path: Path) -> None:
    """As gnnfuse 0.1 wrote them: float32 buffers, which are not used any more."""
    task = regression().eval()
    for name in ("mean", "scale"):
        task.register_buffer(name, torch.tensor(getattr(task.target, name)), persistent=False)
    task.save_pretrained(tmp_path)
    loaded = Regression.from_pretrained(tmp_path)
    sample = Sample({"text": "a"})
    assert loaded.predict(sample) == task.predict(sample)
    old = {"class": "gnnfuse.graph.target:NumberTarget", "arguments": {"size": 1, "mean": [2.0], "scale": [3.0]}}
    assert build(old) == NumberTarget(1, (2.0,), (3.0,))


def test_predicting_has_no_dropout_and_restores_training() -> None:
    task = classification(dropout=0.5).train()
    sample = Sample({"text": "a cat"})
    assert task.predict(sample) == task.predict(sample)
    assert task.training
    task.eval()
    task.predict(sample)
    assert not task.training


def test_the_mode_is_restored_after_an_error() -> None:
    task = classification().train()
    with pytest.raises(SignalError, match="signal 'text': found a int, expected a string"):
        task.predict(Sample({"text": 3}))
    assert task.training


def test_a_frozen_part_stays_in_evaluation_mode() -> None:
    task = classification().train()
    encoders = task.model.get_submodule("encoders").eval()
    task.predict(Sample({"text": "a"}))
    assert task.training
    assert not encoders.training


def test_predictions_by_batches_are_named_in_order() -> None:
    samples = [Sample({"text": "a" * n}, id=None if n == 3 else f"row {n}") for n in range(5)]
    found = classification().predict(samples, batch_size=2)
    assert [prediction.id for prediction in found] == ["row 0", "row 1", "row 2", "3", "row 4"]


def built(node_types: Sequence[NodeType], *rules: EdgeRule) -> GraphBuilder:
    return GraphBuilder(node_types, rules, target=ClassTarget(("cat", "dog")))


def test_a_model_of_another_builder_is_refused_when_the_task_is_made() -> None:
    text, wide, narrow = TextTokens(), Features(signal="size", width=3), Features(signal="size", width=2)
    graph = built([text], Window())
    fused = GraphFusion(graph.node_types, graph.relations, dim=8, depth=1)
    alone = Unimodal([text, narrow], modality="size", dim=8, depth=1)
    for model_of, builder, message in (
        (
            fused,
            built([text], Window(name="near")),
            "found relation text-near-text, expected relation text-window-text",
        ),
        (fused, built([text]), "found no relation text-window-text"),
        (fused, built([text, Hub()], Window()), "found node type 'hub', expected nothing more"),
        (fused, built([narrow]), "found node types size, expected 'text' too"),
        (
            alone,
            built([text, wide]),
            r"node type 'size': found values \[0, 3\] of torch.float32, expected \[nodes, 2\]",
        ),
    ):
        with pytest.raises(ValueError, match=f"the model was made for another builder .*: {message}"):
            Classification(model_of, builder)
    assert Classification(alone, built([text, narrow, Hub()])).predict(Sample({"size": torch.zeros(1, 2)}))


@pytest.mark.usefixtures("unchecked")
def test_messages() -> None:
    with pytest.raises(ValueError, match="found no samples, expected at least one"):
        classification().predict([])
    for stranger, kind in (("abc", "str"), ({"text": "abc"}, "dict"), ([Sample({}), 7], "int"), (7, "int")):
        with pytest.raises(ValueError, match=f"found a {kind} among the samples, expected Sample objects"):
            classification().predict(stranger)  # type: ignore[arg-type]
    for make, name in ((Classification, "ClassTarget"), (MultiLabel, "MultiLabelTarget"), (Regression, "NumberTarget")):
        with pytest.raises(ValueError, match=f"needs a builder with target={name}.*found None"):
            make(model(), builder_of(None))
    task = classification()
    with pytest.raises(ValueError, match="sample 'row 1': found no target, expected one"):
        task.target_of(task.builder([Sample({}, id="row 1")], empty=True))


def test_a_sample_of_which_the_model_reads_nothing_is_refused_unless_it_may_be_empty() -> None:
    types = [TextTokens(), TextTokens(name="title", signal="title")]
    builder = GraphBuilder(types, target=ClassTarget(("cat", "dog")))
    task = Classification(Unimodal(types, modality="text", dim=8, depth=1), builder)
    assert task.predict(Sample({"text": "a", "title": "b"}))[0].label in ("cat", "dog")
    for signals, message in (
        ({"txet": "a"}, "sample '0': unknown signal 'txet', did you mean 'text'[?] Known: text, title$"),
        ({"text": "a", "tilte": "b"}, "sample '0': unknown signal 'tilte', did you mean 'title'"),
        ({"title": "b"}, "sample '0': found only title, expected at least one of text; empty=True allows"),
        ({"text": None}, "sample '0': found no signal, expected at least one of text; empty=True allows"),
    ):
        with pytest.raises(ValueError, match=message):
            task.predict(Sample(signals))
    assert task.predict(Sample({"title": "b"}), empty=True) == task.predict([Sample({})], empty=True)


class EncodesAll(Unimodal):
    """A model without edges that keeps hubs, as its author did not think of them."""

    def __init__(self, node_types: Sequence[NodeType], *, dim: int = 8) -> None:
        FusionModel.__init__(self, node_types, dim)
        self.transformer = TokenTransformer(dim, depth=1, heads=2)


def test_a_model_without_edges_that_encodes_hubs_is_refused_and_of_makes_none() -> None:
    builder = GraphBuilder([TextTokens(), Hub()], target=ClassTarget(("cat", "dog")))
    message = "EncodesAll sees no edges, found node type 'hub', which reads no signal, expected types that read one"
    with pytest.raises(ValueError, match=message):
        Classification(EncodesAll(builder.node_types), builder)
    task = Classification(EncodesAll.of(builder), builder)
    assert task.predict(Sample({"text": "a"}))[0].label in ("cat", "dog")


def test_models_without_edges_get_no_hubs() -> None:
    builder = GraphBuilder([TextTokens(), Hub()], target=ClassTarget(("cat", "dog")))
    assert [t.name for t in Classification(model(), builder).builder.node_types] == ["text"]
