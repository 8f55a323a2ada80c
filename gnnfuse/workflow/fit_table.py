"""From a table to a fitted, saved model."""

import os
import shutil
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gnnfuse import fit_defaults
from gnnfuse.data.rejects import REJECTS, rows_left_out, write_rejects
from gnnfuse.model_card import ModelCard
from gnnfuse.observer import Observer, or_silent
from gnnfuse.or_default import or_default
from gnnfuse.saving import save_pretrained, uncached
from gnnfuse.saving.pretrained import save_card
from gnnfuse.tables import ColumnOptions, Columns, OpenOptions, blank_notes, guess_columns, open_table
from gnnfuse.tasks import Task
from gnnfuse.train import Evaluation, FitConfig, FitReport, Samples, evaluate, fit_task
from gnnfuse.workflow.brief_metrics import measured_line, spelt
from gnnfuse.workflow.fit_folder import CHECKPOINTS, FEATURES, check_fit_folder, only_run, written_by_fit
from gnnfuse.workflow.fit_options import FitOptions
from gnnfuse.workflow.fit_request import FitRequest
from gnnfuse.workflow.members.fit_members import fit_members
from gnnfuse.workflow.members.member_lines import member_table
from gnnfuse.workflow.members.member_outcome import member_outcome
from gnnfuse.workflow.members.table_members import announced, table_members
from gnnfuse.workflow.members.table_rows import member_rows, why_alone
from gnnfuse.workflow.outcome import FitOutcome
from gnnfuse.workflow.report import card, results_of, write_report
from gnnfuse.workflow.table_note import TableNote
from gnnfuse.workflow.table_plan import TablePlan, plan_table
from gnnfuse.workflow.training_samples import training_samples

if TYPE_CHECKING:
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import Callback

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
CONFIGURED = (  # in `fit_defaults`, by these names
    *("epochs", "select", "patience", "batch_size", "learning_rate", "weight_decay", "warmup", "clip"),
    *("shuffle_buffer", "every_seconds"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """The results of fitting a model on a table.

    Args:
        outcome: the fitted task, its metrics and those of its members.
        note: how the table's rows become samples, for `predict` and `embed` with `task`.
        folder: the folder that holds all results.
    """

    outcome: FitOutcome
    note: TableNote
    folder: Path

    @property
    def task(self) -> Task:
        """The fitted task, ready to predict."""
        return self.outcome.task

    @property
    def report(self) -> FitReport | None:
        """What happened in training; of a blend, in the last fit of its first trained member."""
        return self.outcome.report

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Split -> metric -> value: "valid" or "out_of_fold", and "test" if there are test rows.

        Of several training processes, in the first only.
        """
        return self.outcome.metrics

    @property
    def columns(self) -> Columns:
        """The roles that the columns were given."""
        return self.note.columns


def fit(
    table: object,
    *,
    out: str | os.PathLike[str],
    columns: ColumnOptions | None = None,
    opening: OpenOptions | None = None,
    options: FitOptions | None = None,
    config: FitConfig | None = None,
    resume: bool = False,
    observer: Observer | None = None,
) -> Fitted:
    """Fit a model on a table and write it into a folder: model, results.json, report.md with plots, rejects.csv.

    The model is a `Blend` of several members, or one fusion model alone if `options` name one.

    Columns that are not named are guessed, the kind of target is chosen from the content of its column, and splits are
    made by rule if no column gives them. Test rows are opened once, after training. Checkpoints are kept in
    `out`/checkpoints, and logs in `out`/checkpoints/logs. Training reads the features of frozen encoders from the cache
    that `options.encoders` name, else from one that is removed at the end; the saved model runs the encoders.

    With `OpenOptions(streaming=True)`, rows are read again in every pass. Columns are guessed, and the kind of target
    chosen, from the first rows. Generated splits follow a hash of each row's group, id or number, without
    stratification; ids are not compared with one another. Training rows are shuffled within a buffer
    (`FitConfig.shuffle_buffer`).

    Args:
        table: a file, a folder, a data set, a data frame or a list of mappings: anything that `open_table` opens.
        out: the folder to write into; created if missing.
        columns: the roles of columns; all are guessed by default.
        opening: how the table is opened.
        options: what is fitted; `FitOptions()` by default.
        config: how it is trained; `default_config()` by default, and `default_config(epochs=5)` to change one value: a
            `FitConfig` has other defaults, and the observer receives the values that differ from the usual ones.
        resume: continue from the newest checkpoint in `out`, to the same end; without one, start from the beginning.
        observer: receives progress, none by default; `gnnfuse.Terminal()` shows it.

    Raises:
        ValueError: a table that cannot be read or has no target (`TableError`), rows that cannot be read with
            on_error="stop", options that contradict each other, or an `out` that holds inputs, checkpoints of another
            run, or foreign files with the names that are written.

    Example:
        >>> import tempfile
        >>> table = [{"caption": word, "label": word} for word in ("yes", "no") * 20]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     config = default_config(epochs=2, device="cpu")
        ...     columns = ColumnOptions(text="caption", target="label")
        ...     fitted = fit(table, out=folder, columns=columns, options=FitOptions(preset="fast"), config=config)
        ...     sorted(fitted.metrics)
        ['test', 'valid']
    """
    options = or_default("options", options, FitOptions)
    config = or_default("config", config, FitConfig, default_config)
    observer = or_silent(observer)
    columns, opening = or_default("columns", columns, ColumnOptions), or_default("opening", opening, OpenOptions)
    folder = Path(out)
    if is_first_process():  # before other processes of the run, which would find the files of this one
        check_fit_folder(folder, table, options.encoders, resume=resume or config.resume)
    tuned = 0 if options.alone or opening.streaming or config.processes > 1 else options.tuned
    if tuned:  # by a member of its own
        options = replace(options, encoders=replace(options.encoders, tune_last=0))
    options, passing = _encoded_once(options, opening, folder)
    opened = open_table(table, **vars(opening))
    for note in opened.notes:
        observer.says(note)
    guess = guess_columns(opened, columns)
    observer.says(guess)
    guess.refuse_none()
    if unusual := _unusual(config):
        observer.says(f"unusual training settings: {unusual}")
    for note in blank_notes(opened, guess.columns):
        observer.says(note)
    opened = opened.reading(guess.columns).writing(written_by_fit(folder))
    request = FitRequest(
        table=opened, columns=guess.columns, options=options, config=config, observer=observer,
        passing_cache=passing is not None, tuned=tuned,
    )  # fmt: skip
    plan = plan_table(request)
    if plan.rows.rejects:
        observer.says(f"{_counted(plan)}; {folder / REJECTS} gives the reasons")
    with only_run(folder) if is_first_process() else nullcontext():
        fitted = _fitted(plan, folder, resume=resume or config.resume)
        if passing is not None and is_first_process():
            shutil.rmtree(passing, ignore_errors=True)
        return fitted


def _encoded_once(options: FitOptions, opening: OpenOptions, folder: Path) -> tuple[FitOptions, Path | None]:
    """Options by which frozen encoders run once per row, and the folder of their features if it is removed at the end.

    It lies within the run's checkpoints, so that a resumed run finds the features. A stream's features could fill any
    disk: without a cache of its own, its encoders run in every epoch.
    """
    encoders = options.encoders
    if not encoders.frozen or encoders.cache is not None or opening.streaming:
        return options, None
    passing = folder / CHECKPOINTS / FEATURES
    return replace(options, encoders=replace(encoders, cache=passing)), passing


def _fitted(plan: TablePlan, folder: Path, *, resume: bool) -> Fitted:
    """Train, save and measure what the options name."""
    if plan.request.options.alone:
        return _one_model(plan, folder, resume=resume)
    if (reason := why_alone(plan)) is None:
        return _members(plan, folder, resume=resume)
    if plan.request.options.members is not None or plan.request.tuned:
        raise ValueError(f"table {plan.request.table.name}: found members, expected one model (--model): {reason}")
    plan.request.observer.says(f"{plan.name} is trained alone, without other members: {reason}")
    return _one_model(plan, folder, resume=resume)


def _one_model(plan: TablePlan, folder: Path, *, resume: bool) -> Fitted:
    """Train, save and measure the planned task alone."""
    train, valid = training_samples(plan)
    config = plan.training(folder / CHECKPOINTS, resume=resume)
    report = fit_task(plan.task, train, valid, config, callbacks=_watchers(plan, folder, resume=resume))
    if not is_first_process():
        outcome = FitOutcome(task=plan.task, report=report, measured={}, samples={})
        return Fitted(outcome=outcome, note=_note(plan), folder=folder)
    task = plan.whole()
    _save(plan, task, folder, card(plan, report, {"valid": _best(report)}))
    measured, samples = _measured(plan, valid), plan.rows.samples
    return _reported(plan, folder, FitOutcome(task=task, report=report, measured=measured, samples=samples))


def _members(plan: TablePlan, folder: Path, *, resume: bool) -> Fitted:
    """Fit, blend, save and measure members."""
    rows = member_rows(plan)
    write_rejects(folder / REJECTS, plan.rows.rejects)
    members = table_members(plan, rows, folder / CHECKPOINTS, resume=resume)
    plan.request.observer.says(announced(members, rows))
    fitted = fit_members(plan, members, rows)
    task = uncached(fitted.task) if plan.cached else fitted.task
    _save(plan, task, folder, card(plan, None, {rows.split: fitted.metrics()}))
    return _reported(plan, folder, member_outcome(plan, rows, members, fitted, task))


def _save(plan: TablePlan, task: Task, folder: Path, card: ModelCard) -> None:
    """Save before anything is measured."""
    save_pretrained(task, folder, card=card)
    _note(plan).write(folder)


def _reported(plan: TablePlan, folder: Path, outcome: FitOutcome) -> Fitted:
    """Write everything besides the model."""
    observer = plan.request.observer
    for name, values in outcome.metrics.items():
        observer.says(measured_line(spelt(name), values))
    save_card(outcome.task, folder, card(plan, outcome.report, outcome.metrics))
    results = results_of(plan, outcome)
    if outcome.members:
        observer.says(member_table(results))
        observer.says(outcome.blended)
    for line in write_report(results, plan, outcome, folder):
        observer.says(line)
    return Fitted(outcome=outcome, note=_note(plan), folder=folder)


def _note(plan: TablePlan) -> TableNote:
    table = plan.request.table
    return TableNote(columns=plan.request.columns, source=table.name, blanks=table.blanks)


def _watchers(plan: TablePlan, folder: Path, *, resume: bool) -> "list[Callback]":
    """The callbacks that write rejects and pass on progress during training."""
    from gnnfuse.workflow.training_watch import TrainingWatch  # imports lightning

    observer, epochs = plan.request.observer, plan.request.config.epochs
    return [_rejects_written(plan, folder), *_resuming(resume, observer), TrainingWatch(observer, epochs)]


def _measured(plan: TablePlan, valid: Samples) -> dict[str, Evaluation]:
    """Measure the fitted task on validation rows and, once, on test rows."""
    splits = {"valid": valid} | ({"test": plan.rows.samples["test"]} if plan.rows.sizes["test"] else {})
    config = plan.request.config
    return {
        name: evaluate(plan.task, samples, device=config.device, workers=config.workers)
        for name, samples in splits.items()
    }


def is_first_process() -> bool:
    """Whether this process writes and prints, if several train together.

    The launcher's environment variables give the rank before Lightning is loaded, and Lightning's own rank once it has
    started or joined processes itself.
    """
    ranks = [int(next((os.environ[name] for name in RANKS if name in os.environ), 0))]
    if "lightning.pytorch" in sys.modules:
        from lightning.pytorch.utilities import rank_zero_only

        ranks.append(int(getattr(rank_zero_only, "rank", 0)))
    return not any(ranks)


def default_config(**changes: object) -> FitConfig:
    """The default training settings for a table: long enough for a small one, stopped when nothing improves.

    Example:
        >>> default_config(epochs=5).epochs
        5
    """
    usual: dict[str, object] = {name: getattr(fit_defaults, name.upper()) for name in CONFIGURED}
    return FitConfig(**{**usual, "progress": False, **changes})  # type: ignore[arg-type]  # FitConfig checks them


def _unusual(config: FitConfig) -> str:
    """The settings that differ from the usual ones, in words.

    Example:
        >>> _unusual(default_config(epochs=5))
        'epochs 5 (40)'
    """
    usual = default_config()
    names = [name for name in CONFIGURED if getattr(config, name) != getattr(usual, name)]
    return ", ".join(f"{name.replace('_', ' ')} {getattr(config, name)} ({getattr(usual, name)})" for name in names)


def _rejects_written(plan: TablePlan, folder: Path) -> "Callback":
    """Writes rejects.csv when training begins: a run that is refused earlier leaves the previous file intact."""
    from lightning.pytorch.callbacks import LambdaCallback

    def write(trainer: "Trainer", _: object) -> None:
        if trainer.is_global_zero:
            write_rejects(folder / REJECTS, plan.rows.rejects)

    return LambdaCallback(on_fit_start=write)


def _resuming(resume: bool, observer: Observer) -> "list[Callback]":
    """Passes on where a resumed run begins."""
    from lightning.pytorch.callbacks import LambdaCallback

    def say(trainer: "Trainer", _: object) -> None:
        if trainer.is_global_zero:
            done = trainer.global_step
            observer.says(
                f"continuing in epoch {trainer.current_epoch + 1}, after step {done:,}"
                if done
                else "found no checkpoint to continue from: training begins"
            )

    return [LambdaCallback(on_train_start=say)] if resume else []


def _best(report: FitReport) -> dict[str, float]:
    """The validation metrics of the epoch that was kept, as measured in training."""
    found = {name.removeprefix("valid_"): value for name, value in report.best.items() if name.startswith("valid_")}
    return {name: value for name, value in found.items() if name != "loss"}


def _counted(plan: TablePlan) -> str:
    rejects = plan.rows.rejects
    cells = sum(not reject.left_out for reject in rejects)
    return (
        f"{rows_left_out(rejects):,} of {plan.split.rows.num_rows:,} rows left out, {cells:,} further cells treated as "
        "empty"
    )
