"""How long one block of message passing takes, beside what else one could use.

    python benchmarks/layers.py --work clip video long --out FILE

A block is input projections, message passing and output projection, no norm and no feed-forward, forward and
backward. All contenders run in one process and take turns; a number is the median of at least 7 runs, each directly
after an untimed one of the same contender: a user trains one model, and its steps find the memory that its own last
step left. Outputs and gradients of all implementations are compared first, with tolerances that follow from a float64
run; where they differ, nothing is reported.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from layer_timing.agreement import DisagreementError
from layer_timing.ceilings import measure_ceilings
from layer_timing.contenders import CONTENDERS, OPERATORS, named
from layer_timing.environment import environment
from layer_timing.figures import figures
from layer_timing.growth import LEAST_NODES, SIZES, summary, time_growth
from layer_timing.report import WIDTH, print_figures, print_growth, print_work
from layer_timing.run import Row, Settings, time_work
from layer_timing.workloads import WORKS

WORDS = """works, per sample:
  clip   196 patches in a grid of 14x14, 128 frames, 64 tokens; about 8,400 edges
  video  1,568 patches (32 pictures of 7x7), 1,500 frames, 512 tokens; about 75,300 edges
  long   16,384 nodes in three sequences, 20 edges into each
Patches are joined with their 8 neighbours, sequences within a window of 2, and 8 random edges go into every node
from each other type: 9 relations.

names: {names}

on CUDA, ms is the device's own time while the host runs ahead; host ms is what the host takes to launch it all: the
larger of both is what a step takes. peak memory is what a run adds to inputs and weights: the resident set on the
CPU, the allocator's bytes on CUDA. bytes are those that PyTorch's operators read and write, each operand once per
call; operations are those of the formula, counted twice again for the backward pass. Ratios are to the faster row of
the projections."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, checked."""
    names = ", ".join(dict.fromkeys(contender.name for contender in (*CONTENDERS, *OPERATORS)))
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=WORDS.format(names=names),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    per_device = "; ".join(
        f"{device}: {', '.join(f'{work.name}={work.samples[device]}' for work in WORKS.values())}"
        for device in ("cpu", "cuda")
    )
    add = parser.add_argument
    add(
        "--work",
        nargs="*",
        choices=list(WORKS),
        metavar="WORK",
        help="some of the works below; all, or none with --growth",
    )
    add("--device", choices=["cpu", "cuda"], default="cpu", help="where to run (cpu)")
    add("--dtype", choices=["float32", "bfloat16", "float16"], help="cpu: float32; cuda: bfloat16")
    add("--samples", nargs="+", default=[], metavar="WORK=N", help=f"samples per batch ({per_device})")
    add("--rounds", type=int, default=7, help="runs per contender at least (7); quick ones get more")
    add("--only", nargs="+", metavar="NAME", help="only contenders of these names")
    add("--growth", nargs="*", type=int, metavar="NODES", help="one sample of 256 to 16,384 nodes")
    add("--dim", type=int, default=256, help="size of the states (256)")
    add("--heads", type=int, default=8, help="attention heads (8)")
    add("--out", type=Path, metavar="FILE", help="write the result as JSON")
    add("--plot", type=Path, metavar="FILE", help="draw the growth sweep, with --growth")
    found = parser.parse_args(arguments)
    try:
        complete(found)
    except ValueError as error:
        parser.error(str(error))
    return found


def complete(found: argparse.Namespace) -> None:
    """Fill in what depends on other options.

    Raises:
        ValueError: options that do not go together, or cannot be had here.
    """
    if found.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: PyTorch finds no CUDA device here")
    if found.rounds < 1 or found.heads < 1 or found.dim % found.heads:
        numbers = f"--rounds {found.rounds} --heads {found.heads} --dim {found.dim}"
        raise ValueError(f"found {numbers}, expected at least one round and heads that divide dim")
    if found.plot and found.growth is None:
        raise ValueError("--plot draws the growth sweep: add --growth")
    if found.work is not None and not found.work:
        raise ValueError(f"--work without a name, expected some of {', '.join(WORKS)}")
    for name, file in (("--out", found.out), ("--plot", found.plot)):
        if file is not None and not file.parent.is_dir():
            raise ValueError(f"{name} {file}: there is no folder {file.parent}")
    if found.growth and min(found.growth) < LEAST_NODES:
        raise ValueError(f"--growth needs at least {LEAST_NODES} nodes per sample, found {min(found.growth)}")
    if found.only and found.growth is not None:
        raise ValueError(
            "--only chooses contenders of works; the growth sweep has its own three: leave one of both out"
        )
    if found.work is None:
        found.work = [] if found.growth is not None else list(WORKS)
    if found.growth is not None:
        found.growth = sorted(set(found.growth or SIZES))
    samples = {name: work.samples[found.device] for name, work in WORKS.items()}
    for word in found.samples:
        name, _, number = word.partition("=")
        if name not in WORKS or not number.isdecimal() or int(number) < 1:
            raise ValueError(f"--samples: found {word!r}, expected WORK=N such as clip=4")
        samples[name] = int(number)
    found.samples = samples
    found.only = named(found.only, found.device)
    found.dtype = found.dtype or ("float32" if found.device == "cpu" else "bfloat16")


def main(arguments: Sequence[str] | None = None) -> int:
    asked = parse(arguments)
    console, progress = Console(), Console(stderr=True)
    console.width = max(console.width, WIDTH)  # columns squeezed together show no number
    settings = Settings(
        device=asked.device,
        dtype=getattr(torch, asked.dtype),
        rounds=asked.rounds,
        dim=asked.dim,
        heads=asked.heads,
        say=lambda line: progress.print(line, style="dim", highlight=False),
    )
    result: dict[str, Any] = {}
    try:
        for result in measure(asked, settings):
            if asked.out:
                asked.out.write_text(json.dumps(result, indent=1) + "\n")
    except DisagreementError as error:
        progress.print(f"nothing is reported: {error}", style="bold red", highlight=False)
        if asked.out and result:  # of works before, which agreed: who asked for all gets none
            asked.out.unlink()
        return 1
    for name in asked.work:
        print_work(console, [row for row in result["rows"] if row["work"] == name])
    if result["growth"]:
        print_growth(console, result["growth"])
    print_figures(console, result["figures"])
    if asked.plot:
        from layer_timing.plot import write_plot

        write_plot(result["rows"], result["environment"], asked.plot)
    return 0


def measure(asked: argparse.Namespace, settings: Settings) -> Iterator[dict[str, Any]]:
    """What was asked for, as it is written to the file: anew after each work, so that a run that is cut off left all
    it had finished.
    """
    described = environment(asked.device)
    ceilings = measure_ceilings(settings.dtype, torch.device(asked.device))
    setting = {"dim": asked.dim, "heads": asked.heads, "dtype": asked.dtype, "threads": described["threads"]}
    rows: list[Row] = []

    def so_far(growth: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "environment": described,
            "setting": setting | {"rounds": asked.rounds},
            "ceilings": ceilings,
            "rows": rows,
            "growth": growth,
            "figures": [figure.result(rows, setting) for figure in figures(asked.device)],
        }

    for name in asked.work:
        rows += time_work(WORKS[name], asked.samples[name], asked.only, ceilings, settings)
        yield so_far(None)
    if asked.growth is not None:
        rows += time_growth(asked.growth, ceilings, settings)
        yield so_far(summary(rows))


if __name__ == "__main__":
    sys.exit(main())
