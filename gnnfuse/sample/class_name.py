"""Names of classes, from values of any library, and the order of names."""

import re
from collections.abc import Iterable
from decimal import Decimal
from numbers import Integral, Real

WHOLE = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.0)?")  # not "007", "+1" or "1e3", which are names that look like numbers
LONGEST = 4000  # most digits that `int` reads from a text


def class_name(value: object) -> str:
    """The name of a class from its value.

    A text is its own name, without surrounding spaces. Whole numbers lose a zero fraction ("1.0", 1.0 and 1 are class
    "1") and keep all digits; other numbers are written as in Python. Truth values are "True" and "False". Numpy
    scalars, and arrays and tensors of one element, count as the value they hold. Bytes are UTF-8 text.

    Raises:
        ValueError: a missing value (None, NaN, pandas' NA) or a collection.

    Example:
        >>> import torch
        >>> class_name(torch.tensor([2])), class_name(" 2.0 "), class_name("002"), class_name(2**64 + 1)
        ('2', '2', '002', '18446744073709551617')
    """
    if isinstance(value, str):
        return _text(value.strip())
    name = value_name(value)
    return _text(name.strip()) if isinstance(value, bytes | bytearray) else name


def value_name(value: object) -> str:
    """Like `class_name`, but leaves texts unchanged: "1.0" and "1" differ, since they may be the ids of two rows.

    Raises:
        ValueError: a missing value or a collection.

    Example:
        >>> value_name("1.0"), value_name(1.0)
        ('1.0', '1')
    """
    value = _scalar(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "surrogateescape")
    if missing(value) or isinstance(value, Iterable):
        raise ValueError(f"found {value!r}, expected one text, number or truth value")
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite():
        digits = format(value, "f")
        return _text(digits.rstrip("0").rstrip(".") if "." in digits else digits)
    return str(int(value)) if isinstance(value, Real) and value % 1 == 0 else str(value)  # type: ignore[call-overload]


def missing(value: object) -> bool:
    """Whether a value means unknown: None, NaN, NaT or pandas' NA.

    Example:
        >>> missing(float("nan")), missing(None), missing(0), missing("")
        (True, True, False, False)
    """
    value = value if getattr(value, "ndim", None) else _scalar(value)
    if value is None or isinstance(value, str | bytes):
        return value is None
    if isinstance(value, Decimal):
        return value.is_nan()  # a signaling NaN cannot be compared
    if isinstance(value, Real):
        return bool(value != value)
    return type(value).__name__ in ("NaTType", "NAType")


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """The distinct names, sorted as numbers if all are whole numbers, otherwise as texts.

    Example:
        >>> in_order(["10", "9", "-1"]), in_order(["10", "9", "nine", "9"])
        (('-1', '9', '10'), ('10', '9', 'nine'))
    """
    different = set(names)
    if all(WHOLE.fullmatch(name) and len(name) < LONGEST for name in different):
        return tuple(sorted(different, key=lambda name: (int(name.removesuffix(".0")), name)))
    return tuple(sorted(different))


def _text(text: str) -> str:
    found = WHOLE.fullmatch(text)
    return text if found is None else "0" if found[2] == "0" else found[1] + found[2]


def _scalar(value: object) -> object:
    """The value in a numpy scalar, or in an array or tensor of one element; anything else unchanged."""
    if not (hasattr(value, "dtype") and hasattr(value, "item")):
        return value
    if getattr(value.dtype, "kind", "") in ("M", "m"):  # dates and times, whose item() may be a count of nanoseconds
        return None if str(value) == "NaT" else str(value)
    try:
        return value.item()
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"found {value!r}, expected one text, number or truth value") from error
