"""The table of members, for the terminal and the report."""

from collections.abc import Mapping, Sequence
from typing import Any

from gnnfuse.saving.markdown import code, plain
from gnnfuse.workflow.brief_metrics import spelt

MOST = 4  # metrics that are shown


def member_lines(results: Mapping[str, Any]) -> list[str]:
    """The members of a blend in Markdown; nothing for a single model."""
    members: Sequence[Mapping[str, Any]] = results["members"]
    if not members:
        return []
    splits = list(results["metrics"])
    names = [name for name in results["metrics"][splits[0]] if "." not in name][:MOST]
    heads = [f"{spelt(name)}, {spelt(split)}" for split in splits for name in names]
    lines = [f"| member | share | {' | '.join(map(plain, heads))} | s |", f"|---|---|{'---|' * len(heads)}---|"]
    blend = {"name": "blend", "weight": 1.0, "metrics": results["metrics"], "seconds": None, "failed": None}
    for each in (blend, *members):
        if each["failed"] is None:
            numbers = [f"{each['metrics'][split][name]:.4g}" for split in splits for name in names]
            seconds = "" if each["seconds"] is None else f"{each['seconds']:.1f}"
            lines.append(f"| {code(each['name'])} | {each['weight']:.2f} | {' | '.join(numbers)} | {seconds} |")
    left_out = [f"`{each['name']}` was left out: {plain(each['failed'])}." for each in members if each["failed"]]
    return ["## Members", "", *lines, "", *(line for each in left_out for line in (each, ""))]
