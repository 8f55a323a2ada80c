"""Compares `gnnfuse fit` on small tables with ten lines of scikit-learn over the same features.

Tables: five languages of `picture_words`, with pretrained encoders (`words_en`) and from raw files (`words_en_raw`);
1,500 hard pairs of `av_digits` (`digits`, `digits_raw`); the utterances of `mosi` (`mosi`, `mosi_numbers`: the same
label as a number). Each is written as users have it: a CSV file with PNG and WAV files beside it.

    python benchmarks/small_tables.py --work DIR --classical                      # scikit-learn alone
    python benchmarks/small_tables.py --work DIR --out RESULTS.json               # and `gnnfuse fit`, seeds 0 to 2
    python benchmarks/small_tables.py --work DIR --only words_en --export         # write the table, print its options
    python benchmarks/small_tables.py --work DIR --only words_en --preset fast --members graph,linear -- --epochs 5
    python benchmarks/small_tables.py --work DIR --learning-curve                 # the digits with 100 to 12,000 rows
    python benchmarks/small_tables.py --work DIR --time                           # presets on 1,000 rows

Options after `--` are passed to `gnnfuse fit`. Runs that the results file has for the same code are not repeated.
"""

import argparse
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from gnnfuse.catalog import unknown
from layer_timing.environment import PACKAGES, environment
from small_tables_comparison.commands import run_fit
from small_tables_comparison.export import export
from small_tables_comparison.figures import (
    judged,
    shown_columns,
    shown_figures,
    shown_rows,
    table_figures,
)
from small_tables_comparison.record import Record, classical_code, code
from small_tables_comparison.rows import read_rows
from small_tables_comparison.tables import CURVE, SmallTable, tables

FURTHER = ("lightgbm", "scikit-learn", "timm", "torchaudio", "torchvision", "transformers")


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder that keeps tables, features and models")
    parser.add_argument("--data", help="folder of data sets; GNNFUSE_DATA by default")
    parser.add_argument("--models", type=Path, help="folder of encoders; GNNFUSE_MODELS by default")
    parser.add_argument("--only", nargs="+", metavar="TABLE", help="tables; those of the figures by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--preset", help="of `gnnfuse fit`")
    parser.add_argument("--members", help="of `gnnfuse fit`")
    parser.add_argument("--out", type=Path, help="JSON file of results; WORK/results.json by default")
    parser.add_argument("--export", action="store_true", help="write the tables and fit nothing")
    parser.add_argument("--classical", action="store_true", help="compute the classical columns and fit nothing")
    parser.add_argument("--learning-curve", action="store_true", help="the digits with 100 to 12,000 rows, one seed")
    parser.add_argument("--time", action="store_true", help="the time of a preset on 1,000 rows, one seed")
    parser.add_argument("options", nargs="*", help="after --: further options of `gnnfuse fit`")
    arguments = parser.parse_args(words)
    arguments.out = arguments.out or arguments.work / "results.json"
    if arguments.models is None and os.environ.get("GNNFUSE_MODELS"):
        arguments.models = Path(os.environ["GNNFUSE_MODELS"])
    if arguments.learning_curve or arguments.time:
        arguments.seeds = arguments.seeds[:1]
    return arguments


def chosen(arguments: argparse.Namespace) -> list[SmallTable]:
    """The tables to run."""
    known = tables()
    names = arguments.only or [name for name, table in known.items() if table.counted]
    if arguments.learning_curve:
        names = [f"digits_{rows}" for rows in CURVE]
    if arguments.time:
        names = ["timed"]
    for name in names:
        if name not in known:
            raise ValueError(unknown("table", name, list(known)))
    return [known[name] for name in names]


def classical(table: SmallTable, folder: Path, arguments: argparse.Namespace, record: Record) -> dict[str, Any]:
    """The classical columns, computed unless they are recorded."""
    version = classical_code()
    columns = record.classical(table.name, version)
    if columns is None:
        from small_tables_comparison.classical import classical_columns
        from small_tables_comparison.modalities import modalities

        rows = read_rows(table, folder)
        columns = classical_columns(rows, modalities(rows, arguments.models, arguments.work / "features"))
        record.keep("classical", {"code": version, "columns": columns}, name=table.name)
    return columns


def runs(table: SmallTable, folder: Path, arguments: argparse.Namespace, record: Record) -> list[dict[str, Any]]:
    """`gnnfuse fit` once per seed, unless the run is recorded."""
    given = {"preset": arguments.preset, "members": arguments.members}
    options = [word for name, value in given.items() if value is not None for word in (f"--{name}", value)]
    options += arguments.options
    found = []
    for seed in arguments.seeds:
        key = {"table": table.name, "seed": seed, "options": shlex.join(options), "code": code("gnnfuse")}
        run = record.run(key)
        if run is None:
            out = arguments.work / "models" / f"{table.name}-{seed}"
            run = key | run_fit(table, folder, out, models=arguments.models, seed=seed, options=options)
            record.keep("runs", run)
        print(table.name, seed, run["seconds"], json.dumps(run["metrics"].get("test")), flush=True)
        found.append(run)
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Export, compute the classical columns, run the command, print and write."""
    arguments, console = parsed(words), Console(width=200)
    record, rows = Record(arguments.out), {}
    wanted = chosen(arguments)
    for table in wanted:
        path = export(table, arguments.work, arguments.data)
        if arguments.export:
            print(path, shlex.join(table.options(arguments.models)))
            continue
        columns = classical(table, path.parent, arguments, record)
        console.print(shown_columns(table, columns))
        found = [] if arguments.classical else runs(table, path.parent, arguments, record)
        rows[table.name] = table_figures(table, columns, found)
    if arguments.export:
        return
    figures = judged({table.name: rows[table.name] for table in wanted if table.counted})
    record.keep("environment", environment("cpu", (*PACKAGES, *FURTHER)))
    record.keep("figures", {"tables": rows, "figures": figures}, name=named(arguments))
    console.print(shown_rows(rows))
    console.print(shown_figures(figures))


def named(arguments: argparse.Namespace) -> str:
    """The name of a set of figures, made of the options."""
    what = "classical" if arguments.classical else f"preset {arguments.preset}, members {arguments.members}"
    return shlex.join([what, *arguments.options, *(["learning curve"] if arguments.learning_curve else [])])


if __name__ == "__main__":
    main()
