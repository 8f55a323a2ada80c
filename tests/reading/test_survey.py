"""What the survey settles, counts and never loses."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from gnnfuse.data import Reject, SampleStream
from gnnfuse.data.rejects import OnError
from gnnfuse.edges import Complete
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NumberTarget
from gnnfuse.nodes import Features, Hub, TextTokens
from gnnfuse.reading import UsableSamples, UsableStream, survey
from gnnfuse.sample import Sample, Unreadable
from gnnfuse.train import Batches, FitConfig

BUILDER = GraphBuilder([TextTokens(), Features(signal="rows", width=2)], extra="ignore")
GOOD = {"text": "yes", "rows": [[1.0, 2.0]]}
SAMPLES = [
    Sample(GOOD, "a", id="zero"),
    Sample({"text": "only"}, "b", id="one"),
    Sample({**GOOD, "text": 7}, "a", id="two"),
    Sample({"text": 7}, "b", id="three"),
    Sample({}, "a", id="four"),
    Sample(GOOD, None, id="five"),
    Sample(GOOD, Unreadable("'x'", "a number", "weight"), id="six"),
    Sample({"text": 7, "rows": "no"}, "a", id="seven"),
    Sample({**GOOD, "unread": object()}, "b", id="eight"),
]
LEFT_OUT = {"skip": [2, 3, 4, 5, 6, 7], "missing": [3, 4, 5, 6, 7]}


class Listed(SampleStream):
    """A stream over a list, with gaps in its numbers if there is a step."""

    def __init__(self, samples: list[Sample], step: int = 1) -> None:
        self.samples, self.step = samples, step

    def share(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
        for place, sample in enumerate(self.samples):
            if place * self.step % count == index:
                yield place * self.step, sample


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("on_error", ["skip", "missing"])
def test_rows_in_are_rows_out_and_rejected_rows(on_error: OnError, workers: int) -> None:
    found = survey(BUILDER, SAMPLES, on_error=on_error, workers=workers)
    assert found.usable.places.tolist() == [n for n in range(9) if n not in LEFT_OUT[on_error]]
    assert (found.rows_in, found.rows_out, found.without_target) == (9, 9 - len(LEFT_OUT[on_error]), 1)
    assert sorted({reject.row - 1 for reject in found.rejects if reject.left_out}) == LEFT_OUT[on_error]
    assert [reject.row for reject in found.rejects] == sorted(reject.row for reject in found.rejects)
    by_id = {reject.id: (reject.column, reject.reason) for reject in found.rejects}
    assert by_id["two"] == ("text", "found a int, expected a string")
    assert by_id["five"] == ("target", "found no target, expected one")
    assert by_id["six"] == ("weight", "found 'x', expected a number")
    assert {reject.column for reject in found.rejects if reject.id == "seven"} == {"text", "rows", "rows, text"}
    kept = {str(sample.id): set(sample.signals) for sample in found.usable}
    assert kept["zero"] == {"text", "rows"}
    assert kept["eight"] == {"text", "rows", "unread"}
    assert kept.get("two") == ({"rows"} if on_error == "missing" else None)
    cells = [reject for reject in found.rejects if not reject.left_out]
    assert cells == (
        [Reject(3, "two", "text", "found a int, expected a string", False)] if on_error == "missing" else []
    )


@pytest.mark.usefixtures("unchecked")
def test_stop_names_row_id_column_and_reason() -> None:
    with pytest.raises(ValueError, match=r"^row 3, 'two', column 'text': found a int, expected a string; --on-error "):
        survey(BUILDER, SAMPLES)
    with pytest.raises(ValueError, match=r"^row 8, 'six', column 'weight'"):
        survey(BUILDER, [SAMPLES[6]], numbers=[7])
    with pytest.raises(ValueError, match=r"2 of 3 rows have no target \(the first: row 1, 'five'\).*column 'label'"):
        survey(BUILDER, [SAMPLES[5], SAMPLES[0], SAMPLES[5]], target_column="label")
    with pytest.raises(ValueError, match="on_error 'ignore', expected one of stop, missing, skip"):
        survey(BUILDER, SAMPLES, on_error="ignore")  # type: ignore[call-overload]


def test_for_predicting_neither_targets_nor_signals_are_needed() -> None:
    found = survey(BUILDER, SAMPLES, on_error="missing", targets=False, empty=True)
    assert found.rows_out == 9
    assert [dict(sample.signals) for sample in found.usable][3] == {}


def test_nothing_usable_is_an_error_and_no_rows_are_none() -> None:
    with pytest.raises(ValueError, match="none of 2 rows can be used; row 1, column 'text'"):
        survey(BUILDER, [SAMPLES[3], SAMPLES[7]], on_error="skip")
    assert survey(BUILDER, []).rows_in == 0


def test_a_programs_own_error_is_never_taken_for_damage() -> None:
    class Broken(TextTokens):
        def nodes(self, sample: Sample) -> Any:
            raise KeyError("a mistake")

    with pytest.raises(KeyError, match="a mistake"):
        survey(GraphBuilder([Broken()], extra="ignore"), SAMPLES, on_error="skip")


def test_what_is_left_of_a_signal_is_used_and_all_that_is_wrong_is_listed() -> None:
    rest = [[float("nan"), float("nan"), 2.0]]
    wrong = Unreadable("'x' in column 'a'", "a number", "a", Unreadable("'y' in column 'b'", "a number", "b", rest))
    none_left = Unreadable("'x' in column 'a'", "a number", "a")
    builder = GraphBuilder([TextTokens(), Features(signal="rows", width=3, blanks=True)])
    samples = [Sample({"rows": wrong}, "a"), Sample({"rows": none_left}, "b"), Sample({"rows": wrong}, "a")]
    found = survey(builder, samples, on_error="missing")
    assert [(each.row, each.column) for each in found.rejects if not each.left_out] == [
        (row, column) for row in (1, 3) for column in ("a", "b")
    ]
    assert [each.row for each in found.rejects if each.left_out] == [2, 2]
    assert [dict(sample.signals) for sample in found.usable] == [{"rows": rest}] * 2
    assert found.present["all"] == {"rows": 2}
    with pytest.raises(ValueError, match=r"row 1, .*column 'a': found 'x' in column 'a', expected a number; --on"):
        survey(builder, samples)
    assert survey(builder, [*samples, Sample({"text": "a"}, "a")], on_error="skip").usable.places.tolist() == [3]


def test_classes_and_signals_are_counted_by_split() -> None:
    splits: dict[str, Any] = {"train": np.array([0, 1, 2]), "valid": [8]}
    found = survey(BUILDER, SAMPLES, on_error="missing", splits=splits)
    assert found.classes == {"all": {"a": 2, "b": 2}, "train": {"a": 2, "b": 1}, "valid": {"b": 1}}
    assert found.present == {
        "all": {"text": 3, "rows": 3},
        "train": {"text": 2, "rows": 2},
        "valid": {"text": 1, "rows": 1},
    }
    labels: list[Sample] = [Sample(GOOD, ("x", "y")), Sample(GOOD, ())]
    assert survey(BUILDER, labels).classes == {"all": {"x": 1, "y": 1}}
    streamed = survey(BUILDER, Listed(SAMPLES), on_error="missing", splits=splits)
    assert (streamed.classes, streamed.present) == (found.classes, found.present)


def test_targets_of_any_library_are_counted_by_the_names_of_their_classes() -> None:
    samples = [Sample(GOOD, torch.tensor(number)) for number in (10, 9, 10)]
    builder = GraphBuilder(BUILDER.node_types, target=ClassTarget.fit(samples))
    assert survey(builder, samples).classes == {"all": {"10": 2, "9": 1}}
    lists = [Sample(GOOD, torch.tensor(ones)) for ones in ([1, 0, 0], [1, 0, 1], [0, 0, 0])]
    builder = GraphBuilder(BUILDER.node_types, target=MultiLabelTarget(("x", "y", "z")))
    found = survey(builder, lists)
    assert (found.classes, found.without_labels) == ({"all": {"x": 2, "z": 1}}, 1)
    builder = GraphBuilder(BUILDER.node_types, target=NumberTarget(3))
    found = survey(builder, lists)
    assert (found.classes, found.without_labels) == ({"all": {}}, 0)


@pytest.mark.parametrize(
    ("target", "bad"), [(ClassTarget(("a",)), "b"), (NumberTarget(), "b"), (MultiLabelTarget(("a",)), ["c"])]
)
def test_a_target_that_cannot_be_encoded_is_wrong_where_the_builder_knows(target: Any, bad: object) -> None:
    builder = GraphBuilder(BUILDER.node_types, target=target)
    good = {"ClassTarget": "a", "NumberTarget": 1.0, "MultiLabelTarget": ["a"]}[type(target).__name__]
    found = survey(builder, [Sample(GOOD, good), Sample(GOOD, bad)], on_error="skip")
    assert [reject.column for reject in found.rejects] == ["target"]
    assert found.rejects[0].reason.startswith("found target ")
    assert found.rejects[0].reason.count("expected") == found.rejects[0].reason.count("found") == 1
    assert survey(builder, [Sample(GOOD, good), Sample(GOOD, bad)], targets=False).rows_out == 2


def test_choosing_among_usable_samples_reads_no_signal_again() -> None:
    read: list[str | None] = []

    class Counting(TextTokens):
        def nodes(self, sample: Sample) -> Any:
            read.append(sample.id)
            return super().nodes(sample)

    builder = GraphBuilder([Counting(), BUILDER.node_types[0]], extra="ignore")
    found = survey(builder, SAMPLES, on_error="missing")
    assert len(read) == 9
    chosen = found.usable.among([8, 2, 3, 0])
    assert [sample.id for sample in chosen] == ["eight", "two", "zero"]
    assert [sample.id for sample in found.usable[1:3]] == ["one", "two"]
    assert len(read) == 9


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("on_error", ["skip", "missing"])
def test_a_stream_fares_like_a_list(on_error: OnError, step: int, workers: int) -> None:
    listed = survey(BUILDER, SAMPLES, on_error=on_error)
    stream = Listed(SAMPLES, step)
    found = survey(BUILDER, stream, on_error=on_error, workers=workers)
    assert isinstance(found.usable, UsableStream)
    assert found.usable.size() == listed.rows_out
    for count in (1, 2):
        shares = [list(found.usable.share(index, count)) for index in range(count)]
        assert all(number % count == index for index, share in enumerate(shares) for number, _ in share)
        got = sorted((number, sample.id, sorted(sample.signals)) for share in shares for number, sample in share)
        assert got == [(place, sample.id, sorted(sample.signals)) for place, sample in enumerate(listed.usable)]
    rejected = [(reject.row - 1) // step for reject in found.rejects]
    assert rejected == [reject.row - 1 for reject in listed.rejects]


def test_usable_samples_train() -> None:
    builder = GraphBuilder(BUILDER.node_types, target=ClassTarget(("a", "b")), extra="ignore")
    found = survey(builder, SAMPLES, on_error="missing")
    assert isinstance(found.usable, UsableSamples)
    batches = list(Batches(builder, found.usable, FitConfig(batch_size=2), training=False))
    assert sum(batch.num_graphs for batch in batches) == found.rows_out


def test_progress_is_told_and_random_states_stay() -> None:
    told = []
    before = torch.get_rng_state()
    survey(BUILDER, SAMPLES, on_error="skip", workers=1, advance=lambda: told.append(1))
    assert len(told) == 9
    assert torch.equal(before, torch.get_rng_state())


def test_hubs_read_nothing() -> None:
    builder = GraphBuilder([TextTokens(), Hub()], [Complete()])
    assert survey(builder, [Sample({"text": "a"}, "a")]).present == {"all": {"text": 1}}
