"""With tuned blocks, a cache keeps the states before them, and training goes on from there."""

import dataclasses
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from gnnfuse.edges import Complete, Window
from gnnfuse.fusion import Concat, GraphFusion
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import CachedNodes, Hub, NodeSet
from gnnfuse.nodes.cached.shard import row_of
from gnnfuse.reading import cache_samples
from gnnfuse.sample import Sample
from gnnfuse.saving import from_pretrained, save_pretrained, uncached
from gnnfuse.tasks import Classification
from gnnfuse.testing import check_node_type
from gnnfuse.train import FitConfig, fit_task
from gnnfuse.train.checkpoint_files import numbered
from gnnfuse.train.frozen import frozen_names
from tests.nodes.cached.kinds import MAKE, cached, samples
from tests.train.test_checkpoints import At, ask

WORDS = ["a cat sat", "two dogs ran", "bad head", "fed cafe"]


def word_samples() -> list[Sample]:
    return [Sample({"text": word}, target="long" if len(word) > 8 else "short", id=word) for word in WORDS]


def word_task(node_type: Any) -> Classification:
    builder = GraphBuilder([node_type], target=ClassTarget(("long", "short")))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Classification(Concat(builder.node_types, dim=8, depth=1), builder)


@pytest.mark.parametrize("kind", MAKE)
def test_it_is_a_node_type_like_others(kind: str, tiny: Path, tmp_path: Path) -> None:
    check_node_type(cached(MAKE[kind](tiny, tuned=1), tmp_path), samples())


def test_a_model_on_cached_states_and_the_one_with_whole_encoders_give_the_same(tiny: Path, tmp_path: Path) -> None:
    made = [make(tiny, tuned=1) for make in MAKE.values()]
    types = [report.node_type for report in cache_samples(samples(), made, tmp_path)]
    rules = [Window(size=1), Complete(dst="hub", name="to_hub")]
    builder = GraphBuilder([*types, Hub()], rules)
    model = GraphFusion(builder.node_types, builder.relations, dim=8, depth=1).eval()
    with torch.no_grad():
        for each in model.parameters():
            each.add_(0.01 if each.requires_grad else 0.0)  # tuned weights are no longer those of pretraining
    whole = uncached(model)
    found = whole(GraphBuilder(whole.node_types, rules)(samples(), empty=True))
    torch.testing.assert_close(found, model(builder(samples(), empty=True)))
    assert set(model.state_dict()) < set(whole.state_dict())


def test_training_on_cached_states_is_training_with_the_whole_encoder(tiny: Path, tmp_path: Path) -> None:
    node_type = MAKE["text"](tiny, tuned=1)
    config = FitConfig(epochs=2, progress=False, device="cpu", learning_rate=0.01)
    on_states, on_texts = word_task(cached(node_type, tmp_path / "cache", word_samples())), word_task(node_type)
    before = {name: each.clone() for name, each in on_texts.named_parameters()}
    for task in (on_states, on_texts):
        fit_task(task, word_samples(), word_samples(), config)
    trained = [name for name, each in on_texts.named_parameters() if each.requires_grad]
    own = dict(on_states.named_parameters())
    assert any(".backbone." in name for name in trained)
    for name, each in on_texts.named_parameters():
        assert torch.equal(each, before[name]) or each.requires_grad
        if each.requires_grad:
            torch.testing.assert_close(own[name], each, rtol=1e-3, atol=1e-5, msg=name)
    tuned = [name for name in trained if ".backbone." in name]
    assert sum(not torch.equal(before[name], own[name]) for name in tuned) > len(tuned) / 2
    whole = uncached(on_states)
    save_pretrained(whole, tmp_path / "saved")
    loaded = from_pretrained(tmp_path / "saved")
    assert isinstance(loaded, Classification)
    for name in tuned:
        assert torch.equal(loaded.get_parameter(name), own[name])
    for one, other in zip(loaded.predict(word_samples()), on_states.predict(word_samples()), strict=True):
        assert one.scores == pytest.approx(other.scores, rel=1e-4)


@pytest.mark.parametrize("from_cache", [True, False])
def test_an_interrupted_run_goes_on_to_the_same_end(from_cache: bool, tiny: Path, tmp_path: Path) -> None:
    node_type: Any = MAKE["text"](tiny, tuned=1)
    node_type = cached(node_type, tmp_path / "cache", word_samples()) if from_cache else node_type
    whole, stopped, resumed = (word_task(node_type) for _ in range(3))
    config = FitConfig(epochs=3, batch_size=2, progress=False, device="cpu", learning_rate=0.01)
    fit_task(whole, word_samples(), word_samples(), config)
    folder = dataclasses.replace(config, out=tmp_path / "run", resume=True)
    with pytest.raises(KeyboardInterrupt):
        fit_task(stopped, word_samples(), word_samples(), folder, callbacks=[At(3, ask(signal.SIGINT))])
    kept = torch.load(numbered(tmp_path / "run")[-1][1], weights_only=True)["state_dict"]
    trained = {name for name, each in whole.named_parameters() if each.requires_grad}
    assert {name.removeprefix("task.") for name in kept if ".backbone." in name} <= trained
    fit_task(resumed, word_samples(), word_samples(), folder)
    for name, each in resumed.named_parameters():
        assert torch.equal(each, whole.get_parameter(name)), name


def test_a_saved_model_on_cached_states_goes_on_reading_them(tiny: Path, tmp_path: Path) -> None:
    task = word_task(cached(MAKE["text"](tiny, tuned=1), tmp_path / "cache", word_samples()))
    save_pretrained(task, tmp_path / "saved")
    loaded = from_pretrained(tmp_path / "saved")
    assert isinstance(loaded, Classification)
    assert set(frozen_names(loaded)) == set(frozen_names(task))
    for one, other in zip(loaded.predict(word_samples()), task.predict(word_samples()), strict=True):
        assert one.scores == pytest.approx(other.scores, rel=1e-5)


def test_states_of_other_cuts_are_other_features(tiny: Path, tmp_path: Path) -> None:
    made: list[Any] = [MAKE["text"](tiny, tuned=tuned) for tuned in (0, 1, 2)]
    assert len({each.fingerprint() for each in made}) == 3
    assert dataclasses.replace(made[1], tuned=0).fingerprint() == made[0].fingerprint()
    cached(made[1], tmp_path, word_samples())
    with pytest.raises(ValueError, match=r"found no features of this encoder.*--tune-last 2"):
        CachedNodes(of=made[2], folder=str(tmp_path)).nodes(word_samples()[0])


def test_zeros_at_the_end_are_not_stored() -> None:
    nodes = NodeSet(torch.tensor([[1.0, 0.0], [2.0, 0.0]]), (2,))
    assert row_of(b"", nodes, "float32", trim=True).values.tolist() == [1.0, 0.0, 2.0]
    assert row_of(b"", nodes, "float32").values.tolist() == [1.0, 0.0, 2.0, 0.0]
