"""Training without validation samples: all epochs, and the last weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import LambdaCallback

from gnnfuse.train import FitConfig, fit_task
from tests.train.test_fit import QUIET, weights, word_samples, word_task

PATIENT = replace(QUIET, patience=1)


def test_the_weights_are_those_of_the_last_epoch_and_validation_does_not_change_them() -> None:
    alone, validated = word_task(), word_task()
    report = fit_task(alone, word_samples(20), None, PATIENT)
    assert (report.epochs, report.best_epoch, report.stopped, report.samples) == (4, 3, "epochs", 80)
    assert all(set(epoch) == {"train_loss", "seconds"} for epoch in report.history)
    other = fit_task(validated, word_samples(20), word_samples(8), QUIET)
    assert [epoch["train_loss"] for epoch in report.history] == [epoch["train_loss"] for epoch in other.history]
    assert other.best_epoch == 3
    assert all(map(torch.equal, weights(alone), weights(validated)))
    assert not alone.training


def test_a_run_that_is_stopped_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole, stopped = word_task(), word_task()
    expected = fit_task(whole, word_samples(20), None, PATIENT)
    config = replace(PATIENT, out=tmp_path, every_seconds=None)

    def stop(trainer: object, *_: object) -> None:
        if getattr(trainer, "current_epoch", 0) == 2:
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fit_task(stopped, word_samples(20), None, config, callbacks=[LambdaCallback(on_train_epoch_start=stop)])
    report = fit_task(stopped, word_samples(20), None, replace(config, resume=True))
    assert all(map(torch.equal, weights(whole), weights(stopped)))
    assert [epoch["train_loss"] for epoch in report.history] == [epoch["train_loss"] for epoch in expected.history]
    assert report.samples == expected.samples


def test_a_run_with_validation_is_another_run(tmp_path: Path) -> None:
    config = replace(QUIET, out=tmp_path, epochs=1)
    fit_task(word_task(), word_samples(20), None, config)
    with pytest.raises(ValueError, match="found number of validation samples 8, expected none"):
        fit_task(word_task(), word_samples(20), word_samples(8), replace(config, resume=True))


def test_a_time_limit_ends_it_within_an_epoch() -> None:
    config = FitConfig(**{**vars(QUIET), "epochs": 1000, "seconds": 1e-6})
    report = fit_task(word_task(), word_samples(20), None, config)
    assert (report.stopped, report.epochs) == ("seconds", 1)
    assert "train_loss" in report.best
