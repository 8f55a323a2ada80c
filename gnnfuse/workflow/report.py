"""The files that `fit` writes beside the model: results.json, report.md and its plots."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnfuse.catalog import listed
from gnnfuse.data.rejects import rows_left_out
from gnnfuse.model_card import ModelCard
from gnnfuse.nodes import CachedNodes, PretrainedNodes
from gnnfuse.sample.whole_file import write_whole
from gnnfuse.saving.markdown import code, plain
from gnnfuse.tasks import Task
from gnnfuse.train import FitReport
from gnnfuse.workflow.brief_metrics import brief, spelt
from gnnfuse.workflow.fit_folder import RELIABILITY, REPORT, RESULTS
from gnnfuse.workflow.members.member_lines import member_lines
from gnnfuse.workflow.outcome import FitOutcome
from gnnfuse.workflow.table_plan import TablePlan
from gnnfuse.workflow.targets.tasks import TASKS

if TYPE_CHECKING:
    from gnnfuse.draw.drawings import Drawing

Results = dict[str, Any]
TOLD = ("epochs", "batch_size", "learning_rate", "weight_decay", "patience", "seed", "precision", "device")
SPLIT_NAMES = {"valid": "valid split", "out_of_fold": "each row by fits that had not seen it", "test": "test split"}
COVERAGES = {
    "interval_coverage": "Intervals (`prediction_low` to `prediction_high`) are made to contain the number",
    "label_set_coverage": "Label sets (`label_set`) are made to contain all that is true",
}
MOST_WEIGHTS = 20  # classes whose weights are listed


def results_of(plan: TablePlan, outcome: FitOutcome) -> Results:
    """The content of results.json."""
    task, report = outcome.task, outcome.report
    return {
        "table": _table_name(plan),
        "columns": {role: list(found) for role in _ROLES if (found := plan.request.columns.of(role))},
        "task": plan.split.target.kind,
        "task_reason": plan.split.target.reason,
        "target_notes": TASKS[plan.split.target.kind].notes(task.builder.target, plan.split.target.columns),
        "classes": list(getattr(task, "classes", ())),
        "splits": {
            "rule": plan.split.splits.rule,
            "fractions": None if plan.split.splits.fractions is None else list(plan.split.splits.fractions),
            **plan.rows.sizes,
        },
        "rows": {"in": plan.rows.survey.rows_in, "left_out": rows_left_out(plan.rows.rejects)},
        "cells_taken_for_empty": sum(not reject.left_out for reject in plan.rows.rejects),
        "present": {
            split: {signal: found.get(signal, 0) for signal in plan.request.columns.signals}
            for split, found in plan.rows.survey.present.items()
        },
        "model": {
            "name": ", ".join(plan.request.options.named_members),
            "dim": plan.request.options.dim,
            "depth": plan.request.options.depth,
            "parameters": sum(parameter.numel() for parameter in task.parameters()),
            "trained_parameters": sum(p.numel() for p in task.parameters() if p.requires_grad),
            "encoders": _encoders(plan),
        },
        "training": {name: getattr(plan.request.config, name) for name in TOLD}
        | {
            "augment": plan.augments,
            "cached": [] if plan.request.passing_cache else list(plan.cached),
            "streaming": plan.request.table.streaming,
            "class_weights": _class_weights(task),
            "threshold": getattr(task, "threshold", None),
            "coverage": _level(task),
        },
        "members": [vars(member) for member in outcome.members],
        "blended": outcome.blended,
        "epochs": 0 if report is None else report.epochs,
        "best_epoch": 0 if report is None else report.best_epoch + 1,
        "stopped": None if report is None else report.stopped,
        "seconds": 0.0 if report is None else report.seconds,
        "metrics": outcome.metrics,
        "history": [] if report is None else [dict(entry) for entry in report.history],
    }


_ROLES = ("image", "audio", "text", "text_file", "rows", "features", "target", "id", "split", "group")


def _level(task: Task) -> float | None:
    """The coverage that intervals or label sets are made for, if there are any."""
    made = getattr(task, "intervals", None) or getattr(task, "label_set", None)
    return None if made is None else made.level


def _class_weights(task: Task) -> list[float] | None:
    """The class weights of the first objective that has any."""
    found = (getattr(objective, "class_weights", None) for objective in task.objectives)
    weights = next((each for each in found if each is not None), None)
    return None if weights is None else list(weights)


def _table_name(plan: TablePlan) -> str:
    """The table's name, without the quotes that messages put around it."""
    name = plan.request.table.name
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"" else name


def _encoders(plan: TablePlan) -> list[dict[str, object]]:
    """The pretrained encoders, by signal."""
    nodes = [each.of if isinstance(each, CachedNodes) else each for each in plan.task.builder.node_types]
    return [
        {
            "signal": each.signal,
            "model": each.model,
            "weights": each.weights,
            "fine_tuned": not each.frozen,
            "tuned_blocks": each.tuned,
        }
        for each in nodes
        if isinstance(each, PretrainedNodes)
    ]


def _finite(value: Any) -> Any:
    """The same value with null for numbers that JSON cannot represent.

    Example:
        >>> _finite({"loss": [1.0, float("inf")]})
        {'loss': [1.0, None]}
    """
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_report(results: Results, plan: TablePlan, outcome: FitOutcome, folder: Path) -> tuple[str, ...]:
    """Write results.json and report.md, then the plots, and then report.md again, which shows them.

    A plot that fails affects nothing else.

    Returns:
        Notes on plots that failed, or whose names could not be written unchanged.
    """
    from gnnfuse.draw.drawings import draw_all

    text = json.dumps(_finite(results), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(folder / RESULTS, f"{text}\n".encode())
    write_whole(folder / REPORT, report_text(results, {}).encode())
    plots, notes = draw_all(_drawings(plan, outcome), folder)
    write_whole(folder / REPORT, report_text(results, plots, notes).encode())
    return notes


def _drawings(plan: TablePlan, outcome: FitOutcome) -> "dict[str, Drawing]":
    """The plots, by file name."""
    from gnnfuse.workflow.plots import draw_curves

    report, split, drawings = outcome.report, outcome.shown, dict[str, Any]()

    @cache
    def targets() -> list[object]:
        return [sample.target for sample in outcome.samples[split]]

    if report is not None:
        history, best = report.history, report.best_epoch

        def curves(path: Path) -> frozenset[str]:
            return draw_curves(history, plan.task.monitor, best, path)

        last = "of the first trained member, in its last fit, by epoch" if outcome.members else "by epoch"
        drawings["curves.png"] = (f"Losses and the watched metric {last}", curves)
    name, drawing = _of_predictions(plan, targets, outcome)
    drawings[name] = drawing
    if TASKS[plan.split.target.kind].certain is not None:
        drawings[RELIABILITY] = _reliability(plan, targets, outcome)
    return drawings


def _of_predictions(plan: TablePlan, targets: Callable[[], list[object]], outcome: FitOutcome) -> "tuple[str, Drawing]":
    """The plot of predictions against targets, and its file name."""
    kind, split = TASKS[plan.split.target.kind], outcome.shown

    def draw(path: Path) -> frozenset[str]:
        labels = [prediction.label for prediction in outcome.measured[split].predictions]
        return kind.draw(plan.task, plan.split.target.columns, targets(), labels, split, path)

    return kind.plot, (f"{kind.shows}, {SPLIT_NAMES[split]}", draw)


def _reliability(plan: TablePlan, targets: Callable[[], list[object]], outcome: FitOutcome) -> "Drawing":
    """The plot of how often predictions came true against their probability."""
    from gnnfuse.workflow.plots import draw_reliability

    kind, split = TASKS[plan.split.target.kind], outcome.shown

    def draw(path: Path) -> frozenset[str]:
        assert kind.certain is not None
        found = outcome.measured[split].predictions
        return draw_reliability(*kind.certainties(plan.task, targets(), found), kind.certain, path)

    return f"Reliability of probabilities, {SPLIT_NAMES[split]}", draw


def report_text(results: Results, plots: Mapping[str, str], notes: Sequence[str] = ()) -> str:
    """The report in Markdown.

    Args:
        results: as `results_of` gives them.
        plots: file name -> what it shows.
        notes: on plots.
    """
    splits = list(results["metrics"])
    names = list(brief(results["metrics"][splits[0]]))
    lines = [f"# {plain(results['table'])}: {results['task']}", ""]
    lines += [f"{results['task']}, as {plain(results['task_reason'])}. {_made(results)}"]
    lines += ["", f"| metric | {' | '.join(map(spelt, splits))} |", f"|---|{'---|' * len(splits)}"]
    for name in names:
        numbers = " | ".join(f"{results['metrics'][split][name]:.4g}" for split in splits)
        lines.append(f"| {plain(spelt(name))} | {numbers} |")
    opened = "the test split was opened once, after training" if "test" in splits else "there are no test rows"
    chosen = results["blended"] or "The epoch was chosen on the validation split"
    lines += ["", f"{chosen}; {opened}.", ""]
    if len(names) < len(results["metrics"][splits[0]]):
        lines += ["The errors of each number are in results.json.", ""]
    lines += [*member_lines(results), *_probability_lines(results), *_coverage_lines(results, splits)]
    lines += ["## Data", "", *_data_lines(results), ""]
    for file, what in plots.items():
        lines += [f"## {what}", "", f"![{what}]({file})", ""]
    lines += [line for note in notes for line in (f"{plain(note)}.", "")]
    return "\n".join(lines)


def _made(results: Results) -> str:
    """What was fitted, in one sentence."""
    trained = f"{results['model']['trained_parameters']:,} trained parameters"
    if results["members"]:
        shares = [f"`{each['name']}` {each['weight']:.2f}" for each in results["members"] if each["weight"]]
        return f"Blend of {listed(shares)}, {trained}."
    return (
        f"Model `{results['model']['name']}`, {trained}, "
        f"{results['epochs']} epoch{'s' * (results['epochs'] != 1)} in {results['seconds']:.0f} s "
        f"(kept: epoch {results['best_epoch']}; ended by {results['stopped']})."
    )


def _probability_lines(results: Results) -> list[str]:
    """Explains the calibration error, and how predictions follow from probabilities if classes were weighted."""
    weights, threshold = results["training"]["class_weights"], results["training"]["threshold"]
    judged = (
        "the most probable class and how often it is right" if threshold is None else "a label and how often it occurs"
    )
    lines = []
    if "expected_calibration_error" in next(iter(results["metrics"].values())):
        lines = [
            f"The expected calibration error is the mean distance between the probability of {judged}, over 15 bins of "
            f"equal width. {RELIABILITY} shows them: a point on the diagonal came true as often as its probability "
            "states, one below it less often (predictions are too certain).",
            "",
        ]
    if weights is None:
        return lines
    lines += [
        "Classes were weighted in training. `probability_...` are probabilities at the class frequencies of the "
        "training rows: the effect of the weights is removed."
    ]
    if threshold is None:
        rule = "The prediction, which the metrics use, is the class with the largest probability times weight"
        numbers = dict(zip(results["classes"], weights, strict=True))
    else:
        rule = "A label is predicted, for the metrics too, from this probability on"
        bars = [threshold / (threshold + weight * (1 - threshold)) for weight in weights]
        numbers = dict(zip(results["classes"], bars, strict=True))
    shown = ", ".join(f"{code(name)} {number:.3g}" for name, number in list(numbers.items())[:MOST_WEIGHTS])
    more = ", ... (all weights are in results.json)" if len(numbers) > MOST_WEIGHTS else ""
    return [*lines, f"{rule}: {shown}{more}. `--no-class-weights` trains without weights.", ""]


def _coverage_lines(results: Results, splits: Sequence[str]) -> list[str]:
    """What the coverage of intervals or label sets is made for, and what it was."""
    level = results["training"].get("coverage")
    if level is None:
        return []
    measured = results["metrics"][splits[-1]]
    found = {name: value for name, value in brief(measured).items() if name.partition(".")[0] in COVERAGES}
    names = {name.partition(".")[0] for name in measured}
    what = next(text for name, text in COVERAGES.items() if name in names)
    shown = ", ".join(f"{name.partition('.')[2]} {value:.1%}".strip() for name, value in found.items())
    reached = f"; the coverage of {spelt(splits[-1])} rows is {shown}" if found else ""
    return [f"{what} with a probability of {level:.0%}{reached}.", ""]


def _data_lines(results: Results) -> list[str]:
    splits = results["splits"]
    lines = [
        f"- Splits: {splits['train']:,} train, {splits['valid']:,} valid, {splits['test']:,} test; "
        f"{plain(splits['rule'])}."
    ]
    lines += [f"- {role}: {listed([*map(code, names)])}" for role, names in results["columns"].items()]
    lines += [f"- {plain(note)}." for note in results.get("target_notes", ())]
    train = results["present"].get("train", {})
    total = splits["train"]
    for signal, count in train.items():
        lines.append(f"- {code(signal)} is present in {count:,} of {total:,} training rows")
    lines += [
        f"- {code(each['signal'])} is read by {code(each['model'])}, {_how(each)}"
        for each in results["model"]["encoders"]
    ]
    lines += [f"- {code(signal)} was read from the cache" for signal in results["training"]["cached"]]
    left, cells = results["rows"]["left_out"], results["cells_taken_for_empty"]
    lines.append(f"- {left:,} of {results['rows']['in']:,} rows were left out and {cells:,} cells treated as empty")
    lines[-1] += " (rejects.csv)." if left or cells else "."
    return lines


def card(plan: TablePlan, report: FitReport | None, metrics: Mapping[str, Mapping[str, float]]) -> ModelCard:
    """The model card of this run; its metrics are those of the last split."""
    split = list(metrics)[-1]
    hub = tuple(name for name in plan.request.options.encoders.named if _on_hub(name))
    more: dict[str, object] = {} if report is None else {"epochs trained": report.epochs}
    more |= {f"encoder of {each['signal']}": f"{each['model']}, {_how(each)}" for each in _encoders(plan)}
    if plan.request.columns.features:
        more["columns of features, in this order"] = listed(plan.request.columns.features, 100)
    return ModelCard(
        data=f"{_table_name(plan)}: {plan.rows.sizes['train']:,} training rows; {plan.split.splits.rule}",
        metrics=brief(metrics[split]),
        split=spelt(split),
        base_models=tuple(name for name in hub if not Path(name).exists()),
        training={name: getattr(plan.request.config, name) for name in TOLD} | more,
    )


def _on_hub(encoder: str) -> bool:
    """Whether an encoder's name is one of the hub, where names of timm have tags."""
    tagged = not encoder.startswith("timm/") or "." in encoder
    return tagged and not encoder.startswith(("torchvision/", "torchaudio/"))


def _how(encoder: Mapping[str, object]) -> str:
    weights = "" if encoder["weights"] is None else f"weights {encoder['weights']}, "
    if encoder["tuned_blocks"]:
        blocks = "block" if encoder["tuned_blocks"] == 1 else f"{encoder['tuned_blocks']} blocks"
        return f"{weights}last {blocks} tuned"
    return weights + ("fine-tuned" if encoder["fine_tuned"] else "frozen")
