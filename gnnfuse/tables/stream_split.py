"""Splits that are decided row by row, without reading the whole table first."""

from dataclasses import dataclass

from gnnfuse.fit_defaults import FRACTIONS
from gnnfuse.tables.columns import Columns
from gnnfuse.tables.error import TableError
from gnnfuse.tables.row_signals import id_in
from gnnfuse.tables.split_keys import Fractions, check_fractions, split_key
from gnnfuse.tables.split_names import SYNONYMS, split_named
from gnnfuse.tables.table import Cells


@dataclass(frozen=True, kw_only=True)
class StreamSplit:
    """Assigns each row of a stream to a split.

    The split column decides, if there is one; otherwise a hash of the seed and the row's group, else its id, else its
    number: rows of one group stay together, and a row keeps its split when others are added. Shares hold on average;
    nothing is stratified, as that would need an earlier pass.

    Args:
        column: the split column, if there is one.
        name: the column whose value is hashed: the group, or the id; None takes the row's number.
        fractions: of training, validation and test.
        seed: of the hash.
        valid_from_train: the split column names no validation rows: take them from training by the hash, in the ratio
            of the fractions of training and validation.

    Example:
        >>> rule = StreamSplit(column="split")
        >>> rule.split_of(0, {"split": "dev"})
        'valid'
    """

    column: str | None = None
    name: str | None = None
    fractions: Fractions = FRACTIONS
    seed: int = 0
    valid_from_train: bool = False

    def __post_init__(self) -> None:
        check_fractions(self.fractions)

    @classmethod
    def of(
        cls,
        columns: Columns,
        *,
        fractions: Fractions = FRACTIONS,
        seed: int = 0,
        valid_from_train: bool = False,
    ) -> "StreamSplit":
        """The rule for a table's columns."""
        return cls(
            column=columns.split,
            name=columns.group or columns.id,
            fractions=fractions,
            seed=seed,
            valid_from_train=valid_from_train,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        return tuple(name for name in (self.column, self.name) if name is not None)

    def split_of(self, row: int, cells: Cells) -> str:
        """The split of a row.

        Raises:
            TableError: the split column holds no split name.
        """
        train, valid, _ = self.fractions
        if self.column is not None:
            split = split_in(self.column, row, cells)
            share = valid / (train + valid)
            return "valid" if self.valid_from_train and split == "train" and self._chance(row, cells) < share else split
        chance = self._chance(row, cells)
        return "train" if chance < train else "valid" if chance < train + valid else "test"

    def _chance(self, row: int, cells: Cells) -> float:
        found = None if self.name is None else cells[self.name]
        return split_key(f"row {row + 1}" if found is None else id_in(found), self.seed) / 2**64


def split_in(column: str, row: int, cells: Cells) -> str:
    """The split that a cell of the split column names.

    Raises:
        TableError: it names none.
    """
    cell = cells[column]
    split = None if cell is None else split_named(str(cell))
    if split is None:
        known = "; ".join(f"{name} ({', '.join(words[1:])})" for name, words in SYNONYMS.items())
        found = "an empty cell" if cell is None else repr(cell)
        raise TableError(f"column {column!r}, row {row + 1}: found {found}, expected a split: {known}")
    return split
