"""`gnnfuse fit` on a table, as a user runs it, and the results that it writes."""

import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from operator import eq
from pathlib import Path
from typing import Any

from small_tables_comparison.export import FILE, SEEN
from small_tables_comparison.tables import SmallTable


def run_fit(
    table: SmallTable, folder: Path, out: Path, *, models: Path | None, seed: int, options: Sequence[str]
) -> dict[str, Any]:
    """Fit, and predict the second test where there is one.

    Args:
        table: the table.
        folder: the folder it was exported into.
        out: a folder for the model, emptied first.
        models: the folder of encoders.
        seed: of the command.
        options: further options of the command.

    Returns:
        Seconds from the command's start to its end, metrics by split, and the members' own, where there are any.
    """
    shutil.rmtree(out, ignore_errors=True)
    started = time.perf_counter()
    gnnfuse("fit", folder / FILE, *table.options(models), "--out", out, "--seed", seed, *options)
    seconds = round(time.perf_counter() - started, 1)
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    metrics = results["metrics"]
    members = {each["name"]: each for each in results.get("members", ())}
    if (folder / SEEN).is_file():
        metrics["seen"] = {"accuracy": seen_accuracy(table, folder / SEEN, out)}
    return {"seconds": seconds, "metrics": metrics, "members": members}


def gnnfuse(*words: object) -> None:
    """Run a command.

    Raises:
        RuntimeError: it failed; with the end of what it printed.
    """
    command = [sys.executable, "-m", "gnnfuse", *map(str, words)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} ended with {ended.returncode}:\n{ended.stdout[-3000:]}")


def seen_accuracy(table: SmallTable, path: Path, model: Path) -> float:
    """The accuracy on a second table."""
    answers = model / "seen-answers.csv"
    gnnfuse("predict", model, path, "--out", answers, "--id", "id")
    with answers.open(newline="", encoding="utf-8") as file, path.open(newline="", encoding="utf-8") as asked:
        found = [row["prediction"] for row in csv.DictReader(file)]
        wanted = [row[table.target] for row in csv.DictReader(asked)]
    return float(sum(map(eq, found, wanted)) / len(wanted))
