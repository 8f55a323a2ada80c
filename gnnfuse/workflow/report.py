"""What `fit` writes beside the model: results.json, report.md and its plots."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnnfuse.catalog import listed
from gnnfuse.data.rejects import rows_left_out
from gnnfuse.data.tables.columns import FEATURES
from gnnfuse.model_card import ModelCard
from gnnfuse.nodes import CachedNodes, PretrainedNodes
from gnnfuse.sample.whole_file import write_whole
from gnnfuse.tasks import Classification, MultiLabel, Regression, Task
from gnnfuse.train import Evaluation, FitReport
from gnnfuse.workflow.fit_folder import REPORT, RESULTS
from gnnfuse.workflow.plots import draw_confusion, draw_curves, draw_labels, draw_scatter
from gnnfuse.workflow.table_plan import TablePlan

Results = dict[str, Any]
TOLD = ("epochs", "batch_size", "learning_rate", "weight_decay", "patience", "seed", "precision", "device")


def results_of(plan: TablePlan, task: Task, report: FitReport, metrics: Mapping[str, Mapping[str, float]]) -> Results:
    """Everything that results.json says; the task is the one that is saved."""
    return {
        "table": _table_name(plan),
        "columns": {role: list(found) for role in _ROLES if (found := plan.columns.of(role))},
        "task": plan.target.kind,
        "task_reason": plan.target.reason,
        "classes": list(getattr(task, "classes", ())),
        "splits": {
            "rule": plan.splits.rule,
            "fractions": None if plan.splits.fractions is None else list(plan.splits.fractions),
            **plan.sizes,
        },
        "rows": {"in": plan.survey.rows_in, "left_out": rows_left_out(plan.rejects)},
        "cells_taken_for_empty": sum(not reject.left_out for reject in plan.rejects),
        "present": {split: dict(found) for split, found in plan.survey.present.items()},
        "model": {
            "name": plan.options.model,
            "dim": plan.options.dim,
            "depth": plan.options.depth,
            "parameters": sum(parameter.numel() for parameter in task.parameters()),
            "trained_parameters": sum(p.numel() for p in task.parameters() if p.requires_grad),
            "encoders": _encoders(plan),
        },
        "training": {name: getattr(plan.config, name) for name in TOLD}
        | {
            "augment": plan.augments,
            "cached": list(plan.cached),
            "streaming": plan.table.streaming,
            "class_weights": getattr(task, "class_weights", None),
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
    """Without the quotes that messages have around it."""
    name = plan.table.name
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
    """The same with null for what JSON has no number for.

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
) -> None:
    """Write results.json, report.md and the plots that it shows."""
    split = "test" if "test" in measured else "valid"
    plots = {"curves.png": "Losses and the watched metric by epoch"}
    draw_curves(report.history, plan.task.monitor, report.best_epoch, folder / "curves.png")
    plots |= _predictions(plan, measured[split], split, folder)
    text = json.dumps(_finite(results), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(folder / RESULTS, f"{text}\n".encode())
    write_whole(folder / REPORT, report_text(results, plots).encode())


def _predictions(plan: TablePlan, found: Evaluation, split: str, folder: Path) -> dict[str, str]:
    """Draw the predictions against the targets."""
    samples = plan.of(split)
    targets: list[Any] = [sample.target for sample in samples]
    labels: list[Any] = [prediction.label for prediction in found.predictions]
    if isinstance(plan.task, Regression):
        rows = [target if isinstance(target, tuple) else (target,) for target in targets]
        said = [label if isinstance(label, tuple) else (label,) for label in labels]
        names = plan.columns.target if len(plan.columns.target) == len(rows[0]) else _numbered(plan, len(rows[0]))
        draw_scatter(rows, said, names, folder / "predictions.png")
        return {"predictions.png": f"Predictions against targets, {split} split"}
    assert isinstance(plan.task, Classification | MultiLabel)
    classes = plan.task.classes
    if isinstance(plan.task, MultiLabel):
        counts = Counter(name for target in targets for name in target)
        draw_labels(label_scores(targets, labels, classes), counts, split, folder / "labels.png")
        return {"labels.png": f"F1 of each label, {split} split"}
    draw_confusion(targets, labels, classes, folder / "confusion.png")
    return {"confusion.png": f"Targets and predictions, {split} split"}


def _numbered(plan: TablePlan, count: int) -> tuple[str, ...]:
    return tuple(f"{plan.columns.target[0]}[{number}]" for number in range(count))


def label_scores(
    targets: list[tuple[str, ...]], labels: list[tuple[str, ...]], classes: tuple[str, ...]
) -> dict[str, float]:
    """F1 of each label; 0 where it is neither predicted nor there.

    Example:
        >>> label_scores([("a",), ("a", "b")], [("a",), ("a",)], ("a", "b"))
        {'a': 1.0, 'b': 0.0}
    """
    scores = {}
    for name in classes:
        pairs = [(name in target, name in said) for target, said in zip(targets, labels, strict=True)]
        right = sum(has and says for has, says in pairs)
        all_of_both = sum(has + says for has, says in pairs)
        scores[name] = 2 * right / all_of_both if all_of_both else 0.0
    return scores


def report_text(results: Results, plots: Mapping[str, str]) -> str:
    """The page to read."""
    splits = [split for split in ("valid", "test") if split in results["metrics"]]
    names = list(results["metrics"][splits[0]])
    lines = [f"# {results['table']}: {results['task']}", ""]
    lines += [f"{results['task']}, as {results['task_reason']}. Model `{results['model']['name']}`, "]
    lines[-1] += f"{results['model']['trained_parameters']:,} trained parameters, {results['epochs']} epochs in "
    lines[-1] += f"{results['seconds']:.0f} s (kept: epoch {results['best_epoch']}; ended by {results['stopped']})."
    lines += ["", f"| metric | {' | '.join(splits)} |", f"|---|{'---|' * len(splits)}"]
    for name in names:
        numbers = " | ".join(f"{results['metrics'][split][name]:.4g}" for split in splits)
        lines.append(f"| {name.replace('_', ' ')} | {numbers} |")
    opened = "the test split was opened once, after training" if "test" in splits else "there are no test rows"
    lines += ["", f"The epoch was chosen on the validation split; {opened}.", ""]
    lines += ["## Data", "", *_data_lines(results), ""]
    for file, what in plots.items():
        lines += [f"## {what}", "", f"![{what}]({file})", ""]
    return "\n".join(lines)


def _data_lines(results: Results) -> list[str]:
    splits = results["splits"]
    lines = [
        f"- Splits: {splits['train']:,} train, {splits['valid']:,} valid, {splits['test']:,} test; {splits['rule']}."
    ]
    lines += [f"- {role}: {listed([f'`{name}`' for name in names])}" for role, names in results["columns"].items()]
    train = results["present"].get("train", {})
    total = splits["train"]
    for signal, count in train.items():
        lines.append(f"- `{signal}` is there in {count:,} of {total:,} training rows")
    lines += [
        f"- `{each['signal']}` is read by `{each['model']}`, {_how(each)}" for each in results["model"]["encoders"]
    ]
    lines += [f"- `{signal}` was read from cached features" for signal in results["training"]["cached"]]
    left, cells = results["rows"]["left_out"], results["cells_taken_for_empty"]
    lines.append(f"- {left:,} of {results['rows']['in']:,} rows were left out and {cells:,} cells taken for empty")
    lines[-1] += " (rejects.csv)." if left or cells else "."
    return lines


def card(plan: TablePlan, report: FitReport, metrics: Mapping[str, Mapping[str, float]]) -> ModelCard:
    """What the model card says of this run."""
    split = "test" if "test" in metrics else "valid"
    hub = tuple(name for name in plan.options.encoders.named if not name.startswith(("torchvision/", "torchaudio/")))
    more = {f"encoder of {each['signal']}": f"{each['model']}, {_how(each)}" for each in _encoders(plan)}
    if plan.columns.features:
        more[f"numbers in {FEATURES}, in this order"] = listed(plan.columns.features, 100)
    return ModelCard(
        data=f"{_table_name(plan)}: {plan.sizes['train']:,} training rows; {plan.splits.rule}",
        metrics=dict(metrics[split]),
        split=split,
        base_models=tuple(name for name in hub if not Path(name).exists()),
        training={name: getattr(plan.config, name) for name in TOLD} | {"epochs trained": report.epochs} | more,
    )


def _how(encoder: Mapping[str, object]) -> str:
    weights = "" if encoder["weights"] is None else f"weights {encoder['weights']}, "
    return weights + ("fine-tuned" if encoder["fine_tuned"] else "frozen")
