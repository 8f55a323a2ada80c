"""The folder that `fit` writes into: which files belong to `fit` there, and which are left alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gnnfuse.data.overwriting import ELSEWHERE, files_in, refuse_overwriting, refuse_unwritable
from gnnfuse.data.rejects import REJECTS, is_rejects
from gnnfuse.encoders import Encoders
from gnnfuse.sample.whole_file import lock, remove_unfinished
from gnnfuse.saving.config import CONFIG, is_config
from gnnfuse.saving.folder import CARD, WEIGHTS
from gnnfuse.saving.texts import FOLDER as TEXTS
from gnnfuse.tables.open_table import refuse_overwriting_table
from gnnfuse.train.checkpoint_files import has_earlier_run, refuse_earlier_run
from gnnfuse.workflow.table_note import FILE as NOTE
from gnnfuse.workflow.targets.tasks import TASKS

CHECKPOINTS, RESULTS, REPORT = "checkpoints", "results.json", "report.md"
FEATURES = "features"  # in the folder of checkpoints: of frozen encoders, while a run lasts
RELIABILITY = "reliability.png"
PLOTS = ("curves.png", RELIABILITY, *(kind.plot for kind in TASKS.values()))
REPLACED = (REJECTS, RESULTS, REPORT, NOTE, CONFIG, WEIGHTS, *PLOTS)  # a model card written by someone else is kept


def check_fit_folder(folder: Path, table: object, encoders: Encoders, *, resume: bool) -> None:
    """Refuse a folder that `fit` would harm, before anything is opened.

    Raises:
        ValueError: it is a file; it holds an earlier run's checkpoints without `resume`; an input of the run would be
            replaced; or it holds files with the names that `fit` writes that are not from an earlier run.
        PermissionError: it cannot be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: found a file, expected a folder to write the model into, or nothing yet")
    if not resume:
        refuse_earlier_run(folder / CHECKPOINTS)
    refuse_unwritable(folder / CHECKPOINTS)
    written = written_by_fit(folder)
    refuse_overwriting_table(table, written)
    cached = (
        [] if encoders.cache is None else [file for each in Path(encoders.cache).glob("*") for file in files_in(each)]
    )
    read = [file for each in encoders.files for file in files_in(each)]
    refuse_overwriting({"a file of an encoder": read, "a file of the cache": cached}, written)
    foreign = [name for name in REPLACED if (folder / name).exists()]
    if foreign and not _is_earlier_run(folder):
        raise ValueError(
            f"{folder}: found {', '.join(foreign)}, which would be replaced, and nothing that an earlier run wrote; "
            f"{ELSEWHERE}"
        )


def written_by_fit(folder: Path) -> list[Path]:
    """The files that `fit` may write, replace or remove."""
    kept = [*files_in(folder / CHECKPOINTS), *files_in(folder / TEXTS), *folder.glob("model-*.waiting.safetensors")]
    return [folder / name for name in (*REPLACED, CARD)] + kept


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Keep a second run out of the folder, and clean up after earlier runs that were killed.

    Raises:
        ValueError: another run is writing there.
    """
    checkpoints = folder / CHECKPOINTS
    made = [place for place in (checkpoints, *checkpoints.parents) if not place.exists()]
    checkpoints.mkdir(parents=True, exist_ok=True)
    try:
        release = lock(checkpoints)
    except BlockingIOError as error:
        raise ValueError(f"{folder}: another run is writing there; let it end first, or write elsewhere") from error
    try:
        remove_unfinished(folder)
        yield
    finally:
        for place in made:  # a refused run leaves nothing behind
            if not any(place.iterdir()):
                place.rmdir()
        if release is not None:
            release()


def _is_earlier_run(folder: Path) -> bool:
    rejects = folder / REJECTS
    if has_earlier_run(folder / CHECKPOINTS) or is_config(folder / CONFIG):
        return True
    return rejects.is_file() and is_rejects(rejects)
