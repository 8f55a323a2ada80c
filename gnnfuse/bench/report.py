"""A benchmark's results as a Markdown page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gnnfuse.bench.results import Results, columns, summary
from gnnfuse.sample.whole_file import write_whole
from gnnfuse.saving.markdown import plain
from gnnfuse.workflow.brief_metrics import spelt


def write_report(results: Results, out: Path, plots: Mapping[str, str], notes: Sequence[str] = ()) -> Path:
    """Write `report.md`.

    Args:
        results: the results to report.
        out: folder to write into.
        plots: file name -> description.
        notes: on plots.

    Returns:
        The file.
    """
    parts = [
        f"# {plain(results.task)}",
        _data(results),
        _table(columns(results), [summary(results, m) for m in results.models()]),
    ]
    parts += [_best(results), _groups(results), _budget(results)]
    parts += [f"![{plain(what)}]({name})" for name, what in plots.items()]
    parts += [f"{plain(note)}." for note in notes]
    parts += [_environment(results)]
    path = out / "report.md"
    write_whole(path, ("\n\n".join(part for part in parts if part) + "\n").encode())
    return path


def _data(results: Results) -> str:
    splits = ", ".join(f"{name} {size:,}" for name, size in results.splits.items())
    lines = [f"Samples: {splits}."]
    lines += [f"Source: {results.source}."] if results.source else []
    lines += [f"**{results.caveat}**"] if results.caveat else []
    lost = ", ".join(f"{name} {count:,}" for name, count in results.dropped.items() if count)
    lines += [f"Nodes lost to max_nodes, training and validation: {lost}."] if lost else []
    lines.append(
        "Mean ± standard deviation over seeds. Models were chosen on the validation split; every run saw the test "
        "split once, after training."
    )
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(map(plain, head)) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(plain, row)) + " |" for row in rows])


def _best(results: Results) -> str:
    """The best graph model compared with the best of every other family, one line each."""
    families = {model: results.of(model)[0].family for model in results.models()}
    graphs = [model for model in families if families[model] == "graph"]
    if not graphs:
        return ""
    graph = results.best(graphs)
    lines = []
    for family in dict.fromkeys(families.values()):
        others = [model for model in families if families[model] == family and family != "graph"]
        if others:
            other = results.best(others)
            difference = results.score(graph) - results.score(other)
            lines.append(f"- {graph} - {other} (best {family} model): {difference:+.3f}")
    return "\n".join(lines)


def _groups(results: Results) -> str:
    models = results.models()
    by_model = {model: results.by_group(model) for model in models}
    values = sorted({value for found in by_model.values() for value in found})
    if not values:
        return ""
    ceilings = results.ceilings
    head = ["", *models, *(f"ceiling {subset}" for subset in ceilings)]
    rows = [
        [value]
        + [f"{by_model[model].get(value, float('nan')):.3f}" for model in models]
        + [f"{found[value]:.3f}" for found in ceilings.values()]
        for value in values
    ]
    if ceilings:
        overall = [f"{results.score(model):.3f}" for model in models]
        rows.append(["all", *overall, *(f"{found['all']:.3f}" for found in ceilings.values())])
    measure = spelt(results.sample_metric)
    text = f"## By {plain(results.group)}\n\nTest {measure}, mean over seeds."
    if ceilings:
        text += (
            " A ceiling is the accuracy, computed from the task, of the best predictor that reads the named modalities "
            "perfectly and sees nothing else; each line gives the accuracy of that same predictor."
        )
    return text + "\n\n" + _table(head, rows)


def _budget(results: Results) -> str:
    told = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in results.budget.items()
    )
    cut = [f"{row.model} (seed {row.seed}, epoch {row.epochs})" for row in results.rows if row.stopped == "seconds"]
    reached = f"Stopped by the time limit: {', '.join(cut)}." if cut else "No run was stopped by the time limit."
    return f"## Budget\n\nThe same for every run: {told}. {reached}"


def _environment(results: Results) -> str:
    lines = [f"- {name}: {value}" for name, value in results.environment.items()]
    return "## Measured on\n\n" + "\n".join(lines)
