"""Guesses the role of each column of a table from its cells, and gives the reasons."""

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gnnfuse.catalog import listed
from gnnfuse.or_default import or_default
from gnnfuse.table_options import ColumnOptions
from gnnfuse.tables.column_evidence import MOSTLY, Evidence, gather
from gnnfuse.tables.columns import NO_SIGNAL, Columns
from gnnfuse.tables.error import TableError
from gnnfuse.tables.named_files import LOOK as FILES
from gnnfuse.tables.named_files import NamedFiles, named_files
from gnnfuse.tables.table import Table
from gnnfuse.tables.unique_ids import check_ids, wrong_with_ids

if TYPE_CHECKING:
    from rich.table import Table as RichTable

LOOK = 1000  # rows examined
TARGETS = ("target", "label", "labels", "class", "category", "y", "tags")
IDS = ("id", "uid", "uuid", "guid", "key", "index", "sample_id", "row_id", "item_id", "sample", "name")
SPLITS = ("split", "subset", "partition", "set")
UNUSED = "unused"
MOST_SHOWN = 60  # maximum number of columns that are listed one by one
VALUE = re.compile(r"'(\\.|[^'\\])*'|: .*|\d[\d,.]*")  # the numbers in which the reasons for similar columns differ


@dataclass(frozen=True)
class ColumnGuess:
    """The guessed role of one column.

    Args:
        column: its name.
        role: "image", "audio", "text", "text_file", "rows", "features", "target", "id", "split", "group" or "unused".
        reason: why, in words.
        blank: share of empty cells among the rows examined.
        example: a cell, shortened.
    """

    column: str
    role: str
    reason: str
    blank: float
    example: str


@dataclass(frozen=True)
class Guess:
    """The guessed roles of a table's columns.

    Args:
        columns: the columns for reading samples.
        account: one entry per column of the table, in its order.
    """

    columns: Columns
    account: tuple[ColumnGuess, ...]

    def __str__(self) -> str:
        return "\n".join(f"{found.column}: {found.role} ({found.reason})" for found in self.summary)

    def __rich__(self) -> "RichTable":
        """The summary as a table for a terminal, with the share of empty cells and an example."""
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for head in ("column", "role", "reason", "empty", "example"):
            folds = head == "reason"
            table.add_column(head, overflow="fold" if folds else "ellipsis", no_wrap=not folds, min_width=folds * 24)
        for found in self.summary:
            cells = (found.column, found.role, found.reason, f"{found.blank:.0%}", found.example)
            table.add_row(*map(Text, cells), style="dim" if found.role.startswith(UNUSED) else None)
        return table

    @property
    def summary(self) -> tuple[ColumnGuess, ...]:
        """The account, shortened: beyond 60 entries, columns with the same role and reason (up to the numbers in it)
        share one entry, with the reason and example of the first."""
        if len(self.account) <= MOST_SHOWN:
            return self.account
        alike: dict[tuple[str, str], list[ColumnGuess]] = {}
        for found in self.account:
            alike.setdefault((found.role, VALUE.sub("", found.reason)), []).append(found)
        return tuple(_as_one(several) for several in alike.values())

    def refuse_none(self) -> None:
        """Refuse columns without any input.

        Raises:
            TableError: the message gives the reasons for up to five of them.
        """
        if self.columns.signals:
            return
        unused = [f"{found.column}: {found.reason}" for found in self.account if found.role == UNUSED]
        more = f"; and {len(unused) - 5} more" if len(unused) > 5 else ""
        why = f"; {'; '.join(unused[:5])}{more}" if unused else ""
        raise TableError(f"{NO_SIGNAL}{why}")


def _as_one(several: list[ColumnGuess]) -> ColumnGuess:
    names = listed([found.column for found in several], 3)
    return replace(several[0], column=names, blank=sum(found.blank for found in several) / len(several))


def guess_columns(table: Table, asked: ColumnOptions | None = None) -> Guess:
    """Guess the role of each column from 1,000 rows, drawn from all (for a stream, the first).

    Evidence in this order: the source's declarations (media and class features, class folders), split names in a
    column named as a split, unique values in a column named as ids, a column name usual for targets, suffixes of media
    files and first bytes of embedded media, first bytes of the files that cells name (in 100 rows), lists of numbers,
    numbers, texts. Columns of paths, URLs or base64 that cannot be read as a picture, recording or text stay unused,
    with a warning. A few short texts that recur are a category and stay unused, as do constants, dates and times,
    running numbers and numbers with commas. A column of numbers may hold words that stand for an empty cell (`Blanks`).
    A requested role is not guessed: it takes the given columns (none for an empty list) and no others.

    Ids must be unique in the whole table (not checked for a stream): a guessed id column that repeats one is unused,
    and rows are named by their numbers.

    Raises:
        TableError: a given column is unknown (the message names near ones) or also ignored, or given ids are empty or
            occur twice.

    Example:
        >>> from gnnfuse.tables import open_table
        >>> table = open_table([{"photo": f"{n}.png", "caption": f"cat number {n}", "label": "cat"} for n in range(9)])
        >>> print(guess_columns(table))
        photo: image (9 of 9 cells end like pictures: .png)
        caption: text (9 different texts in 9 cells)
        label: target (its name)
    """
    asked = or_default("columns", asked, ColumnOptions)
    given, ignored = asked.given, asked.ignore or ()
    for names in (*given.values(), ignored):
        table.check(names)
    _refuse_both(given, ignored)
    if asked.id is not None and not table.streaming:
        check_ids(table, asked.id)
    taken = (
        {} if asked.group is None else {asked.group: "group"}
    )  # identifies groups: an input only if given as one too
    taken |= {name: role for role, names in given.items() for name in names if role != "group"}
    taken |= dict.fromkeys(ignored, UNUSED)
    found = _guesses(table, taken, given)
    return Guess(_columns(found, given), tuple(_with_group(found, asked.group)))


def _guesses(table: Table, taken: dict[str, str], given: dict[str, tuple[str, ...]]) -> list[ColumnGuess]:
    """One guess per column; `taken` columns keep their role."""
    found: list[ColumnGuess] = []
    before: set[str] = set()
    evidences = list(gather(table, LOOK))
    named = _named_files(table, evidences)
    for evidence in evidences:
        files = named.get(evidence.column, NamedFiles())
        role, reason = _role(evidence, files, taken, given, before)
        if role == "id" and evidence.column not in taken:
            role, reason = _checked_id(table, evidence.column, reason)
        if role == UNUSED and reason == files.reason != "":
            warnings.warn(f"table {table.name}: column {evidence.column!r} is unused: {reason}", stacklevel=3)
        found.append(ColumnGuess(evidence.column, role, reason, evidence.blank, evidence.example))
        before.add(role)
    return found


def _named_files(table: Table, evidences: Sequence[Evidence]) -> dict[str, NamedFiles]:
    """The files that columns name: columns of texts, and columns of numbers whose example names a file."""
    columns = [
        evidence.column
        for evidence in evidences
        if evidence.texts or named_files([evidence.example] * bool(evidence.numbers), table.media).kind is not None
    ]
    rows = table.look(FILES, columns) if columns else []
    return {column: named_files((cells[column] for _, cells in rows), table.media) for column in columns}


def _role(
    evidence: Evidence, files: NamedFiles, taken: dict[str, str], given: dict[str, tuple[str, ...]], before: set[str]
) -> tuple[str, str]:
    if evidence.column in taken:
        role = taken[evidence.column]
        note = f", though {files.reason}" if role == "text" and files.reason else ""
        return role, "ignored" if role == UNUSED else f"given{note}"
    reasons = []
    for role, reason in _candidates(evidence, files):
        if role in ("id", "split", "target") and role in before:
            reasons.append(f"would be a second {role}: {reason}")
        elif role in given:
            reasons.append(f"the {role} is given; otherwise by {reason}")
        else:
            return role, reason
        if role != "target":  # a label that is not the target may still be an input
            break
    dates = evidence.unusable.startswith("dates")
    return UNUSED, reasons[0] if reasons else evidence.unusable if dates else files.reason or evidence.unusable


def _checked_id(table: Table, column: str, reason: str) -> tuple[str, str]:
    wrong = None if table.streaming else wrong_with_ids(table, column)
    return ("id", reason) if wrong is None else (UNUSED, f"{reason}, but {wrong}; rows are named by their numbers")


def _refuse_both(given: dict[str, tuple[str, ...]], ignored: Sequence[str]) -> None:
    gone = set(ignored)
    for role, names in given.items():
        both = [name for name in names if name in gone]
        if both:
            raise TableError(
                f"column {both[0]!r} is given as {role} and is also to be ignored, expected one of the two"
            )


def _candidates(evidence: Evidence, files: NamedFiles) -> Iterator[tuple[str, str]]:
    name = evidence.column.lower().replace(" ", "_").replace("-", "_")
    if evidence.source in ("image", "audio"):
        yield evidence.source, "declared by the source"
    elif evidence.source == "text":
        yield "text_file", "declared by the source"
    elif evidence.source in ("id", "split"):
        yield evidence.source, "declared by the source"
    elif evidence.source == "label" or name in TARGETS:
        yield "target", "declared by the source" if evidence.source else "its name"
    if name in SPLITS and evidence.all_splits:
        yield "split", f"its name and its values {', '.join(evidence.shown_values)}"
    if (name in IDS or name.endswith("_id")) and evidence.unique and not (evidence.media or files.kind):
        yield "id", f"its name, and {evidence.filled} different values in {evidence.rows} rows"
    if evidence.filled:
        yield from _by_content(evidence, files)


def _by_content(evidence: Evidence, files: NamedFiles) -> Iterator[tuple[str, str]]:
    for kind, count, what in evidence.media:
        if count >= MOSTLY * evidence.filled and files.kind in (None, kind):
            yield ("text_file" if kind == "text" else kind), f"{count} of {evidence.filled} cells {what}"
            return
    if files.kind is not None:
        yield ("text_file" if files.kind == "text" else files.kind), files.reason
    elif files.reason:
        return
    elif evidence.number_lists:
        yield "rows", "lists of numbers"
    elif evidence.numbers >= MOSTLY * evidence.filled and not evidence.unusable:
        strange = evidence.filled - evidence.numbers
        kind = f"{evidence.numbers} of {evidence.filled} cells are numbers"
        kind += f"; the others, such as {evidence.strange}, cannot be read" if strange else ""
        words = ", ".join(map(repr, evidence.blank_words))
        kind += f"; {words} counts as empty" if words else ""
        yield "features", kind + (f"; {evidence.caution}" if evidence.caution else "")
    elif evidence.texts and not evidence.unusable:
        yield "text", f"{evidence.different} different texts in {evidence.filled} cells"


def _columns(found: list[ColumnGuess], given: dict[str, tuple[str, ...]]) -> Columns:
    chosen = {role: tuple(guess.column for guess in found if guess.role == role) for role in ROLES}
    chosen |= {role: names for role, names in given.items() if role in ROLES}  # in the order given
    single = {role: names[0] for role in ("id", "split", "group") if (names := chosen.pop(role, given.get(role, ())))}
    try:
        return Columns(**chosen, **single)  # type: ignore[arg-type]  # lists of names, then single ones
    except TypeError as error:
        raise TableError(str(error)) from error


ROLES = ("image", "audio", "text", "text_file", "rows", "features", "target", "id", "split")


def _with_group(found: list[ColumnGuess], group: str | None) -> Iterator[ColumnGuess]:
    for guess in found:
        both = guess.column == group and guess.role != "group"
        yield replace(guess, role=f"group, {guess.role}") if both else guess
