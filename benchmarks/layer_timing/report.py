"""Tables in the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from layer_timing.run import Row

COLUMNS = {
    "milliseconds": "ms",
    "forward_milliseconds": "forward ms",
    "host_milliseconds": "host ms",
    "peak_memory_mb": "peak MB",
    "bytes": "GB",
    "operations": "Gflop",
    "fraction_of_bandwidth": "of bandwidth",
    "fraction_of_matmul": "of matmul",
    "ratio_to_projections": "/ projections",
    "ratio_to_full_attention": "/ full attention",
}
WIDTH = 170  # of the widest table
SCALES = {"bytes": 1e-9, "operations": 1e-9}


def print_work(console: Console, rows: Sequence[Row]) -> None:
    """One work, the fastest first; those that did not run last, with the reason."""
    first = rows[0]
    size = f"{first['samples']} x {first['nodes']:,} nodes, {first['edges']:,} edges"
    table = Table(title=f"{first['work']}: {size}, {first['dtype']}, {first['device']}", title_justify="left")
    for heading in ("name", "impl"):
        table.add_column(heading, no_wrap=True)
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right")
    ran = [row for row in rows if row["milliseconds"] is not None]
    for row in sorted(ran, key=lambda row: float(row["milliseconds"])):
        numbers = (shown(row[field], SCALES.get(field, 1.0)) for field in COLUMNS)
        table.add_row(row["name"], row["impl"], *numbers)
    console.print(table)
    missing: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["reason"]:
            missing.setdefault((row["name"], row["reason"]), []).append(row["impl"])
    for (name, reason), impls in missing.items():
        console.print(
            f"  not run: {name} ({', '.join(impls)}): {reason}", highlight=False, soft_wrap=True, markup=False
        )


def print_growth(console: Console, growth: Mapping[str, Mapping[str, float | None]]) -> None:
    """Exponents and crossings."""
    for name, slope in growth["exponent"].items():
        console.print(f"{name}: time grows with nodes ** {shown(slope)}", highlight=False)
    for name, nodes in growth["cheaper_than_full_attention_from_nodes"].items():
        where = "does not change places with" if nodes is None else f"from {nodes:,.0f} nodes on cheaper than"
        console.print(f"{name}: {where} full attention", highlight=False)


def print_figures(console: Console, figures: Sequence[Mapping[str, Any]]) -> None:
    """What must be, what to reach for, what was measured."""
    table = Table(title="figures", title_justify="left")
    for heading in ("figure", "must", "reach for", "measured", "met", "note"):
        table.add_column(heading, justify="left" if heading in ("figure", "note") else "right")
    for line in figures:
        sign = ">=" if line["bound"] == "at least" else "<="
        reach = "" if line["reach_for"] is None else f"{sign} {shown(line['reach_for'])}"
        table.add_row(
            line["figure"], f"{sign} {shown(line['must'])}", reach, shown(line["measured"]), verdict(line), line["note"]
        )
    console.print(table)


def verdict(line: Mapping[str, Any]) -> str:
    """In a word."""
    if line["must_met"] is None:
        return "-"
    if not line["must_met"]:
        return "no"
    return "yes, and reached for" if line["reach_for_met"] else "yes"


def shown(number: float | None, scale: float = 1.0) -> str:
    """Three digits, a dash for none."""
    if number is None:
        return "-"
    number *= scale
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
