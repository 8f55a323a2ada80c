"""A signal that is known to be unreadable before any reader opens it."""

from dataclasses import dataclass, replace

from gnnfuse.sample.sample import Sample, SignalError


@dataclass(frozen=True)
class Unreadable:
    """Stands in a sample for a signal that cannot be had: whoever reads it gets a `SignalError`.

    Whoever makes samples from tables may find a path that leaves the folder or a text that is not UTF-8. The sample is
    made all the same, so that its other signals can be used; a signal that nobody reads disturbs nobody.

    Args:
        found: what was found, as in the message of `SignalError`.
        expected: what was expected.
        column: the table's column it came from, where that is not the signal itself.
        rest: the signal without what is wrong with it, for whoever goes on without that: None where nothing is left,
            and again an `Unreadable` where something else is wrong too.

    Example:
        >>> from gnnfuse.sample import read_text
        >>> read_text(Sample({"text": Unreadable("bytes that are not UTF-8", "text")}, id="row 7"), "text")
        Traceback (most recent call last):
        ...
        gnnfuse.sample.sample.SignalError: sample 'row 7', signal 'text': found bytes that are not UTF-8, expected text
    """

    found: str
    expected: str
    column: str | None = None
    rest: object = None


def signal_of(sample: Sample, signal: str) -> object | None:
    """A sample's signal as it stands, None where it is absent: how every reader begins.

    Raises:
        SignalError: it is `Unreadable`.
    """
    value = sample.signals.get(signal)
    if isinstance(value, Unreadable):
        raise SignalError(sample, signal, value.found, value.expected)
    return value


def with_rest_of(sample: Sample, signal: str) -> Sample:
    """The sample with what is left of a signal that cannot be read in its place; without the signal if that is nothing.

    Example:
        >>> rows = Unreadable("'abc' in column 'age'", "a finite number", "age", rest=[[float("nan"), 2.0]])
        >>> dict(with_rest_of(Sample({"rows": rows, "image": "broken.png"}), "rows").signals)
        {'rows': [[nan, 2.0]], 'image': 'broken.png'}
        >>> sorted(with_rest_of(Sample({"rows": rows, "image": "broken.png"}), "image").signals)
        ['rows']
    """
    value = sample.signals.get(signal)
    rest = value.rest if isinstance(value, Unreadable) else None
    return replace(sample, signals={**sample.signals, signal: rest})
