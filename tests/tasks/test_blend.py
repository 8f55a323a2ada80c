"""Blends: the weighted mean of their members' answers, by hand; saved, loaded and over cached features."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from gnnfuse.edges import Complete
from gnnfuse.fusion import GraphFusion, Unimodal
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NumberTarget, TargetEncoding
from gnnfuse.nodes import Hub, TextTokens
from gnnfuse.sample import Sample
from gnnfuse.saving import from_pretrained, save_pretrained, uncached
from gnnfuse.tasks import Blend, Classification, MultiLabel, Regression, Task, VectorHead
from tests.nodes.cached.kinds import MAKE, cached, samples
from tests.nodes.pretrained.conftest import _offline as _offline
from tests.nodes.pretrained.conftest import tiny as tiny

KINDS: Mapping[type[Task], TargetEncoding] = {
    Classification: ClassTarget(("cat", "dog", "owl")),
    MultiLabel: MultiLabelTarget(("red", "round")),
    Regression: NumberTarget(2, (10.0, 20.0), (2.0, 3.0), ("x", "y")),
}
SAMPLES = [Sample({"text": text}, id=text) for text in ("a cat", "dog", "an owl!")]


def builder_of(target: TargetEncoding) -> GraphBuilder:
    return GraphBuilder([TextTokens(), Hub()], [Complete(dst="hub", name="to_hub")], target=target)


def members_of(kind: type[Task], builder: GraphBuilder) -> dict[str, Task]:
    make: type = kind
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        graph: Task = make(GraphFusion.of(builder, dim=8, depth=1), builder)
        alone: Task = make(Unimodal.of(builder, modality="text", dim=12, depth=1), builder)
    return {"graph": graph.eval(), "unimodal:text": alone.eval()}


def blended(kind: type[Task], weights: Mapping[str, float], temperature: float = 1.0) -> tuple[Task, dict[str, Task]]:
    builder = builder_of(KINDS[kind])
    members = members_of(kind, builder)
    model = Blend(builder.node_types, members, weights=weights, temperature=temperature)
    make: type = kind
    task: Task = make(model, builder, head=VectorHead())
    return task.eval(), members


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_the_weighted_mean_of_the_members(kind: type[Task]) -> None:
    task, members = blended(kind, {"graph": 3.0, "unimodal:text": 1.0})
    found = task.predict(SAMPLES)
    first, second = (member.predict(SAMPLES) for member in members.values())
    for mean, one, other in zip(found, first, second, strict=True):
        for name, score in mean.scores.items():
            assert score == pytest.approx(0.75 * one.scores[name] + 0.25 * other.scores[name], rel=1e-5)
        if isinstance(mean.label, tuple) and not mean.scores:
            assert isinstance(one.label, tuple)
            assert isinstance(other.label, tuple)
            by_hand = [0.75 * a + 0.25 * b for a, b in zip(one.label, other.label, strict=True)]
            assert list(mean.label) == pytest.approx(by_hand, rel=1e-6)


def test_a_temperature_divides_log_probabilities() -> None:
    plain, _ = blended(Classification, {"graph": 1.0, "unimodal:text": 1.0})
    cool, _ = blended(Classification, {"graph": 1.0, "unimodal:text": 1.0}, temperature=2.0)
    for one, other in zip(plain.predict(SAMPLES), cool.predict(SAMPLES), strict=True):
        roots = {name: score**0.5 for name, score in one.scores.items()}
        for name, score in other.scores.items():
            assert score == pytest.approx(roots[name] / sum(roots.values()), rel=1e-5)


def test_a_logarithmic_mean_is_a_product_of_experts() -> None:
    builder = builder_of(KINDS[Classification])
    members = members_of(Classification, builder)
    weights = {"graph": 3.0, "unimodal:text": 1.0}
    model = Blend(builder.node_types, members, weights=weights, logarithmic=True)
    task = Classification(model, builder, head=VectorHead()).eval()
    first, second = (member.predict(SAMPLES) for member in members.values())
    for found, one, other in zip(task.predict(SAMPLES), first, second, strict=True):
        product = {name: one.scores[name] ** 0.75 * other.scores[name] ** 0.25 for name in found.scores}
        for name, score in found.scores.items():
            assert score == pytest.approx(product[name] / sum(product.values()), rel=1e-4)


def test_numbers_have_no_logarithmic_mean() -> None:
    builder = builder_of(KINDS[Regression])
    with pytest.raises(ValueError, match="expected classes or labels"):
        Blend(
            builder.node_types,
            members_of(Regression, builder),
            weights={"graph": 1.0, "unimodal:text": 1.0},
            logarithmic=True,
        )


def test_a_member_of_weight_0_gives_its_vectors_only() -> None:
    task, members = blended(Regression, {"graph": 0.0, "unimodal:text": 1.0})
    batch = task.builder(SAMPLES)
    assert torch.equal(task(batch), members["unimodal:text"](batch))
    assert torch.equal(task.model.vectors(batch), members["graph"].model(batch))


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_blend_gives_the_same_answers(kind: type[Task], tmp_path: Path) -> None:
    task, _ = blended(kind, {"graph": 2.0, "unimodal:text": 1.0}, temperature=1.5)
    save_pretrained(task, tmp_path)
    loaded = from_pretrained(tmp_path)
    batch = task.builder(SAMPLES)
    assert type(loaded) is kind
    assert torch.equal(loaded(batch), task(batch))


def test_members_that_share_an_encoder_run_it_once(tiny: Path, tmp_path: Path) -> None:
    of = MAKE["image"](tiny)
    builder = GraphBuilder([cached(of, tmp_path), TextTokens()], target=KINDS[Classification], extra="ignore")
    members = members_of(Classification, builder)
    weights = {"graph": 1.0, "unimodal:text": 1.0}
    members["unimodal:text"] = Classification(Unimodal.of(builder, modality="image", dim=8, depth=1), builder).eval()
    task = Classification(Blend(builder.node_types, members, weights=weights), builder, head=VectorHead()).eval()
    whole = uncached(task)
    names = [name for name in whole.state_dict() if name.endswith("conv1.weight")]
    assert {name.partition(".backbone.")[0] for name in names} == {"model.encoders.encoders.image"}
    some = [sample for sample in samples() if "image" in sample.signals]
    assert torch.allclose(task(task.builder(some)), whole(whole.builder(some)), atol=1e-5)
    save_pretrained(whole, tmp_path / "model")
    assert torch.equal(from_pretrained(tmp_path / "model")(whole.builder(some)), whole(whole.builder(some)))


def test_no_encoder_is_made_for_members_that_run_their_own(tiny: Path) -> None:
    builder = GraphBuilder([MAKE["image"](tiny), TextTokens()], target=KINDS[Classification], extra="ignore")
    blend = Blend(builder.node_types, members_of(Classification, builder), weights={"graph": 1.0, "unimodal:text": 1.0})
    assert not list(blend.encoders.parameters())


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"graph": 1.0}, "one per member"),
        ({"graph": -1.0, "unimodal:text": 1.0}, "0 or more"),
        ({"graph": 0.0, "unimodal:text": 0.0}, "one above 0"),
    ],
)
def test_unusable_weights_are_refused(weights: Mapping[str, float], expected: str) -> None:
    builder = builder_of(KINDS[Classification])
    with pytest.raises(ValueError, match=expected):
        Blend(builder.node_types, members_of(Classification, builder), weights=weights)


def test_members_of_other_targets_are_refused() -> None:
    one, other = builder_of(KINDS[Classification]), builder_of(KINDS[MultiLabel])
    members = {"a": members_of(Classification, one)["graph"], "b": members_of(MultiLabel, other)["graph"]}
    with pytest.raises(ValueError, match="member 'b', a MultiLabel"):
        Blend(one.node_types, members, weights={"a": 1.0, "b": 1.0})
