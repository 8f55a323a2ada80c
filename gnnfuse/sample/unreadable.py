"""A signal known to be unreadable before any reader opens it."""

from dataclasses import dataclass, replace

from gnnfuse.sample.sample import Sample, SignalError


@dataclass(frozen=True)
class Unreadable:
    """Replaces an unusable signal in a sample; reading it raises `SignalError`.

    A table may contain a path that leaves the folder or a text that is not UTF-8. The sample is still made, so that its
    other signals can be used; a signal that is never read causes no error.

    Args:
        found: what was found, as in the message of `SignalError`.
        expected: what was expected.
        column: the table's column that it came from, if that is not the signal itself.
        rest: the signal without the fault, for callers that continue without it: None if nothing is left, another
            `Unreadable` if there is a second fault.

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
    """A sample's raw signal, None if absent; the first step of every reader.

    Raises:
        SignalError: it is `Unreadable`.
    """
    value = sample.signals.get(signal)
    if isinstance(value, Unreadable):
        raise SignalError(sample, signal, value.found, value.expected)
    return value


def with_rest_of(sample: Sample, signal: str) -> Sample:
    """The sample with an unreadable signal replaced by its `rest`, or without the signal if nothing is left.

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
