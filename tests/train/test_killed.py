"""Runs that are killed at random moments and resumed end as those that never were."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.train.life_server import Moment
from tests.train.server_process import Ask, server_process

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

MOMENTS: tuple[Moment, ...] = ("step", "step", "step", "validation", "half written", "not yet renamed")
EVERY_STEP = 1e-9  # seconds


@pytest.fixture(scope="module")
def live() -> Iterator[Ask]:
    with server_process("tests.train.life_server") as ask:
        yield ask


def config(out: Path, **other: Any) -> dict[str, Any]:
    return {"out": str(out), "resume": True, "epochs": 3, "augment": True, "every_seconds": EVERY_STEP} | other


RESULT = ("weights", "history", "samples", "best epoch")


@pytest.mark.parametrize("kind", ["sequence", "stream"])
def test_a_run_killed_once_at_each_kind_of_moment_ends_bit_identical(live: Ask, tmp_path: Path, kind: str) -> None:
    whole = live(kind=kind, moment="never", config=config(tmp_path / "whole", every_seconds=None))
    for after, moment in enumerate(dict.fromkeys(MOMENTS)):
        found = live(kind=kind, moment=moment, after=after % 2, config=config(tmp_path / "killed"))
        assert found["killed"], f"the run was over before {moment!r}: make it longer"
    end = live(kind=kind, moment="never", config=config(tmp_path / "killed"))
    assert [end[name] for name in RESULT] == [whole[name] for name in RESULT]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sequence", "stream"])
def test_a_run_killed_at_twenty_random_moments_ends_bit_identical(live: Ask, tmp_path: Path, kind: str) -> None:
    plain = config(tmp_path / "whole", epochs=8, every_seconds=None)
    whole = live(kind=kind, moment="never", config=plain)
    draw, kills, moments = random.Random(f"moments of a {kind}"), 0, set()
    while kills < 20:
        moment = draw.choice(MOMENTS)
        every = EVERY_STEP if moment != "step" or draw.random() < 0.7 else None
        killed = config(tmp_path / "killed", epochs=8, every_seconds=every)
        after = draw.randrange(2 if moment == "validation" else 4)
        found = live(kind=kind, moment=moment, after=after, config=killed)
        assert found["killed"], f"the run was over before its {kills + 1}th death: make it longer"
        kills += 1
        moments.add(moment)
    assert moments == set(MOMENTS)
    end = live(kind=kind, moment="never", config=config(tmp_path / "killed", epochs=8))
    assert [end[name] for name in RESULT] == [whole[name] for name in RESULT]


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("sequence", {"workers": 2}),
        ("stream", {"workers": 2}),
        ("stream", {"workers": 3, "shuffle_buffer": 3}),
        ("uncounted stream", {"workers": 0, "accumulate": 2}),
        ("sequence", {"workers": 0, "accumulate": 2}),
        ("sequence", {"workers": 0, "precision": "bf16-mixed"}),
    ],
)
def test_with_workers_accumulation_and_bf16_too(live: Ask, tmp_path: Path, kind: str, other: dict[str, Any]) -> None:
    whole = live(kind=kind, moment="never", config=config(tmp_path / "whole", every_seconds=None, **other))
    assert live(kind=kind, moment="step", after=5, config=config(tmp_path / "cut", **other))["killed"]
    end = live(kind=kind, moment="never", config=config(tmp_path / "cut", **other))
    assert [end[name] for name in RESULT] == [whole[name] for name in RESULT]


@pytest.mark.parametrize("kind", ["sequence", "stream", "uncounted stream"])
def test_every_sample_comes_once_per_epoch(live: Ask, tmp_path: Path, kind: str) -> None:
    found = live(kind=kind, moment="never", config=config(tmp_path, epochs=2, shuffle_buffer=5))
    first, second = found["seen"][:26], found["seen"][26:]
    assert sorted(first, key=int) == sorted(second, key=int) == [str(number) for number in range(26)]
    assert first != second
    assert first != [str(number) for number in range(26)]


def test_a_finished_run_that_is_resumed_says_what_it_said(live: Ask, tmp_path: Path) -> None:
    first, again = [live(kind="sequence", moment="never", config=config(tmp_path)) for _ in range(2)]
    assert again["seen"] == []
    assert [again[name] for name in RESULT] == [first[name] for name in RESULT]


def test_two_checkpoints_are_kept_and_nothing_half_written(live: Ask, tmp_path: Path) -> None:
    assert live(kind="sequence", moment="half written", after=4, config=config(tmp_path))["killed"]
    assert len(list(tmp_path.glob(".unfinished-*"))) == 1  # what the dead one was writing
    live(kind="sequence", moment="never", config=config(tmp_path))
    assert len(list(tmp_path.glob("checkpoint-*.ckpt"))) == 2
    assert not list(tmp_path.glob(".unfinished-*"))
