"""Texts."""

from gnnfuse.sample.sample import Sample, SignalError


def read_text(sample: Sample, signal: str) -> str | None:
    """Read a signal of a sample as text.

    Returns:
        The text, or None where the sample lacks the signal. An empty text is a text: it has no tokens.

    Raises:
        SignalError: the signal is not a string, or holds a lone surrogate that no encoding can carry.

    Example:
        >>> read_text(Sample({"text": "a cat"}), "text")
        'a cat'
    """
    value = sample.signals.get(signal)
    if value is None:
        return None
    if not isinstance(value, str):
        raise SignalError(sample, signal, f"a {type(value).__name__}", "a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise SignalError(sample, signal, f"text that is not Unicode ({error.reason})", "a string") from error
    return value
