"""Damaged rows of every kind: no crash, no hang, no silent loss, whatever the policy; 2,000 with `pytest -m long`."""

import csv
import resource
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from gnnfuse.data import write_rejects
from gnnfuse.data.rejects import OnError
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import AudioFrames, ImagePatches, TextTokens
from gnnfuse.reading import Survey, UsableSamples, UsableStream, survey
from gnnfuse.sample import Sample
from gnnfuse.tables import Columns, TableSamples, TableStream, open_table, target_kind
from tests.tables.damage import COLUMNS, DAMAGES, Tables, make_tables

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of broken tags and large pictures
KINDS = len(DAMAGES)
BUILDER = GraphBuilder(
    [
        ImagePatches(signal="photo", patch=8),
        AudioFrames(signal="clip", sample_rate=8000, hop=0.02),
        TextTokens(signal="caption"),
    ],
    target=ClassTarget(("even", "odd")),
)
PARTS = Columns(image=("photo",), audio=("clip",), text=("caption",), target=("label",), id="id")


@pytest.fixture(scope="module", params=[3 * KINDS, pytest.param(2000, marks=pytest.mark.long)])
def tables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return make_tables(tmp_path_factory.mktemp("damage"), damaged=request.param, clean=request.param // 5)


def rows_in(tables: Tables) -> int:
    return len(tables.done) + len(tables.done) // 5


def samples(path: Path) -> TableSamples:
    table = open_table(path)
    return TableSamples(table, PARTS, target_kind(table, PARTS))


def wrong(tables: Tables) -> dict[int, str]:
    """Row number, from 1 -> the damaged column, where the damage does harm."""
    return {row + 1: damage.column for row, damage in tables.done.items() if not damage.harmless}


def check_rejects(tables: Tables, found: Survey[Any], left_out: bool) -> None:
    names = {row + 1: damage.name for row, damage in tables.done.items()}
    rejected = {reject.row: reject.column for reject in found.rejects}
    expected = wrong(tables)
    assert not Counter(names[row] for row in expected.keys() - rejected.keys()), "damage that nobody saw"
    assert not Counter(names.get(row, "clean") for row in rejected.keys() - expected.keys()), "refused for nothing"
    assert rejected == expected
    assert len(found.rejects) == len(expected)
    assert all(reject.left_out == left_out and reject.id == f"n{reject.row - 1}" for reject in found.rejects)
    assert all(reject.reason.startswith("found ") and ", expected " in reject.reason for reject in found.rejects)


def same(one: Sample, other: Sample, without: str | None) -> None:
    """All signals but one read the same."""
    one_graph, other_graph = BUILDER.graph(one), BUILDER.graph(other)
    for name in COLUMNS:
        found, expected = one_graph.nodes[name], other_graph.nodes[name]
        if name == without:
            assert found is None
            continue
        assert found is not None
        assert expected is not None
        assert torch.equal(found.values, expected.values)
    assert (one.id, one.target) == (other.id, other.target)


def test_every_kind_of_damage_is_there_many_times(tables: Tables) -> None:
    counts = Counter(damage.name for damage in tables.done.values())
    assert len(counts) == len(DAMAGES)
    assert min(counts.values()) == len(tables.done) // KINDS


@pytest.mark.parametrize("workers", [0, 2])
def test_skip_leaves_out_the_damaged_rows_and_no_others(tables: Tables, tmp_path: Path, workers: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = survey(BUILDER, samples(tables.damaged), on_error="skip", workers=workers)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB
    check_rejects(tables, found, left_out=True)
    assert found.rows_in == rows_in(tables) == found.rows_out + len(found.rejects)
    clean = samples(tables.clean)
    assert isinstance(found.usable, UsableSamples)
    for place, sample in zip(found.usable.places.tolist(), found.usable, strict=True):
        if place not in tables.done:
            same(sample, clean[place], None)
    write_rejects(tmp_path / "rejects.csv", found.rejects)
    with (tmp_path / "rejects.csv").open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [(int(row["row"]), row["column"], row["left_out"]) for row in written] == [
        (reject.row, reject.column, "row") for reject in found.rejects
    ]


def test_missing_keeps_every_row_without_its_damaged_signal(tables: Tables) -> None:
    found = survey(BUILDER, samples(tables.damaged), on_error="missing")
    check_rejects(tables, found, left_out=False)
    assert found.rows_in == found.rows_out == len(found.usable) == rows_in(tables)
    damaged, clean = wrong(tables), samples(tables.clean)
    present = Counter(dict.fromkeys(COLUMNS, rows_in(tables))) - Counter(damaged.values())
    assert found.present["all"] == present
    for place, sample in enumerate(found.usable):
        if place + 1 in damaged or place not in tables.done:
            same(sample, clean[place], damaged.get(place + 1))


def test_stop_names_the_first_row_and_why(tables: Tables) -> None:
    first = min(wrong(tables))
    with pytest.raises(
        ValueError, match=rf"^row {first}, 'n{first - 1}', column '{wrong(tables)[first]}': found .*, expected"
    ):
        survey(BUILDER, samples(tables.damaged))
    assert survey(BUILDER, samples(tables.clean)).rows_out == rows_in(tables)


@pytest.mark.parametrize("on_error", ["skip", "missing"])
def test_a_stream_fares_like_the_table(tables: Tables, on_error: OnError) -> None:
    table = open_table(tables.damaged, streaming=True)
    stream = TableStream(table, PARTS, target_kind(table, PARTS))
    found = survey(BUILDER, stream, on_error=on_error, workers=2)
    check_rejects(tables, found, left_out=on_error == "skip")
    assert isinstance(found.usable, UsableStream)
    shares = [list(found.usable.share(index, 3)) for index in range(3)]
    numbers = sorted(number for share in shares for number, _ in share)
    assert numbers == list(range(found.rows_out))
    assert [number % 3 for number, _ in shares[1]] == [1] * len(shares[1])
    ids = [sample.id for _, sample in sorted(chain(*shares), key=lambda pair: pair[0])]
    gone = wrong(tables) if on_error == "skip" else {}
    assert ids == [f"n{row}" for row in range(rows_in(tables)) if row + 1 not in gone]
    for _, sample in shares[0][:50]:
        BUILDER.graph(sample)
