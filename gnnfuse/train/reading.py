"""Whether a sample can be read for a builder, and what of it cannot."""

from dataclasses import dataclass

from gnnfuse.graph import GraphBuilder
from gnnfuse.sample import Sample, SignalError, Unreadable


@dataclass(frozen=True)
class Reading:
    """What came of reading one sample; holds no data.

    Args:
        number: the sample's number among all, from 0.
        id: its id, if it has one.
        bad: signal -> (column, reason) of signals that cannot be read.
        present: signals that can.
        target: the class name, tuple of class names, numbers, None, or why it cannot be read (`Unreadable`).
    """

    number: int
    id: str | None
    bad: dict[str, tuple[str, str]]
    present: frozenset[str]
    target: object


def read_once(builder: GraphBuilder, number: int, sample: Sample) -> Reading:
    """Read every signal that the builder's node types read, each by itself, so that all that is wrong is found."""
    named = sample.named(number)
    bad: dict[str, tuple[str, str]] = {}
    present = set()
    for node_type in builder.node_types:
        signal = node_type.signal
        if signal is None or signal in bad:
            continue
        try:
            if node_type.nodes(named) is not None:
                present.add(signal)
        except SignalError as error:
            bad[signal] = column_and_reason(error)
    return Reading(number, sample.id, bad, frozenset(present - bad.keys()), _told(builder, named))


def column_and_reason(error: SignalError) -> tuple[str, str]:
    """The column that holds what cannot be read (the signal's name, unless it knows better), and why."""
    sample, signal, found, expected = error.reason
    value = sample.signals.get(signal)
    column = value.column if isinstance(value, Unreadable) and value.column else signal
    return column, f"found {found}, expected {expected}"


def _told(builder: GraphBuilder, sample: Sample) -> object:
    """The target, or why it cannot be used; whether it can be encoded is asked where the builder knows how."""
    if builder.target is None or sample.target is None or isinstance(sample.target, Unreadable):
        return sample.target
    try:
        builder.target.encode(sample)
    except ValueError as error:
        return Unreadable(str(error), "a target that can be encoded")
    return sample.target
