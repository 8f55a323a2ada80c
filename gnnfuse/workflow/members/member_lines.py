"""The table of members, for the terminal and the report."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gnnfuse.saving.markdown import code, plain
from gnnfuse.workflow.brief_metrics import spelt

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = ("accuracy", "micro_f1", "log_loss", "normalized_mean_absolute_error", "mean_absolute_error", "r2")


def member_lines(results: Mapping[str, Any]) -> list[str]:
    """The members of a blend in Markdown; nothing for a single model."""
    members: Sequence[Mapping[str, Any]] = results["members"]
    if not members:
        return []
    heads = _heads(results)
    lines = [f"| {' | '.join(map(plain, heads))} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {code(name)} | {' | '.join(cells)} |" for name, *cells in _rows(results)]
    left_out = [f"{code(each['name'])} was left out: {plain(each['failed'])}." for each in members if each["failed"]]
    return ["## Members", "", *lines, "", *(line for each in left_out for line in (each, ""))]


def member_table(results: Mapping[str, Any]) -> "Table":
    """The same for the terminal."""
    from rich.table import Table

    heads = _heads(results)
    table = Table(*heads, box=None)
    for number, row in enumerate(_rows(results)):
        table.add_row(*row, style="bold" if number == 0 else "")
    return table


def _heads(results: Mapping[str, Any]) -> list[str]:
    measured = [f"{spelt(name)}, {spelt(split)}" for split in results["metrics"] for name in _names(results)]
    return ["member", "share", *measured, "seconds"]


def _rows(results: Mapping[str, Any]) -> Iterator[list[str]]:
    blend = {"name": "blend", "weight": 1.0, "metrics": results["metrics"], "seconds": None, "failed": None}
    for each in (blend, *results["members"]):
        if each["failed"] is None:
            splits = [each["metrics"][split] for split in results["metrics"]]
            numbers = [f"{found[name]:.4g}" for found in splits for name in _names(results)]
            seconds = "" if each["seconds"] is None else f"{each['seconds']:.1f}"
            yield [each["name"], f"{each['weight']:.2f}", *numbers, seconds]


def _names(results: Mapping[str, Any]) -> list[str]:
    """The metrics that are shown."""
    found = next(iter(results["metrics"].values()))
    return [name for name in SHOWN if name in found]
