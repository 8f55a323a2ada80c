"""Divides rows or groups among splits so that every stratum is divided alike."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int64, UInt64

from gnnfuse.tables.split_keys import Fractions, split_key

ALL = -2  # the stratum number of all rows together
Parts = tuple[np.ndarray, ...]  # ascending row numbers of training, validation and test


def split_stratified(
    rows: Int64[np.ndarray, "rows"],
    strata: Int64[np.ndarray, "rows"],
    keys: UInt64[np.ndarray, "rows"],
    fractions: Fractions,
    seed: int,
) -> Parts:
    """Deal out single rows, stratum by stratum, in the order of their keys.

    In that order test rows are evenly spaced, and so are validation rows among the rest: each stratum contributes its
    share up to one row, and small strata compensate for each other. The first row of each stratum stays in training.
    """
    order = np.lexsort((keys, strata))
    first = np.r_[True, np.diff(strata[order]) != 0]
    free = order[~first]
    test = _spaced(free, fractions[2] * len(rows), split_key("test", seed))
    rest = free[~np.isin(free, test)]
    valid = _spaced(rest, fractions[1] * len(rows), split_key("valid", seed))
    train = np.setdiff1d(np.arange(len(rows)), np.r_[test, valid])
    return tuple(np.sort(rows[part]) for part in (train, valid, test))


def _spaced(places: Int64[np.ndarray, "places"], wanted: float, key: int) -> Int64[np.ndarray, "chosen"]:
    """Evenly spaced choices from some places, as many as wanted (a half rounds up); the key draws the start."""
    count = min(len(places), int(wanted + 0.5))
    if not count:
        return places[:0]
    start = key / 2**64
    return places[((np.arange(count) + start) * len(places) / count).astype(np.int64)]


def split_groups(
    rows: Int64[np.ndarray, "rows"],
    strata: Int64[np.ndarray, "rows"],
    groups: Sequence[str],
    fractions: Fractions,
    seed: int,
) -> Parts:
    """Deal out whole groups, the largest first (equally large ones in the order of their keys).

    Each goes to the split that minimises the sum over strata of (found - wanted)^2 / wanted; all rows together count
    as a stratum too. A stratum that training lacks then moves its smallest group there, unless that is the last group
    of its split.

    Raises:
        ValueError: fewer groups than splits that should have rows.
    """
    counts: dict[str, Counter[int]] = {}
    for group, stratum in zip(groups, strata.tolist(), strict=True):
        counts.setdefault(group, Counter()).update((stratum, ALL))
    wished = [place for place, fraction in enumerate(fractions) if fraction > 0]
    if len(counts) < len(wished):
        raise ValueError(f"found {len(counts)} groups, expected at least {len(wished)} to share out")
    totals = Counter(strata.tolist()) + Counter({ALL: len(rows)})
    found: list[Counter[int]] = [Counter() for _ in fractions]
    home: dict[str, int] = {}
    by_size = sorted(counts, key=lambda group: (-counts[group][ALL], split_key(group, seed)))
    for group in by_size:
        empty = [place for place in wished if not found[place]]
        left = len(by_size) - len(home)
        choices = empty if len(empty) == left else wished  # the last groups go to splits that would be empty
        costs = {place: _cost(counts[group], found[place], totals, fractions[place]) for place in choices}
        home[group] = min(costs, key=lambda place: costs[place])
        found[home[group]].update(counts[group])
    _into_training(home, counts)
    places = np.array([home[group] for group in groups])
    return tuple(np.sort(rows[places == place]) for place in range(3))


def _into_training(home: dict[str, int], counts: Mapping[str, "Counter[int]"]) -> None:
    """Move groups so that every stratum has one in training, if the other splits keep at least one."""
    in_training = {stratum for group, place in home.items() if place == 0 for stratum in counts[group]}
    for stratum in sorted({stratum for count in counts.values() for stratum in count} - in_training):
        left = Counter(home.values())
        free = [group for group in home if counts[group][stratum] and left[home[group]] > 1]
        if stratum not in in_training and free:
            chosen = min(free, key=lambda group: (counts[group][ALL], list(home).index(group)))
            home[chosen] = 0
            in_training |= counts[chosen].keys()


def _cost(group: "Counter[int]", found: "Counter[int]", totals: "Counter[int]", fraction: float) -> float:
    return sum(
        count * (2 * (found[stratum] - fraction * totals[stratum]) + count) / (fraction * totals[stratum])
        for stratum, count in group.items()
    )
