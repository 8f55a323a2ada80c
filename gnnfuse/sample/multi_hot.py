"""Lists of labels: their names, or multi-hot, with a 0 or 1 for each label."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float64

from gnnfuse.sample.class_name import class_name, missing

Entries = Sequence[object] | np.ndarray
TRUTH = {"0": 0.0, "1": 1.0, "true": 1.0, "false": 0.0}  # lower-case names


def listed(value: object) -> Entries | None:
    """A list, tuple, array or tensor of one dimension as entries; None for anything else.

    Example:
        >>> import torch
        >>> listed(torch.tensor([1, 0])), listed("10"), listed({1})
        ([1, 0], None, None)
    """
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1):
        return value
    if getattr(value, "ndim", None) == 1 and hasattr(value, "tolist"):
        return list((value.to_dense() if hasattr(value, "to_dense") else value).tolist())  # a sparse tensor has no list
    return None


def truth(value: object) -> float | None:
    """1 for true and 0 for false: reads 1, 0, True, False, and the texts "1", "0", "true", "false" in any case.

    Returns:
        NaN for a missing value, None for anything else.

    Example:
        >>> truth(1.0), truth("False"), truth(2), truth("yes"), truth(None)
        (1.0, 0.0, None, None, nan)
    """
    if missing(value):
        return float("nan")
    try:
        return TRUTH.get(class_name(value).lower())
    except ValueError:
        return None


def truths(entries: Entries) -> Float64[np.ndarray, "entries"] | None:
    """The `truth` of every entry; None if any entry is neither true nor false nor missing."""
    if isinstance(entries, np.ndarray) and entries.dtype.kind in "biuf":
        numbers = entries.astype(np.float64)
        return numbers if bool((np.isnan(numbers) | (numbers == 0) | (numbers == 1)).all()) else None
    found = [truth(entry) for entry in entries]
    return None if None in found else np.array(found, dtype=np.float64)


def multi_hot_width(lists: Iterable[Entries]) -> int:
    """The length of multi-hot lists; 0 if entries are names (or numbers) of labels.

    Lists are multi-hot if every entry is true or false, and they have one length or repeat an entry, which lists of
    names do not: [0, 1] and [1] are the labels "0" and "1", [0, 1] and [1, 1] are not. Lists of one entry are names,
    unless the entries are truth values or floats. If lengths differ, the most common one counts.

    Example:
        >>> multi_hot_width([[0, 1, 0], [1, 1, 0]]), multi_hot_width([[0], [0, 1]]), multi_hot_width([[True], [False]])
        (3, 0, 1)
    """
    lengths: Counter[int] = Counter()
    repeats, names = False, True
    for entries in lists:
        found = truths(entries)
        if found is None:
            return 0
        known = found[~np.isnan(found)]
        if len(known):
            lengths[len(entries)] += 1
            repeats = repeats or len(known) > len(np.unique(known))
            names = names and not only_truths(entries)
    if not lengths:
        return 0
    width = lengths.most_common(1)[0][0]
    could_be_names = width == 1 or (len(lengths) > 1 and not repeats)
    return 0 if names and could_be_names else width


def only_truths(entries: Entries) -> bool:
    """Whether entries have a type that names no label: truth values or floats.

    Example:
        >>> only_truths([True, False]), only_truths([1, 0])
        (True, False)
    """
    if isinstance(entries, np.ndarray):
        return entries.dtype.kind in "bf"
    return any(isinstance(entry, bool | np.bool_ | float | np.floating) for entry in entries)
