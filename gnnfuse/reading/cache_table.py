"""Running frozen encoders over the columns of a table, for the command `gnnfuse cache`."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gnnfuse.data.overwriting import ELSEWHERE, files_in, refuse_overwriting, refuse_unwritable
from gnnfuse.data.rejects import REJECTS, OnError, is_rejects
from gnnfuse.nodes import PretrainedAudio, PretrainedImage, PretrainedNodes, PretrainedText
from gnnfuse.nodes.cached import StoredType
from gnnfuse.reading.cache_samples import CacheReport, cache_samples
from gnnfuse.tables import Columns, Guess, TableSamples, TableStream, guess_columns, open_table
from gnnfuse.tables.open_table import refuse_overwriting_table

MODALITIES: Mapping[str, tuple[Callable[..., PretrainedNodes], tuple[str, ...]]] = {
    "image": (PretrainedImage, ("image",)),
    "audio": (PretrainedAudio, ("audio",)),
    "text": (PretrainedText, ("text", "text_file")),
}


def cache(
    source: object,
    folder: str | os.PathLike[str],
    *,
    image_encoder: str | None = None,
    audio_encoder: str | None = None,
    text_encoder: str | None = None,
    image_weights: str | None = None,
    audio_weights: str | None = None,
    text_weights: str | None = None,
    image: Sequence[str] | None = None,
    audio: Sequence[str] | None = None,
    text: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
    media: str | Path | None = None,
    allow_outside: bool = False,
    blanks: Sequence[str] | None = None,
    streaming: bool = False,
    dtype: StoredType = "float32",
    batch_size: int = 32,
    workers: int = 0,
    device: str = "auto",
    on_error: OnError = "stop",
    begin: Callable[[Guess, Sequence[PretrainedNodes], int | None], object] | None = None,
    advance: Callable[[PretrainedNodes], object] | None = None,
) -> tuple[CacheReport, ...]:
    """Run frozen encoders over the columns of a table and keep their features in a folder.

    The node types have the defaults of `PretrainedImage`, `PretrainedAudio` and `PretrainedText`; pass others to
    `gnnfuse.cache_samples`.

    Args:
        source: the table, as `open_table` takes it.
        folder: the cache.
        image_encoder: model for the columns of pictures, as `PretrainedImage` names it; None leaves them out.
        audio_encoder: model for the columns of recordings, as `PretrainedAudio` names it.
        text_encoder: model for the columns of texts, as `PretrainedText` names it.
        image_weights: which of the image model's weights.
        audio_weights: which of the audio model's weights.
        text_weights: which of the text model's weights.
        image: the columns of pictures; guessed from their content by default.
        audio: the columns of recordings.
        text: the columns of texts.
        ignore: columns that are not encoded, whatever their content.
        media: base folder of paths in cells; the table's own by default.
        allow_outside: let such paths lead out of that folder.
        blanks: words that mean an empty cell, in all columns.
        streaming: read rows one after another, without an index.
        dtype: as `cache_samples` takes it.
        batch_size: as `cache_samples` takes it.
        workers: as `cache_samples` takes it.
        device: as `cache_samples` takes it.
        on_error: as `cache_samples` takes it.
        begin: called before the first encoder runs, with the guessed columns, one node type per column to encode, and
            the number of rows if known.
        advance: called with the node type after each row.

    Returns:
        A report per column.

    Raises:
        ValueError: no encoder, an encoder without a column, a column without an encoder, or as for `cache_samples`.
    """
    models = {"image": image_encoder, "audio": audio_encoder, "text": text_encoder}
    weights = {"image": image_weights, "audio": audio_weights, "text": text_weights}
    given = {"image": image, "audio": audio, "text": text}
    _check_given(models, {"weights": weights, "column": given})
    check_cache_folder(Path(folder), source, (*models.values(), *weights.values()))
    table = open_table(source, media=media, allow_outside=allow_outside, streaming=streaming, blanks=blanks)
    table = table.writing(_written(Path(folder)))
    guess = guess_columns(table, image=image, audio=audio, text=text, ignore=ignore)
    node_types = [
        MODALITIES[modality][0](model=model, weights=weights[modality], signal=column, name=modality)
        for modality, model in models.items()
        if model is not None
        for column in _columns(guess, modality, table.name)
    ]
    columns = _only(guess.columns, {node_type.signal for node_type in node_types})
    samples = TableStream(table, columns) if streaming else TableSamples(table, columns)
    if begin is not None:
        begin(guess, node_types, None if streaming else len(table))
    return cache_samples(
        samples,
        node_types,
        folder,
        dtype=dtype,
        batch_size=batch_size,
        workers=workers,
        device=device,
        on_error=on_error,
        advance=advance,
    )


def check_cache_folder(folder: Path, source: object, encoders: Sequence[str | None]) -> None:
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
    """The files that may be written, replaced or removed; the command writes the list of rejects."""
    return [folder / REJECTS, *(file for each in folder.glob("*") if each.is_dir() for file in files_in(each))]


def _check_given(models: Mapping[str, str | None], others: Mapping[str, Mapping[str, Any]]) -> None:
    if not any(models.values()):
        raise ValueError("found no encoder, expected at least one of image_encoder, audio_encoder and text_encoder")
    for what, of_modality in others.items():
        for modality, value in of_modality.items():
            if value is not None and models[modality] is None:
                raise ValueError(f"found a {what} for {modality} ({value!r}) without {modality}_encoder")


def _columns(guess: Guess, modality: str, table: str) -> tuple[str, ...]:
    found = tuple(name for role in MODALITIES[modality][1] for name in guess.columns.of(role))
    if not found:
        raise ValueError(f"table {table}: found no {modality} column for {modality}_encoder; give {modality}=\n{guess}")
    return found


def _only(columns: Columns, signals: set[str]) -> Columns:
    """The columns to encode, and the column of ids."""
    roles = [role for _, of_modality in MODALITIES.values() for role in of_modality]
    kept: dict[str, Any] = {role: tuple(name for name in columns.of(role) if name in signals) for role in roles}
    return Columns(**kept, id=columns.id)
