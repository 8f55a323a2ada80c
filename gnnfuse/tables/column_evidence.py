"""What a column contains: counts over the rows examined."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64

from gnnfuse.tables.arrow_cells import Cell, is_number, is_text
from gnnfuse.tables.arrow_numpy import arrow_integers
from gnnfuse.tables.dates_in_cells import ADVICE, are_days, date_among
from gnnfuse.tables.grouped_numbers import grouped_note, is_grouped
from gnnfuse.tables.media_kinds import kind_of_bytes, kind_of_name
from gnnfuse.tables.numbers_in_cells import number_in
from gnnfuse.tables.split_names import split_named
from gnnfuse.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

FEW = 20  # at most so many different short texts: a category
AGAIN = 5  # times that each of them occurs, on average
SHOWN = 40
MOSTLY = 0.8  # share of the filled cells; the rest may be damaged
ENDINGS = {"image": "pictures", "audio": "recordings", "text": "texts"}


@dataclass(frozen=True)
class Evidence:
    """What a column contains.

    Args:
        column: its name.
        source: what the source declares it to hold, or None.
        rows: rows examined.
        filled: those of them whose cell is not empty.
        blank_words: words that stand for an empty cell; only for a column of numbers.
        different: different cells.
        numbers: cells that are finite numbers, as such or as text.
        texts: cells that are texts and not numbers.
        strange: an example of a cell that is no number.
        number_lists: whether all cells are lists of numbers.
        media: (modality, cells, what they look like) for each modality that some cells look like.
        all_splits: whether every cell names a split.
        unusable: why the column cannot be an input; empty if it can.
        caution: a warning about using its numbers as an input; may be empty.
        example: a cell, shortened.
        shown_values: some of the different cells, shortened.
    """

    column: str
    source: str | None
    rows: int
    filled: int
    blank_words: tuple[str, ...]
    different: int
    numbers: int
    texts: int
    strange: str
    number_lists: bool
    media: tuple[tuple[str, int, str], ...]
    all_splits: bool
    unusable: str
    caution: str
    example: str
    shown_values: tuple[str, ...]

    @property
    def blank(self) -> float:
        """The share of empty cells."""
        return 1 - self.filled / self.rows if self.rows else 1.0

    @property
    def unique(self) -> bool:
        """Whether every row has a different cell."""
        return self.filled == self.different == self.rows > 0


def gather(table: Table, count: int) -> Iterator[Evidence]:
    """The evidence for every column, from up to `count` rows."""
    rows, looked = table.looked(count, table.columns)
    for name, column in zip(table.columns, looked.columns, strict=True):
        found = _of_numbers(table, name, rows, column)
        yield _of_cells(table, name, rows, table.read(name, column)) if found is None else found


def _of_numbers(table: Table, name: str, rows: Int64[np.ndarray, "rows"], column: "pa.ChunkedArray") -> Evidence | None:
    """As `_of_cells`, without a call per cell; None unless all filled cells are numbers."""
    text = is_text(column.type, name in table.texts)
    if not (text or is_number(column.type)) or name in table.class_names:
        return None
    found = table.numbers(name, column)
    words = {cell.strip() if isinstance(cell, str) else "" for cell in found.strange.values()}
    here = ~np.isnan(found.values)
    count = int(here.sum())
    if not count or words - table.blanks.words:
        return None
    numbers, places = found.values[here], np.flatnonzero(here)
    different = len(_spellings(column.take(arrow_integers(places)))) if text else len(np.unique(numbers))
    [first] = table.read(name, column.slice(int(places[0]), 1))
    unusable = _always(first) if different == 1 and count > 1 else _running(numbers, rows[here])
    return Evidence(
        column=name,
        source=table.kinds.get(name),
        rows=len(rows),
        filled=count,
        blank_words=tuple(sorted(words)),
        different=different,
        numbers=count,
        texts=0,
        strange=repr(""),
        number_lists=False,
        media=(),
        all_splits=False,
        unusable=unusable,
        caution=_caution(numbers),
        example=_short(first),
        shown_values=(),
    )


def _spellings(column: "pa.ChunkedArray") -> set[object]:
    import pyarrow as pa
    import pyarrow.compute as pc

    return set(pc.utf8_trim_whitespace(column.cast(pa.string())).unique().to_pylist())


def _of_cells(table: Table, column: str, rows: Int64[np.ndarray, "rows"], found: list[Cell]) -> Evidence:
    blanks = table.blanks.words
    filled = [(number, cell) for number, cell in zip(rows.tolist(), found, strict=True) if cell is not None]
    numbers = [cell for _, cell in filled if number_in(cell) is not None]
    others = [found for found in filled if not (isinstance(found[1], str) and found[1].strip() in blanks)]
    blank_words: tuple[str, ...] = ()
    if numbers and len(numbers) >= MOSTLY * len(others):
        blank_words = tuple(sorted({str(cell).strip() for _, cell in filled} & blanks))
        filled = others
    places, cells = [number for number, _ in filled], [cell for _, cell in filled]
    texts = [cell.strip() for cell in cells if isinstance(cell, str)]
    words = Counter(texts) if texts else Counter(map(repr, cells))
    strange = next((text for text in texts if number_in(text) is None), "")
    return Evidence(
        column=column,
        source=table.kinds.get(column),
        rows=len(rows),
        filled=len(cells),
        blank_words=blank_words,
        different=len(words),
        numbers=len(numbers),
        texts=len(texts) - sum(isinstance(cell, str) for cell in numbers),
        strange=repr(_short(strange)),
        number_lists=bool(cells) and all(_is_numbers(cell) for cell in cells),
        media=tuple(_media(cells)),
        all_splits=bool(texts) and all(split_named(text) for text in texts),
        unusable=_unusable(places, cells, texts, numbers, words),
        caution=_caution(_floats(numbers)),
        example=_short(cells[0]) if cells else "",
        shown_values=tuple(_short(word) for word in sorted(words)[:5]),
    )


def _media(cells: list[Cell]) -> Iterator[tuple[str, int, str]]:
    names = Counter(kind_of_name(cell.strip()) for cell in cells if isinstance(cell, str) and len(cell) < 4096)
    for kind, what in ENDINGS.items():
        if names[kind]:
            endings = {
                PurePath(c.strip()).suffix.lower() for c in cells if isinstance(c, str) and kind_of_name(c) == kind
            }
            yield kind, names[kind], f"end like {what}: {', '.join(sorted(endings))}"
    stored = Counter(map(_stored_kind, cells))
    for kind in ("image", "audio"):
        if stored[kind]:
            yield kind, stored[kind], f"hold {ENDINGS[kind]} by their first bytes or names"


def _stored_kind(cell: Cell) -> str | None:
    if isinstance(cell, dict):
        content, name = cell.get("bytes"), cell.get("path")
        return (kind_of_bytes(content[:12]) if content else None) or (kind_of_name(name) if name else None)
    return kind_of_bytes(cell[:12]) if isinstance(cell, bytes) else None


def _is_numbers(cell: Cell) -> bool:
    kind = getattr(getattr(cell, "dtype", None), "kind", None)  # an array, as lists of numbers are read
    if kind is not None:
        return kind in "biuf"
    return isinstance(cell, list) and bool(cell) and all(isinstance(i, int | float) or _is_numbers(i) for i in cell)


def _unusable(
    places: list[int], cells: list[Cell], texts: list[str], numbers: list[Cell], words: "Counter[str]"
) -> str:
    if not cells:
        return "all empty"
    if len(words) == 1 and len(cells) > 1:
        return _always(cells[0])
    if len(numbers) == len(cells):
        return _running(_floats(numbers), np.array(places))
    if (day := date_among(cells)) is not None:
        return f"dates or times, such as {_short(day)!r}; {ADVICE}"
    grouped = [text for text in texts if is_grouped(text)]
    if grouped and len(grouped) + len(numbers) >= MOSTLY * len(cells):
        return grouped_note(grouped, pointed=any("." in str(cell) for cell in numbers))
    if not texts and not all(_is_numbers(cell) for cell in cells):
        return f"cells of a kind that is not used: {type(cells[0]).__name__}"
    short = texts and max(map(len, texts)) <= SHOWN and sum(len(text.split()) for text in texts) < 3 * len(texts)
    if short and len(words) <= FEW and len(texts) >= AGAIN * len(words):
        return f"a category of {len(words)} values; name its role to use it"
    return ""


def _always(cell: Cell) -> str:
    return f"always the same: {_short(cell.strip() if isinstance(cell, str) else repr(cell))}"


def _running(numbers: Float64[np.ndarray, "cells"], places: Int64[np.ndarray, "cells"]) -> str:
    off = numbers - places
    return "a running number" if len(numbers) >= FEW and bool((off == off[0]).all()) else ""


def _caution(numbers: Float64[np.ndarray, "cells"]) -> str:
    if not are_days(numbers):
        return ""
    return f"they look like dates (yyyymmdd), not as far apart as the numbers: {ADVICE}, or ignore the column"


def _floats(cells: list[Cell]) -> Float64[np.ndarray, "cells"]:
    return np.array([number_in(cell) for cell in cells], dtype=np.float64)


def _short(cell: Cell) -> str:
    if isinstance(cell, bytes):
        return f"{len(cell)} bytes"
    text = repr(cell) if not isinstance(cell, str) else cell
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
