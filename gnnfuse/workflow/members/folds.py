"""Which rows each fold holds out."""

import warnings
from collections.abc import Sequence

import numpy as np

SMALL, LARGE = 5_000, 20_000  # rows below which there are 5 folds; rows from which one split has to do


def folds_for(rows: int) -> int:
    """The number of folds for a table of so many rows; 1 is a single split.

    Example:
        >>> folds_for(800), folds_for(8_000), folds_for(80_000)
        (5, 3, 1)
    """
    return 5 if rows < SMALL else 3 if rows < LARGE else 1


def held_out_rows(
    count: int, *, rows: int, classes: Sequence[int] | None, groups: Sequence[str] | None, seed: int
) -> tuple[tuple[tuple[int, ...], ...], str]:
    """The rows that each of `count` folds holds out, and the rule in words; each row is held out once.

    Args:
        count: number of folds, at least 2.
        rows: number of rows.
        classes: the class of each row: folds have classes in equal shares as far as possible.
        groups: the group of each row, which no fold divides.
        seed: of the shuffling.

    Raises:
        ValueError: fewer rows, or groups, than folds.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    found = rows if groups is None else len(set(groups))
    what = "rows" if groups is None else "groups"
    if found < count:
        raise ValueError(f"found {found} {what} for {count} folds, expected at least as many {what} as folds")
    stratified = classes is not None and int(np.bincount(classes).max()) >= count
    kinds = ((KFold, GroupKFold), (StratifiedKFold, StratifiedGroupKFold))
    labels = np.zeros(rows) if classes is None else np.asarray(classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer rows than folds is missing in some
        parts = kinds[stratified][groups is not None](count, shuffle=True, random_state=seed).split(
            np.zeros(rows), labels, groups
        )
        held_out = tuple(tuple(part.tolist()) for _, part in parts)
    how = [*(["stratified"] if stratified else []), *(["groups kept together"] if groups is not None else [])]
    return held_out, f"{count} folds of {rows:,} rows{''.join(f', {each}' for each in how)}"


def single_split(train: int, valid: int) -> tuple[tuple[tuple[int, ...], ...], str]:
    """The validation rows, which follow the training rows, as the only fold."""
    return (tuple(range(train, train + valid)),), f"{train:,} training rows, {valid:,} validation rows"
