"""Saved and loaded, everything is as before: in this process, in a fresh one, and with clear errors."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gnnfuse.fusion import Concat, Fused, FusionModel, GraphFusion, JointTransformer, ModalityAttention, Unimodal
from gnnfuse.graph import ClassTarget, GraphBatch, GraphBuilder, NumberTarget
from gnnfuse.message_passing import RelationAttention
from gnnfuse.nodes import Features
from gnnfuse.readout import AttentionReadout, HubReadout
from gnnfuse.sample import Sample
from gnnfuse.saving import from_pretrained, lost_arguments, save_pretrained, uncached
from gnnfuse.tasks import Classification, CrossEntropy, Regression, Task
from gnnfuse.testing import check_readout, example_builder, random_samples

DIM = 8


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def models(builder: GraphBuilder) -> dict[str, FusionModel]:
    types = builder.node_types
    layer = partial(RelationAttention, heads=2, expansion=1)
    return {
        "graph": GraphFusion(types, builder.relations, dim=DIM, depth=1, layer=layer, readout=HubReadout(("hub",))),
        "heads": GraphFusion(types, builder.relations, dim=DIM, depth=1, readout=AttentionReadout(DIM, heads=2)),
        "joint": JointTransformer(types, dim=DIM, depth=1),
        "modality": ModalityAttention(types, dim=DIM, depth=1),
        "concat": Concat(types, dim=DIM, depth=1, expansion=2),
        "unimodal": Unimodal(types, modality="text", dim=DIM, depth=1),
    }


def task(*, dim: int = DIM) -> Task:
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = GraphFusion(builder.node_types, builder.relations, dim=dim, depth=1)
        return Classification(model, builder, dropout=0.5, objectives=[CrossEntropy(label_smoothing=0.1)]).eval()


SAVING = """
import sys
import torch
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.saving import save_pretrained
from gnnfuse.tasks import Classification, CrossEntropy
from gnnfuse.testing import example_builder, random_samples
from tests.saving.test_pretrained import models, seeded
import lidar
torch.set_num_threads(1)  # as below: sums are split by threads
plain = example_builder(target=ClassTarget(("cat", "dog")))
builder = GraphBuilder([*plain.node_types, lidar.Lidar(channels=3)], plain.edge_rules, target=plain.target)
samples = random_samples(seeded(), lidar.SIGNALS)
outputs = {}
for name, model in models(builder).items():
    saved = Classification(model, builder).eval()
    save_pretrained(saved, f"{sys.argv[1]}/{name}")
    with torch.no_grad():
        outputs[name] = saved(saved.builder(samples, empty=True))
torch.save(outputs, f"{sys.argv[1]}/expected.pt")
"""
FRESH = """
import sys
import torch
from gnnfuse.saving import from_pretrained
from gnnfuse.testing import random_samples
import lidar
torch.set_num_threads(1)
outputs = {}
samples = random_samples(torch.Generator().manual_seed(0), lidar.SIGNALS)
for name in torch.load(f"{sys.argv[1]}/expected.pt", weights_only=True):
    task = from_pretrained(f"{sys.argv[1]}/{name}", classes=[lidar.Lidar])
    with torch.no_grad():
        outputs[name] = task(task.builder(samples, empty=True))
torch.save(outputs, f"{sys.argv[1]}/found.pt")
"""

LIDAR = '''
from dataclasses import dataclass, field
import torch
from gnnfuse.nodes import NodeSet, NodeType, RowEncoder
from gnnfuse.sample import read_rows
from gnnfuse.testing import example_signals

@dataclass(frozen=True, kw_only=True)
class Lidar(NodeType):
    """A user's node type, in a module that the library cannot import by itself."""
    channels: int = 2
    name: str = "lidar"
    signal: str = "lidar"
    provides: frozenset[str] = field(default=frozenset({"features"}), init=False)

    def empty(self):
        return NodeSet(torch.zeros(0, self.channels), (0,))

    def nodes(self, sample):
        rows = read_rows(sample, self.signal, width=self.channels)
        return None if rows is None else NodeSet(rows.values, (len(rows.values),))

    def encoder(self, dim):
        return RowEncoder(self.channels, dim)

SIGNALS = {**example_signals(), "lidar": lambda generator: torch.rand(4, 3, generator=generator)}
'''


def test_a_fresh_process_gives_the_same_bits(tmp_path: Path) -> None:
    """What one process saves another loads; nothing that ran before in either can move a last bit."""
    (tmp_path / "lidar.py").write_text(LIDAR)
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    for code in (SAVING, FRESH):
        environment = {**os.environ, "PYTHONPATH": paths}
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment)
    expected = torch.load(tmp_path / "expected.pt", weights_only=True)
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    assert len(expected) > 3
    for name in expected:
        assert torch.equal(found[name], expected[name]), name


def test_what_was_fitted_is_saved(tmp_path: Path) -> None:
    samples = [Sample({"row": torch.rand(2, 3, generator=seeded()) * 9}, target=number) for number in (1.5, 7.25)]
    builder = GraphBuilder([Features(signal="row", width=3)], target=NumberTarget.fit(samples)).fit(samples)
    saved = Regression(JointTransformer(builder.node_types, dim=DIM, depth=1), builder).eval()
    save_pretrained(saved, tmp_path)
    loaded = from_pretrained(tmp_path)
    assert isinstance(loaded, Task)
    assert loaded.builder.node_types == saved.builder.node_types
    assert loaded.builder.target == builder.target
    assert loaded.predict(samples) == saved.predict(samples)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_dtype_of_the_weights_is_kept(dtype: torch.dtype, tmp_path: Path) -> None:
    saved = task().to(dtype)
    save_pretrained(saved, tmp_path)
    loaded = from_pretrained(tmp_path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {dtype}
    for (name, tensor), other in zip(saved.named_buffers(), loaded.buffers(), strict=True):
        assert torch.equal(tensor, other), name


def test_tied_weights_can_be_saved(tmp_path: Path) -> None:
    readout = AttentionReadout(DIM)
    readout.value.weight = readout.output.weight
    builder = example_builder()
    model = GraphFusion(builder.node_types, builder.relations, dim=DIM, depth=1, readout=readout).eval()
    save_pretrained(model, tmp_path)
    batch = builder(random_samples(seeded()), empty=True)
    assert torch.equal(from_pretrained(tmp_path)(batch), model(batch))


def test_saving_again_replaces_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for dim in (8, 16):
        save_pretrained(task(dim=dim), tmp_path)
    written = ["README.md", "config.json", "model.safetensors", "notes.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == written
    loaded = from_pretrained(tmp_path)
    assert isinstance(loaded, Task)
    assert loaded.model.dim == 16


def test_the_same_model_is_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "other"):
        save_pretrained(task(), tmp_path / name)
    for file in ("README.md", "config.json", "model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes(), file


def test_whoever_may_read_the_config_may_read_the_weights(tmp_path: Path) -> None:
    save_pretrained(task(), tmp_path)
    modes = {(tmp_path / file).stat().st_mode for file in ("README.md", "config.json", "model.safetensors")}
    assert len(modes) == 1


def test_a_failed_save_leaves_what_was_there(tmp_path: Path) -> None:
    save_pretrained(task(), tmp_path)
    before = (tmp_path / "config.json").read_text()
    builder = example_builder()
    model = GraphFusion(builder.node_types, builder.relations, dim=DIM, depth=1, layer=lambda *a: RelationAttention(*a))
    with pytest.raises(ValueError, match=r"GraphFusion.layer: found function .*, expected a class"):
        save_pretrained(model, tmp_path)
    assert (tmp_path / "config.json").read_text() == before
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("built", [torch.float32, torch.float64])
def test_another_default_dtype_changes_nothing(built: torch.dtype, tmp_path: Path) -> None:
    """Neither in what is made under it, nor in what is loaded under it."""
    before = torch.get_default_dtype()
    batch = example_builder(target=ClassTarget(("cat", "dog")))(random_samples(seeded()), empty=True)
    try:
        torch.set_default_dtype(built)
        saved = task().float()
        save_pretrained(saved, tmp_path)
        torch.set_default_dtype(torch.float64 if built == torch.float32 else torch.float32)
        loaded = from_pretrained(tmp_path)
        assert torch.equal(loaded(batch), saved(batch))
    finally:
        torch.set_default_dtype(before)


def test_weights_of_several_dtypes_keep_theirs(tmp_path: Path) -> None:
    saved = task()
    saved.head.double()
    save_pretrained(saved, tmp_path)
    loaded = from_pretrained(tmp_path)
    found = {name: parameter.dtype for name, parameter in loaded.named_parameters()}
    assert found == {name: parameter.dtype for name, parameter in saved.named_parameters()}


def test_it_is_put_on_the_device_that_is_asked_for(tmp_path: Path) -> None:
    save_pretrained(task(), tmp_path)
    devices = ["meta", "cuda"] if torch.cuda.is_available() else ["meta"]
    for device in devices:
        assert {parameter.device.type for parameter in from_pretrained(tmp_path, device=device).parameters()} == {
            device
        }


def test_a_default_device_is_not_built_on(tmp_path: Path) -> None:
    saved = task()
    save_pretrained(saved, tmp_path)
    with torch.device("meta"):
        loaded = from_pretrained(tmp_path)
    batch = saved.builder(random_samples(seeded()), empty=True)
    assert torch.equal(loaded(batch), saved(batch))


def test_methods_of_models_and_tasks(tmp_path: Path) -> None:
    saved = task()
    saved.save_pretrained(tmp_path / "task")
    saved.model.save_pretrained(tmp_path / "model")
    batch = saved.builder(random_samples(seeded()), empty=True)
    assert torch.equal(Classification.from_pretrained(tmp_path / "task")(batch), saved(batch))
    assert torch.equal(Task.from_pretrained(tmp_path / "task")(batch), saved(batch))
    assert torch.equal(GraphFusion.from_pretrained(tmp_path / "model")(batch), saved.model(batch))
    with pytest.raises(ValueError, match=r"found a Classification, expected a Regression$"):
        Regression.from_pretrained(tmp_path / "task")
    with pytest.raises(ValueError, match=r"found a Classification, expected a GraphFusion; it is the \.model of"):
        GraphFusion.from_pretrained(tmp_path / "task")


class Halved(FusionModel):
    """A user's model."""

    family = "classical"

    def __init__(self, inner: FusionModel) -> None:
        super().__init__([], inner.dim)  # the inner one encodes
        self.inner = inner

    def fuse(self, states: Mapping[str, Tensor], batch: GraphBatch) -> Fused:
        return Fused(self.inner(batch) / 2)


def test_who_loads_by_a_class_of_their_own_allows_it(tmp_path: Path) -> None:
    saved = Halved(models(example_builder())["concat"]).eval()
    saved.save_pretrained(tmp_path)
    batch = example_builder()(random_samples(seeded()), empty=True)
    assert torch.equal(Halved.from_pretrained(tmp_path)(batch), saved(batch))
    with pytest.raises(ValueError, match=r"class .*test_pretrained:Halved is not listed in the catalogue"):
        FusionModel.from_pretrained(tmp_path)


@pytest.mark.usefixtures("unchecked")
def test_a_class_in_place_of_a_list_of_classes_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    own: Any = type("Own", (GraphFusion,), {"__module__": "elsewhere"})
    builder = example_builder()
    calls: list[Callable[[Any], object]] = [
        lambda classes: from_pretrained(tmp_path, classes=classes),
        lambda classes: GraphFusion.from_pretrained(tmp_path, classes=classes),
        lambda classes: own.from_pretrained(tmp_path, classes=classes),
        lambda classes: uncached(task(), classes=classes),
        lambda classes: check_readout(AttentionReadout(16), builder, random_samples(seeded()), classes=classes),
    ]
    for call in calls:
        with pytest.raises(
            (ValueError, AssertionError), match=r"expected a list of classes, such as classes=\[Features\]$"
        ):
            call(Features)
        with pytest.raises(
            (ValueError, AssertionError), match=r"found classes='Features', expected a list of classes$"
        ):
            call("Features")


def test_loading_changes_no_seed_and_ends_in_evaluation_mode(tmp_path: Path) -> None:
    save_pretrained(task(), tmp_path)
    before = torch.get_rng_state()
    assert not from_pretrained(tmp_path).training
    assert torch.equal(torch.get_rng_state(), before)


def test_every_module_of_the_library_keeps_its_arguments() -> None:
    builder = example_builder()
    for model in models(builder).values():
        parts = [part for part in model.modules() if type(part).__module__.startswith("gnnfuse.")]
        lost = {type(part).__name__: lost_arguments(part) for part in parts if type(part).__name__[0] != "_"}
        assert not any(lost.values()), lost
    assert lost_arguments(nn.Linear(2, 2)) == ("device", "dtype")  # as others do not
