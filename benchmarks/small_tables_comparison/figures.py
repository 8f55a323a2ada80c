"""From classical columns and runs to the figures: differences in points, calibration, coverage, seconds."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from small_tables_comparison.classical import VARIANTS, Columns
from small_tables_comparison.tables import SmallTable

MAIN = {"classification": "accuracy", "regression": "r2"}
COVERAGE = (0.86, 0.94)
SHOWN = ("best", "blend", "blend - best", "graph - side by side", "linear", "ece", "coverage", "seconds")
Row = dict[str, Any]


def classical_points(table: SmallTable, columns: Columns) -> dict[str, float]:
    """Column -> points on the test rows (100 x accuracy or R2) of the better variant."""
    main = MAIN[table.kind]
    return {name: max(100 * found[variant]["test"][main] for variant in VARIANTS) for name, found in columns.items()}


def table_figures(table: SmallTable, columns: Columns, runs: Sequence[Mapping[str, Any]]) -> Row:
    """One table: the best classical column, means over the runs, differences in points.

    "best" is over each modality alone, all side by side, added, and trees; "best of all" also over pairs of three
    modalities.
    """
    points = classical_points(table, columns)
    usual = {name: value for name, value in points.items() if "+" not in name}
    row: Row = {"best column": max(usual, key=lambda name: usual[name]), "best": max(usual.values())}
    row |= {"best of all": max(points.values()), "side by side": points.get("side by side", row["best"])}
    if not runs:
        return row
    main, tests = MAIN[table.kind], [run["metrics"]["test"] for run in runs]
    row["blend"] = mean([100 * test[main] for test in tests])
    for name, called in (("graph", ("graph",)), ("linear", ("linear", "plain"))):
        row[name] = mean([100 * test[main] for run in runs if (test := alone(run, called)) is not None])
    row["ece"] = mean([test["expected_calibration_error"] for test in tests if "expected_calibration_error" in test])
    row["coverage"] = mean([test["interval_coverage"] for test in tests if "interval_coverage" in test])
    row["seconds"] = max(run["seconds"] for run in runs)
    row["blend - best"] = row["blend"] - row["best"]
    row["blend - best of all"] = row["blend"] - row["best of all"]
    row["graph - side by side"] = None if row["graph"] is None else row["graph"] - row["side by side"]
    return row


def alone(run: Mapping[str, Any], called: Sequence[str]) -> Mapping[str, float] | None:
    """A member's own metrics on the test rows; those of the run if it is the only model."""
    if not run["members"] and called[0] == "graph":
        return run["metrics"]["test"]  # type: ignore[no-any-return]
    found = (run["members"][name]["metrics"].get("test") for name in called if name in run["members"])
    return next(found, None)


def mean(numbers: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return statistics.mean(numbers) if numbers else None


def judged(rows: Mapping[str, Row]) -> list[Row]:
    """The figures, each with the value that it must reach and a further goal, over the tables that were run."""
    found = [row for row in rows.values() if "blend" in row]
    differences = [row["blend - best"] for row in found]
    graphs = [row["graph - side by side"] for row in found if row["graph - side by side"] is not None]
    errors = [row["ece"] for row in found if row["ece"] is not None]
    covered = [row["coverage"] for row in found if row["coverage"] is not None]
    least, most = COVERAGE
    figures = [
        ("least difference, blend - best column", min(differences, default=None), -0.5, 1.0, 1),
        ("mean difference, blend - best column", mean(differences), 1.0, 3.0, 1),
        ("mean difference, graph alone - side by side", mean(graphs), 0.5, 2.0, 1),
        ("mean calibration error of the blend", mean(errors), 0.05, 0.03, -1),
        ("least coverage of 90% intervals", min(covered, default=None), least, least, 1),
        ("largest coverage of 90% intervals", max(covered, default=None), most, most, -1),
    ]
    return [
        {"figure": name, "found": value, "must": must, "reach": reach, "met": (value - must) * sign >= 0}
        for name, value, must, reach, sign in figures
        if value is not None
    ]


def shown_rows(rows: Mapping[str, Row]) -> Table:
    """The tables."""
    table = Table("table", "best column", *SHOWN, box=None)
    for name, row in rows.items():
        table.add_row(name, row["best column"], *(number(row.get(each)) for each in SHOWN))
    return table


def shown_figures(figures: Sequence[Row]) -> Table:
    """The figures."""
    table = Table("figure", "found", "must", "reach for", "", box=None)
    for row in figures:
        numbers = (number(row[each]) for each in ("found", "must", "reach"))
        table.add_row(row["figure"], *numbers, "met" if row["met"] else "not met")
    return table


def number(value: float | None) -> str:
    """A number as shown: three digits of shares, one decimal of points."""
    if value is None:
        return ""
    return f"{value:.3f}" if 0 < abs(value) < 1 else f"{value:.1f}"


def shown_columns(table: SmallTable, columns: Columns) -> Table:
    """The classical columns of one table, by variant."""
    main = MAIN[table.kind]
    shown = Table(table.name, "setting", *VARIANTS, box=None)
    for name, found in columns.items():
        setting = "" if found["setting"] is None else f"{found['setting']:.3g}"
        shown.add_row(name, setting, *(f"{100 * found[variant]['test'][main]:.1f}" for variant in VARIANTS))
    return shown
