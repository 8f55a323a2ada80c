"""Options of a run that should change how it is computed, and not what it learns."""

import csv
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

from gnnfuse.edges import Complete, Window
from gnnfuse.fusion import FusionModel, GraphFusion
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import Hub, TextTokens
from gnnfuse.tasks import Classification
from gnnfuse.train import Batches, FitConfig, FitReport, fit_task
from gnnfuse.train.lightning_task import LightningTask
from tests.train.life_server import WORDS, Words

SAMPLES = [Words(30)(number) for number in range(30)]
VALID = SAMPLES[:9]
STEPS = 4  # per epoch


def task() -> Classification:
    rules = [Window(size=1), Complete(dst="hub")]
    builder = GraphBuilder([TextTokens(), Hub()], rules, target=ClassTarget(WORDS), extra="ignore")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Classification(GraphFusion(builder.node_types, builder.relations, dim=8, depth=1), builder)


class Watch(Callback):
    """Looks at each batch and at the number of steps."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.losses: list[float] = []
        self.steps = 0

    def on_train_batch_end(self, trainer: Any, pl_module: object, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.sizes.append(len(batch))
        self.losses.append(float(outputs["loss"]))
        self.steps = trainer.global_step


def train(trained: Classification, **other: Any) -> tuple[FitReport, Watch]:
    watch = Watch()
    given: dict[str, Any] = {"epochs": 5, "batch_size": 8, "device": "cpu", "progress": False, "patience": None}
    return fit_task(trained, SAMPLES, VALID, FitConfig(**(given | other)), callbacks=[watch]), watch


@pytest.mark.parametrize("accumulate", [2, 3, 8])
def test_accumulating_takes_smaller_batches_to_the_same_model(accumulate: int) -> None:
    """By what it says: where a gradient is zero but for rounding (a lone bias in softmax), Adam still makes steps."""
    whole, parts = task(), task()
    (first, one), (second, many) = train(whole), train(parts, accumulate=accumulate)
    assert one.steps == many.steps == 5 * STEPS
    assert max(many.sizes) == -(-8 // accumulate)
    for epoch, other in zip(first.history, second.history, strict=True):
        assert {**other, "seconds": 0} == pytest.approx({**epoch, "seconds": 0}, abs=1e-5)
    for prediction, said in zip(whole.predict(SAMPLES), parts.predict(SAMPLES), strict=True):
        assert said.scores == pytest.approx(prediction.scores, abs=1e-5)


def test_bf16_computes_in_bf16_and_keeps_weights_in_32_bits() -> None:
    trained, seen = task(), set()
    trained.head.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    report, _ = train(trained, precision="bf16-mixed", epochs=20)
    assert seen == {torch.bfloat16}
    assert {parameter.dtype for parameter in trained.parameters()} == {torch.float32}
    assert report.history[-1]["train_loss"] < 0.8 * report.history[0]["train_loss"]


@pytest.mark.usefixtures("unchecked")  # the run-time check of shapes cannot be traced
def test_compiling_follows_the_plain_run_with_few_graphs_and_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.compiler.reset()
    backend, compile_model = CompileCounterWithBackend("aot_eager"), FusionModel.compile
    monkeypatch.setattr(
        FusionModel, "compile", lambda model, **options: compile_model(model, backend=backend, **options)
    )
    compiled, plain = task(), task()
    (_, one), (_, two) = train(compiled, compile=True), train(plain)
    assert two.losses == pytest.approx(one.losses, abs=1e-5)
    assert 0 < backend.frame_count < len(one.losses)  # not anew for every shape of batch
    calls = backend.frame_count
    assert compiled.predict(SAMPLES[:3])
    assert backend.frame_count == calls
    assert compiled.model._compiled is None


def scalars(folder: Path) -> Iterator[tuple[str, int, float]]:
    """What a file of TensorBoard's holds: records of length, check of it, content, check of that."""
    from tensorboardX.proto.event_pb2 import Event

    for path in folder.glob("events.*"):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            event = Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]
            yield from ((value.tag, event.step, value.simple_value) for value in event.summary.value)


def test_logs_hold_what_the_report_holds(tmp_path: Path) -> None:
    report, watch = train(task(), out=tmp_path, logs=("csv", "tensorboard"))
    expected = [epoch["valid_loss"] for epoch in report.history]
    with next(tmp_path.glob("logs/csv/*/metrics.csv")).open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["valid_loss"]) for row in rows if row["valid_loss"]] == pytest.approx(expected)
    steps = [float(row["step_loss"]) for row in rows if row["step_loss"]]
    assert steps == pytest.approx(watch.losses[9::10])
    logged = list(scalars(tmp_path / "logs" / "tensorboard"))
    assert [value for tag, _, value in logged if tag == "valid_loss"] == pytest.approx(expected)
    assert [step for tag, step, _ in logged if tag == "learning_rate"] == [9, 19]


def test_machines_that_nobody_told_about_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "TORCHELASTIC_RUN_ID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=r"found num_nodes=2 and no address of .* torchrun"):
        fit_task(task(), SAMPLES, VALID, FitConfig(device="cpu", num_nodes=2, progress=False))


def test_a_run_without_out_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train(task(), epochs=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"devices": 0}, "devices must be at least 1, found 0"),
        ({"precision": "8"}, "precision must be one of"),
        ({"strategy": "fsdp"}, "strategy must be one of"),
        ({"logs": ("wandb",)}, "found log 'wandb', expected csv or tensorboard"),
        ({"logs": "csv"}, "found logs 'csv', expected a tuple such as"),
        ({"device": "cuda:1", "devices": 2}, "found device 'cuda:1' with devices=2"),
    ],
)
def test_options_that_cannot_be_are_told(other: dict[str, Any], told: str, unchecked: None) -> None:
    with pytest.raises(ValueError, match=told):
        FitConfig(**other)


@pytest.mark.parametrize(("other", "told"), [({"resume": True}, "resume=True"), ({"logs": ("csv",)}, "logs=")])
def test_what_needs_a_folder_is_told_before_anything_starts(other: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=f"found {told}.* without out="):
        fit_task(task(), SAMPLES, SAMPLES, FitConfig(device="cpu", **other))


def test_a_process_without_samples_has_a_zero_gradient_for_every_parameter() -> None:
    trained, config = task(), FitConfig(device="cpu")
    batches = Batches(trained.builder, SAMPLES, config, training=True)
    loss: Tensor = LightningTask(trained, config, batches, batches).training_step(trained.builder.no_samples(), 0)
    torch.autograd.backward([loss])
    assert float(loss.detach()) == 0.0
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in trained.parameters())
