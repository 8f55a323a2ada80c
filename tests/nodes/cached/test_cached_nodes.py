"""Features from the cache are those of the encoder, and nobody else's."""

import dataclasses
import pickle
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from gnnfuse.edges import Complete, Window
from gnnfuse.fusion import Concat, GraphFusion
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import CachedEncoder, CachedNodes, CacheError, Hub, NotCachedError, PretrainedImage
from gnnfuse.nodes.pretrained import pretrained_nodes
from gnnfuse.reading import cache_samples
from gnnfuse.sample import Sample, SignalError
from gnnfuse.saving import from_pretrained, save_pretrained, uncached
from gnnfuse.tasks import Classification
from gnnfuse.testing import check_node_type
from gnnfuse.train import FitConfig, fit_task
from tests.nodes.cached.kinds import MAKE, cached, run, samples

kinds = pytest.mark.parametrize("kind", MAKE)


def png(path: Path, seed: int, size: int = 40) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@kinds
def test_the_nodes_are_those_of_the_node_type_with_features_as_values(kind: str, tiny: Path, tmp_path: Path) -> None:
    node_type, given = MAKE[kind](tiny), samples()
    found = cached(node_type, tmp_path)
    batch = GraphBuilder([node_type], extra="ignore")(given, empty=True)
    expected = node_type.backbone()(batch.values[kind], batch.layout[kind])
    stored = GraphBuilder([found], extra="ignore")(given, empty=True)
    assert torch.equal(stored.values[kind], expected)
    assert stored.values[kind].dtype == torch.float32
    for name in ("graph_id", "offsets", "shape", "position", "time", "dropped"):
        one, other = getattr(stored.layout[kind], name), getattr(batch.layout[kind], name)
        assert (one is other is None) or torch.equal(one, other), name


@kinds
def test_it_is_a_node_type_like_others(kind: str, tiny: Path, tmp_path: Path) -> None:
    check_node_type(cached(MAKE[kind](tiny), tmp_path), samples())


def test_a_model_on_cached_features_and_the_one_with_whole_encoders_say_the_same(tiny: Path, tmp_path: Path) -> None:
    types = [report.node_type for report in cache_samples(samples(), [make(tiny) for make in MAKE.values()], tmp_path)]
    rules = [Window(size=1), Complete(dst="hub", name="to_hub")]
    builder = GraphBuilder([*types, Hub()], rules)
    model = GraphFusion(builder.node_types, builder.relations, dim=8, depth=1).eval()
    whole = uncached(model)
    expected = model(builder(samples(), empty=True))
    assert torch.equal(whole(GraphBuilder(whole.node_types, rules)(samples(), empty=True)), expected)
    assert set(model.state_dict()) < set(whole.state_dict())
    assert torch.equal(model(builder(samples(), empty=True)), expected)  # it is left as it was


def test_a_trained_task_is_saved_loaded_and_turned_into_one_that_needs_no_cache(tiny: Path, tmp_path: Path) -> None:
    words = ["a cat sat", "two dogs ran", "bad head", "fed cafe"]
    given = [Sample({"text": word}, target="long" if len(word) > 8 else "short", id=word) for word in words]
    builder = GraphBuilder(
        [cached(MAKE["text"](tiny), tmp_path / "cache", given)], target=ClassTarget(("long", "short"))
    )
    task = Classification(Concat(builder.node_types, dim=8, depth=1), builder)
    fit_task(task, given, given, FitConfig(epochs=2, progress=False, device="cpu"))
    save_pretrained(task, tmp_path / "saved")
    loaded = from_pretrained(tmp_path / "saved")
    assert isinstance(loaded, Classification)
    whole = uncached(loaded)
    shutil.rmtree(tmp_path / "cache")
    new = Sample({"text": "head of a cat"}, id="new")
    assert whole.predict(new)[0].label in ("long", "short")
    with pytest.raises(CacheError, match="found no such folder"):
        loaded.predict(new)
    expected = task.predict(given)  # has its files mapped
    for one, other in zip(whole.predict(given), expected, strict=True):
        assert one.scores == pytest.approx(other.scores, rel=1e-5)


def test_a_signal_with_other_content_is_refused_and_named(tiny: Path, tmp_path: Path) -> None:
    picture = png(tmp_path / "a.png", 0)
    found = cached(MAKE["image"](tiny), tmp_path / "cache", [Sample({"image": picture})])
    copy = shutil.copy(picture, tmp_path / "of another name.png")
    first, second = found.nodes(Sample({"image": picture})), found.nodes(Sample({"image": copy}))
    assert first is not None
    assert second is not None
    assert torch.equal(first.values, second.values)
    png(picture, 1)
    with pytest.raises(
        NotCachedError, match=r"sample 'row 7', signal 'image'.*gnnfuse cache TABLE --image-encoder"
    ) as told:
        found.nodes(Sample({"image": picture}, id="row 7"))
    assert pickle.loads(pickle.dumps(told.value)).args == told.value.args


def altered(tiny: Path, tmp_path: Path) -> PretrainedImage:
    """The same network with one weight changed by a little, under the same name."""
    state = load_file(tiny / "tiny_resnet.safetensors")
    state["conv1.weight"].view(-1)[0] += 1e-6
    save_file(state, tmp_path / "other.safetensors")
    found = MAKE["image"](tiny)
    assert isinstance(found, PretrainedImage)
    return dataclasses.replace(found, weights=str(tmp_path / "other.safetensors"))


def test_another_encoder_or_version_finds_nothing(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node_type, folder = MAKE["image"](tiny), tmp_path / "cache"
    cached(node_type, folder)
    sample = next(sample for sample in samples() if "image" in sample.signals)
    assert CachedNodes(of=node_type, folder=str(folder)).nodes(sample) is not None
    larger: Any = dataclasses.replace(node_type, size=(64, 64))  # type: ignore[type-var]
    for other in (altered(tiny, tmp_path), larger):
        with pytest.raises(CacheError, match="found no features of this encoder"):
            CachedNodes(of=other, folder=str(folder)).nodes(sample)
    monkeypatch.setattr(pretrained_nodes, "version", lambda name: "0" if name == "pillow" else version(name))
    with pytest.raises(CacheError, match="found no features of this encoder"):
        CachedNodes(of=node_type, folder=str(folder)).nodes(sample)


def test_a_saved_model_refuses_features_of_an_encoder_it_was_not_trained_on(tiny: Path, tmp_path: Path) -> None:
    shutil.copy(tiny / "tiny_resnet.safetensors", tmp_path / "weights.safetensors")
    node_type: Any = dataclasses.replace(MAKE["image"](tiny), weights=str(tmp_path / "weights.safetensors"))  # type: ignore[type-var]
    model = Concat([cached(node_type, tmp_path / "cache")], dim=8, depth=1)
    save_pretrained(model, tmp_path / "saved")
    altered(tiny, tmp_path)
    shutil.move(tmp_path / "other.safetensors", tmp_path / "weights.safetensors")
    cached(node_type, tmp_path / "cache")  # the features of the new weights are there too
    loaded = from_pretrained(tmp_path / "saved")
    assert isinstance(loaded, Concat)
    with pytest.raises(CacheError, match="not the encoder whose features the model was trained on"):
        GraphBuilder(loaded.node_types, extra="ignore")(samples(), empty=True)
    with pytest.raises(CacheError, match="not the encoder"):
        uncached(loaded)
    assert isinstance(uncached(loaded, any_version=True), Concat)


def test_half_precision_is_asked_for_and_told(tiny: Path, tmp_path: Path) -> None:
    node_type, given = MAKE["text"](tiny), samples()
    full = cached(node_type, tmp_path / "full")
    [report] = cache_samples(given, [node_type], tmp_path / "half", dtype="float16", device="cpu")
    sample = next(sample for sample in given if "text" in sample.signals)
    whole, half = full.nodes(sample), report.node_type.nodes(sample)
    assert whole is not None
    assert half is not None
    assert torch.equal(half.values, whole.values.half().float())
    with pytest.raises(CacheError, match="only as float16"):
        CachedNodes(of=node_type, folder=str(tmp_path / "half")).nodes(sample)


def test_what_cannot_be_cached_is_refused(tiny: Path, tmp_path: Path) -> None:
    for node_type, words in (
        (MAKE["image"](tiny, frozen=False), "expected frozen"),
        (MAKE["text"](tiny, word_dropout=0.1), "augmentation"),
    ):
        with pytest.raises(ValueError, match=words):
            CachedNodes(of=node_type, folder=str(tmp_path))


def test_a_signal_that_cannot_be_read_is_told_as_without_a_cache(tiny: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(png(tmp_path / "a.png", 0).read_bytes()[:300])
    given = [Sample({"image": tmp_path / "a.png"}), Sample({"image": broken}, id="b"), Sample({"image": "nowhere.png"})]
    node_type = MAKE["image"](tiny)
    with pytest.raises(ValueError, match=r"row 2, 'b', signal 'image': found unreadable picture"):
        run(node_type, tmp_path / "cache", given)
    [report] = cache_samples(given, [node_type], tmp_path / "cache", on_error="skip", device="cpu")
    assert (report.made, report.found, [reject.row for reject in report.rejects]) == (1, 0, [2, 3])
    for sample in given[1:]:
        with pytest.raises(SignalError) as without:
            node_type.nodes(sample)
        with pytest.raises(SignalError) as found:
            report.node_type.nodes(sample)
        assert str(found.value) == str(without.value)


def test_the_encoder_is_the_projection_alone_and_a_copy_maps_its_own_files(tiny: Path, tmp_path: Path) -> None:
    found = cached(MAKE["text"](tiny), tmp_path)
    encoder = found.encoder(8)
    assert isinstance(encoder, CachedEncoder)
    assert {name.split(".")[0] for name in encoder.state_dict()} == {"projection"}
    sample = next(sample for sample in samples() if "text" in sample.signals)
    first, copied = found.nodes(sample), pickle.loads(pickle.dumps(found)).nodes(sample)
    assert first is not None
    assert torch.equal(first.values, copied.values)
