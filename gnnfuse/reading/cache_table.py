"""Running frozen encoders over the columns of a table, for the command `gnnfuse cache`."""

import os
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gnnfuse.data.overwriting import ELSEWHERE, files_in, refuse_overwriting, refuse_unwritable
from gnnfuse.data.rejects import REJECTS, OnError, is_rejects, write_rejects
from gnnfuse.encoders import CELLS, Encoders
from gnnfuse.nodes import PretrainedAudio, PretrainedImage, PretrainedNodes, PretrainedText
from gnnfuse.nodes.cached import StoredType
from gnnfuse.observer import Observer, or_silent
from gnnfuse.or_default import or_default
from gnnfuse.reading.cache_samples import CacheReport, cache_samples
from gnnfuse.tables import (
    ColumnOptions,
    Columns,
    Guess,
    OpenOptions,
    TableSamples,
    TableStream,
    guess_columns,
    open_table,
)
from gnnfuse.tables.open_table import refuse_overwriting_table

MODALITIES: Mapping[str, tuple[Callable[..., PretrainedNodes], tuple[str, ...]]] = {
    "image": (PretrainedImage, ("image",)),
    "audio": (PretrainedAudio, ("audio",)),
    "text": (PretrainedText, ("text", "text_file")),
}


def cache(
    table: object,
    folder: str | os.PathLike[str],
    *,
    encoders: Encoders,
    columns: ColumnOptions | None = None,
    opening: OpenOptions | None = None,
    dtype: StoredType = "float32",
    batch_size: int = 32,
    workers: int = 0,
    device: str = "auto",
    on_error: OnError = "stop",
    observer: Observer | None = None,
) -> tuple[CacheReport, ...]:
    """Run frozen encoders over the columns of a table and keep their features in a folder, with a list of rejects.

    The node types have the defaults of `PretrainedImage`, `PretrainedAudio` and `PretrainedText`, and pictures of one
    size are averaged within 3 x 3 cells, as `gnnfuse.fit` reads them; pass others to `gnnfuse.cache_samples`.

    Args:
        table: the table, as `open_table` takes it.
        folder: the cache; rejects.csv in it lists what could not be read.
        encoders: which encoders run; their own `cache` names no folder.
        columns: what they read; guessed from the content of columns by default.
        opening: how the table is opened.
        dtype: as `cache_samples` takes it.
        batch_size: as `cache_samples` takes it.
        workers: as `cache_samples` takes it.
        device: as `cache_samples` takes it.
        on_error: as `cache_samples` takes it.
        observer: receives the columns, progress and results; none by default.

    Returns:
        A report per column.

    Raises:
        ValueError: no encoder, an encoder without a column, a column without an encoder, encoders that name a cache or
            are trained, or as for `cache_samples`.
    """
    place, opening = Path(folder), or_default("opening", opening, OpenOptions)
    observer = or_silent(observer)
    columns = or_default("columns", columns, ColumnOptions)
    _check_given(encoders, columns)
    check_cache_folder(place, table, encoders.files)
    opened = open_table(table, **vars(opening)).writing(_written(place))
    guess = guess_columns(opened, columns)
    node_types = _node_types(encoders, guess, opened.name)
    by_column = {node_type.signal: node_type for node_type in node_types}
    observer.says(_with_encoders(guess, by_column))
    read = TableStream if opened.streaming else TableSamples
    reports = cache_samples(
        read(opened, _only(guess.columns, by_column.keys())),
        node_types,
        place,
        dtype=dtype,
        batch_size=batch_size,
        workers=workers,
        device=device,
        on_error=on_error,
        observer=observer,
    )
    rejects = [reject for report in reports for reject in report.rejects]
    write_rejects(place / REJECTS, rejects)  # also an empty list, to replace an earlier run's
    if rejects:
        observer.says(f"{len(rejects):,} signals cannot be read: see {place / REJECTS}")
    return reports


def _node_types(encoders: Encoders, guess: Guess, table: str) -> list[PretrainedNodes]:
    """A node type per column to encode."""
    found: list[PretrainedNodes] = []
    for modality, (make, roles) in MODALITIES.items():
        model, weights = getattr(encoders, modality), getattr(encoders, f"{modality}_weights")
        names = [name for role in roles for name in guess.columns.of(role)]
        if model is not None and not names:
            raise ValueError(
                f"table {table}: found no {modality} column to encode; name one (--{modality}, {modality}=)\n{guess}"
            )
        own = {"model": model, "weights": weights, "name": modality, "tuned": encoders.tune_last}
        found += [make(signal=name, **own) for name in names if model is not None]
    return [each.in_cells(CELLS) if isinstance(each, PretrainedImage) else each for each in found]


def _with_encoders(guess: Guess, encoded: Mapping[str, PretrainedNodes]) -> Guess:
    """The guess, with each column's encoder beside its role."""
    by = {name: f"by {node_type.model}" for name, node_type in encoded.items()}
    account = [replace(each, role=f"{each.role}, {by.get(each.column, 'not encoded')}") for each in guess.account]
    return replace(guess, account=tuple(account))


def check_cache_folder(folder: Path, source: object, encoders: Sequence[str]) -> None:
    """Refuse a folder in which input files would be replaced or removed, before anything is opened.

    Args:
        folder: the cache.
        source: the table.
        encoders: names or folders of models, and names of their weights.

    Raises:
        ValueError: an input would be replaced or removed; names both.
        PermissionError: the folder cannot be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: found a file, expected a folder to keep features in, or nothing yet")
    refuse_unwritable(folder)
    written = _written(folder)
    refuse_overwriting_table(source, written)
    refuse_overwriting({"a file of an encoder": [file for each in encoders for file in files_in(each)]}, written)
    if written[0].is_file() and not is_rejects(written[0]):
        raise ValueError(f"{written[0]}: found a file that is no list of rejects, which would be replaced; {ELSEWHERE}")


def _written(folder: Path) -> list[Path]:
    """The files that may be written, replaced or removed."""
    return [folder / REJECTS, *(file for each in folder.glob("*") if each.is_dir() for file in files_in(each))]


def _check_given(encoders: Encoders, columns: ColumnOptions) -> None:
    if not encoders.named:
        raise ValueError("found no encoder, expected at least one of image, audio and text (--image-encoder and so on)")
    if encoders.cache is not None or encoders.fine_tune:
        raise ValueError(
            "found encoders with a cache or fine_tune, expected frozen encoders; the cache is the argument folder"
        )
    for modality, (_, roles) in MODALITIES.items():
        for names in filter(None, map(columns.given.get, roles)):
            if getattr(encoders, modality) is None:
                raise ValueError(
                    f"found a column for {modality} ({', '.join(names)}) without an encoder for {modality}"
                )


def _only(columns: Columns, signals: Container[str]) -> Columns:
    """The columns to encode, and the column of ids."""
    roles = [role for _, of_modality in MODALITIES.values() for role in of_modality]
    kept: dict[str, Any] = {role: tuple(name for name in columns.of(role) if name in signals) for role in roles}
    return Columns(**kept, id=columns.id)
