"""The files that `fit` writes beside the model: results.json, report.md and its plots."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnfuse.catalog import listed
from gnnfuse.data.rejects import rows_left_out
from gnnfuse.model_card import ModelCard
from gnnfuse.nodes import CachedNodes, PretrainedNodes
from gnnfuse.sample.whole_file import write_whole
from gnnfuse.saving.markdown import code, plain
from gnnfuse.tasks import Task
from gnnfuse.train import Evaluation, FitReport
from gnnfuse.workflow.brief_metrics import brief, spelt
from gnnfuse.workflow.fit_folder import REPORT, RESULTS
from gnnfuse.workflow.table_plan import TablePlan
from gnnfuse.workflow.targets.tasks import TASKS

if TYPE_CHECKING:
    from gnnfuse.draw.drawings import Drawing

Results = dict[str, Any]
TOLD = ("epochs", "batch_size", "learning_rate", "weight_decay", "patience", "seed", "precision", "device")
MOST_WEIGHTS = 20  # classes whose weights are listed


def results_of(plan: TablePlan, task: Task, report: FitReport, metrics: Mapping[str, Mapping[str, float]]) -> Results:
    """The content of results.json; `task` is the one that is saved."""
    return {
        "table": _table_name(plan),
        "columns": {role: list(found) for role in _ROLES if (found := plan.request.columns.of(role))},
        "task": plan.split.target.kind,
        "task_reason": plan.split.target.reason,
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
            "name": plan.request.options.model,
            "dim": plan.request.options.dim,
            "depth": plan.request.options.depth,
            "parameters": sum(parameter.numel() for parameter in task.parameters()),
            "trained_parameters": sum(p.numel() for p in task.parameters() if p.requires_grad),
            "encoders": _encoders(plan),
        },
        "training": {name: getattr(plan.request.config, name) for name in TOLD}
        | {
            "augment": plan.augments,
            "cached": list(plan.cached),
            "streaming": plan.request.table.streaming,
            "class_weights": getattr(task, "class_weights", None),
            "threshold": getattr(task, "threshold", None),
        },
        "epochs": report.epochs,
        "best_epoch": report.best_epoch + 1,
        "stopped": report.stopped,
        "seconds": report.seconds,
        "metrics": {split: dict(found) for split, found in metrics.items()},
        "history": [dict(entry) for entry in report.history],
    }


_ROLES = ("image", "audio", "text", "text_file", "rows", "features", "target", "id", "split", "group")


def _table_name(plan: TablePlan) -> str:
    """The table's name, without the quotes that messages put around it."""
    name = plan.request.table.name
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"" else name


def _encoders(plan: TablePlan) -> list[dict[str, object]]:
    """The pretrained encoders, by signal."""
    nodes = [each.of if isinstance(each, CachedNodes) else each for each in plan.task.builder.node_types]
    return [
        {"signal": each.signal, "model": each.model, "weights": each.weights, "fine_tuned": not each.frozen}
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


def write_report(
    results: Results, plan: TablePlan, report: FitReport, measured: Mapping[str, Evaluation], folder: Path
) -> tuple[str, ...]:
    """Write results.json and report.md, then the plots, and then report.md again, which shows them.

    A plot that fails affects nothing else.

    Returns:
        Notes on plots that failed, or whose names could not be written unchanged.
    """
    from gnnfuse.draw.drawings import draw_all

    text = json.dumps(_finite(results), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(folder / RESULTS, f"{text}\n".encode())
    write_whole(folder / REPORT, report_text(results, {}).encode())
    plots, notes = draw_all(_drawings(plan, report, measured), folder)
    write_whole(folder / REPORT, report_text(results, plots, notes).encode())
    return notes


def _drawings(plan: TablePlan, report: FitReport, measured: Mapping[str, Evaluation]) -> "dict[str, Drawing]":
    """The plots, by file name."""
    from gnnfuse.workflow.plots import draw_curves

    split = "test" if "test" in measured else "valid"

    def curves(path: Path) -> frozenset[str]:
        return draw_curves(report.history, plan.task.monitor, report.best_epoch, path)

    name, drawing = _of_predictions(plan, measured[split], split)
    return {"curves.png": ("Losses and the watched metric by epoch", curves), name: drawing}


def _of_predictions(plan: TablePlan, found: Evaluation, split: str) -> "tuple[str, Drawing]":
    """The plot of predictions against targets, and its file name."""
    kind = TASKS[plan.split.target.kind]

    def draw(path: Path) -> frozenset[str]:
        targets = [sample.target for sample in plan.rows.samples[split]]
        labels = [prediction.label for prediction in found.predictions]
        return kind.draw(plan.task, plan.split.target.columns, targets, labels, split, path)

    return kind.plot, (f"{kind.shows}, {split} split", draw)


def report_text(results: Results, plots: Mapping[str, str], notes: Sequence[str] = ()) -> str:
    """The report in Markdown.

    Args:
        results: as `results_of` gives them.
        plots: file name -> what it shows.
        notes: on plots.
    """
    splits = [split for split in ("valid", "test") if split in results["metrics"]]
    names = list(brief(results["metrics"][splits[0]]))
    lines = [f"# {plain(results['table'])}: {results['task']}", ""]
    lines += [f"{results['task']}, as {plain(results['task_reason'])}. Model `{results['model']['name']}`, "]
    lines[-1] += f"{results['model']['trained_parameters']:,} trained parameters, "
    lines[-1] += f"{results['epochs']} epoch{'s' * (results['epochs'] != 1)} in "
    lines[-1] += f"{results['seconds']:.0f} s (kept: epoch {results['best_epoch']}; ended by {results['stopped']})."
    lines += ["", f"| metric | {' | '.join(splits)} |", f"|---|{'---|' * len(splits)}"]
    for name in names:
        numbers = " | ".join(f"{results['metrics'][split][name]:.4g}" for split in splits)
        lines.append(f"| {plain(spelt(name))} | {numbers} |")
    opened = "the test split was opened once, after training" if "test" in splits else "there are no test rows"
    lines += ["", f"The epoch was chosen on the validation split; {opened}.", ""]
    if len(names) < len(results["metrics"][splits[0]]):
        lines += ["The errors of each number are in results.json.", ""]
    lines += _probability_lines(results)
    lines += ["## Data", "", *_data_lines(results), ""]
    for file, what in plots.items():
        lines += [f"## {what}", "", f"![{what}]({file})", ""]
    lines += [line for note in notes for line in (f"{plain(note)}.", "")]
    return "\n".join(lines)


def _probability_lines(results: Results) -> list[str]:
    """Explains the calibration error, and how predictions follow from probabilities if classes were weighted."""
    weights, threshold = results["training"]["class_weights"], results["training"]["threshold"]
    judged = (
        "the most probable class and how often it is right" if threshold is None else "a label and how often it occurs"
    )
    lines = []
    if "expected_calibration_error" in results["metrics"]["valid"]:
        lines = [
            f"The expected calibration error is the mean distance between the probability of {judged}, over 15 bins of "
            "equal width.",
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


def _data_lines(results: Results) -> list[str]:
    splits = results["splits"]
    lines = [
        f"- Splits: {splits['train']:,} train, {splits['valid']:,} valid, {splits['test']:,} test; "
        f"{plain(splits['rule'])}."
    ]
    lines += [f"- {role}: {listed([*map(code, names)])}" for role, names in results["columns"].items()]
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


def card(plan: TablePlan, report: FitReport, metrics: Mapping[str, Mapping[str, float]]) -> ModelCard:
    """The model card of this run."""
    split = "test" if "test" in metrics else "valid"
    hub = tuple(name for name in plan.request.options.encoders.named if _on_hub(name))
    more = {f"encoder of {each['signal']}": f"{each['model']}, {_how(each)}" for each in _encoders(plan)}
    if plan.request.columns.features:
        more["columns of features, in this order"] = listed(plan.request.columns.features, 100)
    return ModelCard(
        data=f"{_table_name(plan)}: {plan.rows.sizes['train']:,} training rows; {plan.split.splits.rule}",
        metrics=brief(metrics[split]),
        split=split,
        base_models=tuple(name for name in hub if not Path(name).exists()),
        training={name: getattr(plan.request.config, name) for name in TOLD} | {"epochs trained": report.epochs} | more,
    )


def _on_hub(encoder: str) -> bool:
    """Whether an encoder's name is one of the hub, where names of timm have tags."""
    tagged = not encoder.startswith("timm/") or "." in encoder
    return tagged and not encoder.startswith(("torchvision/", "torchaudio/"))


def _how(encoder: Mapping[str, object]) -> str:
    weights = "" if encoder["weights"] is None else f"weights {encoder['weights']}, "
    return weights + ("fine-tuned" if encoder["fine_tuned"] else "frozen")
