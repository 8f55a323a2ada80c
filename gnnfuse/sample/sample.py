"""One example, raw or pre-extracted: named signals, a target and an id."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gnnfuse.sample.class_name import value_name


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class Sample:
    """One example: its signals by name, and the target to predict for it.

    A signal is raw or pre-extracted: a picture, a recording, a text, rows of features. The reader that opens it
    (`read_image`, `read_audio`, `read_text`, `read_rows`) defines what is accepted; files are opened only when a node
    type reads the signal, so a list of a million samples takes no memory for media.

    Args:
        signals: signal name -> signal. A missing modality is an absent key (or None). Several signals of one kind
            are allowed: give each a name and its own node type.
        target: a class name or index, several of them, a number or a vector; None when unknown. Scalars, arrays and
            tensors of numpy and torch count as the values that they hold.
        id: names the sample in error messages and predictions; a number (also from numpy or torch) by its value.

    Raises:
        ValueError: `signals` is not a mapping from names to signals.

    Example:
        >>> sample = Sample({"image": "cat.png", "text": "a cat", "audio": None}, target="cat", id="row 7")
        >>> sorted(sample.signals)
        ['image', 'text']
    """

    signals: Mapping[str, object]
    target: object = None
    id: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.signals, Mapping):
            raise ValueError(
                f"sample {self.id!r}: signals must be a mapping from signal names to signals, "
                f"found {type(self.signals).__name__}"
            )
        named = [name for name in self.signals if not isinstance(name, str) or not name]
        if named:
            raise ValueError(f"sample {self.id!r}: signal names must be non-empty strings, found {named[0]!r}")
        present = {name: signal for name, signal in self.signals.items() if signal is not None}
        object.__setattr__(self, "signals", MappingProxyType(present))
        if self.id is not None and type(self.id) is not str:
            object.__setattr__(self, "id", value_name(self.id))

    def named(self, place: int) -> "Sample":
        """The sample itself if it has an id, else a copy whose id is its position."""
        return self if self.id is not None else Sample(self.signals, self.target, str(place))

    def __reduce__(self) -> tuple[type["Sample"], tuple[dict[str, object], object, str | None]]:
        return Sample, (dict(self.signals), self.target, self.id)  # a mapping proxy alone cannot be pickled


class SignalError(ValueError):
    """A signal that cannot be read: names the sample, the signal, what was found and what was expected."""

    def __init__(self, sample: Sample, signal: str, found: str, expected: str) -> None:
        super().__init__(f"sample {sample.id!r}, signal {signal!r}: found {found}, expected {expected}")
        self.reason = (sample, signal, found, expected)

    def __reduce__(self) -> tuple[type["SignalError"], tuple[Sample, str, str, str]]:
        return SignalError, self.reason  # crosses from loader workers to the main process
