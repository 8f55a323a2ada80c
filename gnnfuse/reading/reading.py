"""Whether a sample can be read for a builder, and which of its signals cannot."""

from dataclasses import dataclass

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import NodeType
from gnnfuse.sample import Sample, SignalError, Unreadable, with_rest_of


@dataclass(frozen=True)
class Reading:
    """The outcome of reading one sample; holds no data.

    Args:
        number: the sample's number among all, from 0.
        id: its id, if it has one.
        bad: (signal, column, reason) of everything that cannot be read.
        present: signals of which something can be read.
        target: the class name, tuple of class names (by the names of the builder's target, where it has one), numbers,
            or None.
        wrong_target: (column, reason) of an unusable target; the column is None if it is unknown.
    """

    number: int
    id: str | None
    bad: tuple[tuple[str, str, str], ...]
    present: tuple[str, ...]
    target: object
    wrong_target: tuple[str | None, str] | None


def read_once(builder: GraphBuilder, number: int, sample: Sample) -> Reading:
    """Read every signal that the builder's node types read, each by itself, so that all faults are found.

    Raises:
        ValueError: the sample has a signal that the builder does not know.
    """
    named = sample.named(number)
    builder.check_signals([named])
    bad: list[tuple[str, str, str]] = []
    present: list[str] = []
    for signal, readers in _readers(builder).items():
        rest, left = named, True
        while left:
            try:
                found = [reader.nodes(rest) is not None for reader in readers]
            except SignalError as error:
                bad.append((signal, *column_and_reason(error)))
                rest = with_rest_of(rest, signal)
                left = signal in rest.signals
            else:
                present += [signal] if any(found) else []
                left = False
    wrong = _wrong_with_target(builder, named)
    return Reading(number, sample.id, tuple(bad), tuple(present), None if wrong else _named(builder, named), wrong)


def _readers(builder: GraphBuilder) -> dict[str, list[NodeType]]:
    """The node types that read each signal."""
    found: dict[str, list[NodeType]] = {}
    for node_type in builder.node_types:
        if node_type.signal is not None:
            found.setdefault(node_type.signal, []).append(node_type)
    return found


def column_and_reason(error: SignalError) -> tuple[str, str]:
    """The column that holds the unreadable value (the signal's name if unknown), and the reason."""
    sample, signal, found, expected = error.reason
    value = sample.signals.get(signal)
    column = value.column if isinstance(value, Unreadable) and value.column else signal
    return column, f"found {found}, expected {expected}"


def _named(builder: GraphBuilder, sample: Sample) -> object:
    """The target by class names, as far as the builder knows them."""
    return sample.target if builder.target is None or sample.target is None else builder.target.named(sample)


def _wrong_with_target(builder: GraphBuilder, sample: Sample) -> tuple[str | None, str] | None:
    """Why a target cannot be used; its encoding is tried if the builder has a target encoding."""
    target = sample.target
    if isinstance(target, Unreadable):
        return target.column, f"found {target.found}, expected {target.expected}"
    if builder.target is None or target is None:
        return None
    try:
        builder.target.encode(sample)
    except ValueError as error:
        return None, str(error).removeprefix(f"sample {sample.id!r}: ")
    return None
