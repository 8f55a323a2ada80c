"""One pass over all samples before training or predicting: which can be read, and counts of classes and signals."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, overload

import numpy as np

from gnnfuse.data.rejects import OnError, Reject, check_on_error, rows_left_out
from gnnfuse.data.sample_stream import SampleStream
from gnnfuse.graph import GraphBuilder
from gnnfuse.reading.read_in_order import read_in_order
from gnnfuse.reading.reading import Reading, read_once
from gnnfuse.reading.usable_samples import UsableSamples, UsableStream
from gnnfuse.sample import Sample

Usable = TypeVar("Usable", UsableSamples, UsableStream)
ADVICE = "; --on-error missing or skip (on_error=) continues without such values"
NOTHING = "found no signal that can be read, expected at least one"
CHUNK = 16  # readings that a worker hands over at once


@dataclass(frozen=True, eq=False, kw_only=True)
class Survey(Generic[Usable]):
    """The results of one pass over samples. `rows_in` is always `rows_out` plus the rows left out.

    Args:
        usable: the usable samples: a `UsableSamples` (a view that makes samples lazily), or a `UsableStream` if a
            stream was surveyed.
        rejects: what was left out and why, in the order of rows.
        rows_in: number of samples read.
        rows_out: number of usable samples.
        classes: split -> class name -> usable samples (each label counts); "all" for all splits together. Empty for
            numbers.
        present: split -> signal -> usable samples that have it.
        without_target: number of samples without a target, if targets were needed.
        without_labels: number of usable samples whose target of several labels holds none.
    """

    usable: Usable
    rejects: tuple[Reject, ...]
    rows_in: int
    rows_out: int
    classes: Mapping[str, Mapping[str, int]]
    present: Mapping[str, Mapping[str, int]]
    without_target: int
    without_labels: int

    def __post_init__(self) -> None:
        left_out = rows_left_out(self.rejects)
        assert self.rows_in == self.rows_out + left_out, (self.rows_in, self.rows_out, left_out)


@overload
def survey(
    builder: GraphBuilder,
    samples: Sequence[Sample],
    *,
    on_error: OnError = "stop",
    targets: bool = True,
    empty: bool = False,
    splits: Mapping[str, Sequence[int] | np.ndarray] | None = None,
    numbers: Sequence[int] | np.ndarray | None = None,
    target_column: str = "target",
    workers: int = 0,
    advance: Callable[[], object] | None = None,
) -> Survey[UsableSamples]: ...
@overload
def survey(
    builder: GraphBuilder,
    samples: SampleStream,
    *,
    on_error: OnError = "stop",
    targets: bool = True,
    empty: bool = False,
    splits: Mapping[str, Sequence[int] | np.ndarray] | None = None,
    numbers: None = None,
    target_column: str = "target",
    workers: int = 0,
    advance: Callable[[], object] | None = None,
) -> Survey[UsableStream]: ...
def survey(
    builder: GraphBuilder,
    samples: Sequence[Sample] | SampleStream,
    *,
    on_error: OnError = "stop",
    targets: bool = True,
    empty: bool = False,
    splits: Mapping[str, Sequence[int] | np.ndarray] | None = None,
    numbers: Sequence[int] | np.ndarray | None = None,
    target_column: str = "target",
    workers: int = 0,
    advance: Callable[[], object] | None = None,
) -> Survey[UsableSamples] | Survey[UsableStream]:
    """Read every sample once, as the builder's node types will, and decide what happens to unreadable ones.

    "stop" raises at the first fault. "missing" treats unreadable values as absent: a whole signal, or one value in a
    row of numbers; a row without any signal left, or without a target, is left out. "skip" leaves out every row with
    a fault. A fault is a signal that a reader refuses (`SignalError`) or a target that cannot be encoded; other errors
    are programming errors and always raise.

    Args:
        builder: determines which signals are read and how.
        samples: what to read.
        on_error: "stop", "missing" or "skip".
        targets: samples need a target: its absence is a fault too ("stop" counts all of them before it raises).
        empty: accept samples without any signal, as for predicting; otherwise they are faults.
        splits: split name -> positions in `samples` (in a stream, its numbers), to count classes and signals by split.
        numbers: the row number, from 0, of each sample; positions by default.
        target_column: name of the target in rejects.
        workers: processes that read; 0 reads in this one.
        advance: called after each sample, for a progress bar.

    Raises:
        ValueError: there is a fault and `on_error` is "stop" (the message names row, id, column, what was found and
            what was expected), or no usable sample is left.

    Example:
        >>> from gnnfuse.nodes import TextTokens
        >>> builder = GraphBuilder([TextTokens()])
        >>> samples = [Sample({"text": "yes"}, target="a"), Sample({"text": 7}, target="b")]
        >>> found = survey(builder, samples, on_error="skip")
        >>> len(found.usable), found.rejects[0].reason
        (1, 'found a int, expected a string')
    """
    check_on_error(on_error)
    judge = _Judge(builder, on_error, targets, empty, target_column, numbers)
    count = Counts(_split_of(splits))
    for reading in read_in_order(partial(read_once, builder), samples, workers=workers, chunk=CHUNK):
        if judge.keeps(reading):
            count.add(reading)
        if advance is not None:
            advance()
    judge.conclude()
    kept = judge.rows - len(judge.left_out)
    if judge.rows and not kept:
        first = judge.rejects[0]
        raise ValueError(
            f"none of {judge.rows} rows can be used; row {first.row}, column {first.column!r}: {first.reason}"
        )
    left_out = np.sort(np.array(judge.left_out, dtype=np.int64))
    found: dict[str, Any] = {
        "rejects": tuple(sorted(judge.rejects, key=lambda reject: reject.row)),
        "rows_in": judge.rows,
        "rows_out": kept,
        "classes": count.classes,
        "present": count.present,
        "without_target": judge.without_target,
        "without_labels": count.without_labels,
    }
    if isinstance(samples, SampleStream):
        size = kept if len(left_out) else samples.size()
        return Survey(usable=UsableStream(samples, left_out, judge.dropped, size), **found)
    places = np.setdiff1d(np.arange(judge.rows), left_out, assume_unique=True)
    return Survey(usable=UsableSamples(samples, places, judge.dropped), **found)


def _split_of(splits: Mapping[str, Sequence[int] | np.ndarray] | None) -> "tuple[list[str], np.ndarray] | None":
    if splits is None:
        return None
    rows = [np.asarray(places, dtype=np.int64) for places in splits.values()]
    which = np.full(1 + max((int(places.max()) for places in rows if len(places)), default=-1), -1, dtype=np.int8)
    for place, numbers in enumerate(rows):
        which[numbers] = place
    return list(splits), which


class Counts:
    """How many samples have each class and each signal, in total and by split.

    Args:
        splits: the names, and for each sample the position of its split's name (-1, or beyond the end, for none); None
            counts all together.
    """

    def __init__(self, splits: tuple[list[str], np.ndarray] | None) -> None:
        self._splits = splits
        names = ["all", *(splits[0] if splits is not None else [])]
        self.classes: dict[str, Counter[str]] = {name: Counter() for name in names}
        self.present: dict[str, Counter[str]] = {name: Counter() for name in names}
        self.without_labels = 0

    def add(self, reading: Reading) -> None:
        """Count one sample that is kept."""
        names = ["all"]
        if self._splits is not None:
            named, which = self._splits
            place = int(which[reading.number]) if reading.number < len(which) else -1
            names += [named[place]] if place >= 0 else []
        labels = reading.target if isinstance(reading.target, tuple | list | set | frozenset) else (reading.target,)
        self.without_labels += not labels
        for name in names:
            self.classes[name].update(label for label in labels if isinstance(label, str))
            self.present[name].update(reading.present)


class _Judge:
    """Applies the policy to one reading after the other."""

    def __init__(
        self,
        builder: GraphBuilder,
        on_error: OnError,
        targets: bool,
        empty: bool,
        target_column: str,
        numbers: Sequence[int] | np.ndarray | None,
    ) -> None:
        self.signals = sorted({node_type.signal for node_type in builder.node_types if node_type.signal is not None})
        self.on_error, self.targets, self.empty = on_error, targets, empty
        self.target_column, self.numbers = target_column, numbers
        self.rows = self.without_target = 0
        self.first_without: Reading | None = None
        self.rejects: list[Reject] = []
        self.left_out: list[int] = []
        self.dropped: dict[int, tuple[str, ...]] = {}

    def keeps(self, reading: Reading) -> bool:
        """Whether the sample is used, with or without some of its signals."""
        self.rows += 1
        cells = [(column, reason) for _, column, reason in reading.bad]
        row = self._wrong_with_row(reading)
        if (cells or row) and self.on_error == "stop":
            self._stop(reading, *(cells or row)[0])
        leaves_out = bool(row) or (bool(cells) and self.on_error == "skip")
        self.rejects += [self._reject(reading, *found, leaves_out) for found in cells + row]
        if leaves_out:
            self.left_out.append(reading.number)
        elif cells:
            self.dropped[reading.number] = tuple(signal for signal, _, _ in reading.bad)
        return not leaves_out

    def conclude(self) -> None:
        """Raise for missing targets, now that all are counted."""
        first = self.first_without
        if self.on_error == "stop" and first is not None:
            raise ValueError(
                f"{self.without_target} of {self.rows} rows have no target (the first: row {self._row(first)}, "
                f"{first.id!r}), expected one in column {self.target_column!r}{ADVICE}"
            )

    def _wrong_with_row(self, reading: Reading) -> list[tuple[str, str]]:
        found = []
        if self.targets and reading.wrong_target is not None:
            column, reason = reading.wrong_target
            found.append((column or self.target_column, reason))
        elif self.targets and reading.target is None:
            self.without_target += 1
            self.first_without = self.first_without or reading
            if self.on_error != "stop":  # "stop" counts them all first
                found.append((self.target_column, "found no target, expected one"))
        if not reading.present and not self.empty:
            found.append((", ".join(self.signals), NOTHING))
        return found

    def _row(self, reading: Reading) -> int:
        return (reading.number if self.numbers is None else int(self.numbers[reading.number])) + 1

    def _name(self, reading: Reading) -> str:
        return f"row {self._row(reading)}" if reading.id is None else reading.id

    def _reject(self, reading: Reading, column: str, reason: str, left_out: bool) -> Reject:
        return Reject(self._row(reading), self._name(reading), column, reason, left_out)

    def _stop(self, reading: Reading, column: str, reason: str) -> None:
        raise ValueError(f"row {self._row(reading)}, {self._name(reading)!r}, column {column!r}: {reason}{ADVICE}")
