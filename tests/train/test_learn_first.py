"""What encoders learn from training samples before the first step."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.fusion import Concat
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import Features, NodeEncoder, RowEncoder
from gnnfuse.nodes.whitening import Whitening
from gnnfuse.sample import Sample
from gnnfuse.tasks import Classification, Task
from gnnfuse.train import FitConfig, fit_task, prepare
from gnnfuse.train import learn_first as module

CONFIG = FitConfig(epochs=2, batch_size=8, progress=False, device="cpu")


class Whitened(Features):
    """Rows that are whitened by the encoder."""

    def encoder(self, dim: int) -> NodeEncoder:
        return RowEncoder(self.width, dim, components=2)


def samples(count: int, seed: int = 0) -> list[Sample]:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, 3, 4, generator=generator) * torch.tensor([1.0, 5.0, 3.0, 2.0]) + 7
    return [Sample({"rows": row}, target="ab"[place % 2], id=str(place)) for place, row in enumerate(rows)]


def task(noise: float = 0.0) -> Classification:
    torch.manual_seed(0)
    node_type = Whitened(signal="rows", width=4, standardise=False, noise=noise)
    builder = GraphBuilder([node_type], target=ClassTarget(("a", "b")))
    return Classification(Concat(builder.node_types, dim=8, depth=1), builder)


def whitening_of(task: Task) -> Whitening:
    [found] = [module for module in task.modules() if isinstance(module, Whitening)]
    return found


def rows_of(given: Sequence[Sample]) -> Float[Tensor, "rows width"]:
    return torch.cat([cast(Tensor, sample.signals["rows"]) for sample in given])


@pytest.mark.parametrize("prepared", [False, True])
def test_it_learns_from_all_training_rows_and_no_others(prepared: bool) -> None:
    given, trained = samples(20), task()
    train = prepare(trained.builder, given) if prepared else given
    fit_task(trained, train, samples(8, seed=1), CONFIG)
    found = whitening_of(trained)
    assert int(found.rows) == 60
    whitened = found(rows_of(given))
    torch.testing.assert_close(torch.cov(whitened.T, correction=0), torch.eye(2), rtol=0, atol=1e-4)


def test_it_learns_from_samples_as_they_are_not_augmented() -> None:
    trained = task(noise=10.0)
    fit_task(trained, samples(20), samples(8, seed=1), FitConfig(**{**vars(CONFIG), "augment": True}))
    torch.testing.assert_close(whitening_of(trained).mean, rows_of(samples(20)).mean(0))


def test_what_has_been_learnt_is_kept_when_training_goes_on() -> None:
    trained = task()
    fit_task(trained, samples(20), samples(8, seed=1), CONFIG)
    before = whitening_of(trained).matrix.clone()
    fit_task(trained, samples(20, seed=2), samples(8, seed=1), CONFIG)
    assert torch.equal(whitening_of(trained).matrix, before)


def test_a_resumed_run_takes_what_was_learnt_from_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {**vars(CONFIG), "out": tmp_path}
    first, second = task(), task()
    fit_task(first, samples(20), samples(8, seed=1), FitConfig(**config))
    monkeypatch.setattr(Whitening, "gather", None)
    fit_task(second, samples(20), samples(8, seed=1), FitConfig(**{**config, "resume": True}))
    assert torch.equal(whitening_of(first).matrix, whitening_of(second).matrix)


def test_of_many_samples_some_are_looked_at_evenly_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 5)
    trained, given = task(), samples(17)
    module.learn_first(trained, given, CONFIG, torch.device("cpu"))
    assert int(whitening_of(trained).rows) == 15
    torch.testing.assert_close(whitening_of(trained).mean, rows_of(given[::4]).mean(0))
