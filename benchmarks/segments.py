"""Segment operators beside the best of torch-scatter and torch, forward, and forward with backward.

    python benchmarks/segments.py [--device cpu] [--threads N] [--work clip video] [--out FILE]

All contenders of a row run in turns in one process; a row reports each one's median. Before any is timed, its result
and gradient are compared with the reference in float64. Ours may be off by four times what the reference's own float32
run is, the others by half of the digits, as some add small constants; what is further off ends the benchmark without a
report.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from gnnfuse.bench.environment import environment
from gnnfuse.ops import segment_reduce, segment_softmax
from layer_timing.report import WIDTH

ROUNDS, WARM_UP, SHORTEST = 9, 2, 0.02
OPERATORS = ("sum", "mean", "max", "logsumexp", "softmax")
# name -> (items, columns, segments): attention scores, the readout, and messages, of 16 clips and of 2 videos
SIZES = {
    "clip": {"scores": (134_000, 8, 6_208), "readout": (6_208, 256, 16), "messages": (134_000, 64, 6_208)},
    "video": {"scores": (156_000, 8, 7_160), "readout": (7_160, 256, 2), "messages": (156_000, 64, 7_160)},
}
Contender = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Segments:
    """Items and where they belong, both ways."""

    values: Tensor
    index: Tensor
    offsets: Tensor | None  # given where the items are sorted
    num_segments: int

    @property
    def where(self) -> dict[str, Any]:
        """The arguments that our operators take."""
        if self.offsets is not None:
            return {"offsets": self.offsets}
        return {"index": self.index, "num_segments": self.num_segments}


def make(items: int, columns: int, segments: int, *, is_sorted: bool, device: str) -> Segments:
    generator = torch.Generator().manual_seed(items + columns)
    # No two are equal, or implementations would rightly differ in the gradients of extremes.
    values = torch.randperm(items * columns, generator=generator).view(items, columns) * (6 / (items * columns)) - 3
    index = torch.randint(0, segments, (items,), generator=generator)
    index = index.sort().values if is_sorted else index
    ends = torch.searchsorted(index, torch.arange(segments + 1)) if is_sorted else None
    return Segments(values.to(device), index.to(device), None if ends is None else ends.to(device), segments)


def ours(operator: str, data: Segments, impl: Any) -> Contender:
    if operator == "softmax":
        return lambda values: segment_softmax(values, **data.where, impl=impl)
    reduce: Any = operator
    return lambda values: segment_reduce(values, **data.where, reduce=reduce, impl=impl)


def competitors(operator: str, data: Segments) -> dict[str, Contender]:
    """What torch and torch-scatter offer for the operator; compositions where they have no function for it."""
    import torch_scatter

    index, size = data.index, data.num_segments
    kind: Any = {"max": "amax"}.get(operator, operator)

    def wide(values: Tensor) -> Tensor:
        return index[:, None].expand_as(values)

    def scatter_reduce(values: Tensor) -> Tensor:
        zeros = values.new_zeros(size, values.shape[1])
        return zeros.scatter_reduce(0, wide(values), values, kind, include_self=False)

    if operator == "softmax":
        return softmax_competitors(data)
    if operator == "logsumexp":
        found = logsumexp_competitors(data)
        # Composed: scatter_logsumexp itself is off by 0.2% in the gradients of segments of thousands.
        found["torch_scatter.scatter"] = ours(operator, data, "torch_scatter")
        return found
    found = {"torch_scatter.scatter": lambda values: torch_scatter.scatter(values, index, 0, None, size, operator)}
    if operator == "sum":
        found["index_add"] = lambda values: values.new_zeros(size, values.shape[1]).index_add(0, index, values)
        found["scatter_add"] = lambda values: values.new_zeros(size, values.shape[1]).scatter_add(
            0, wide(values), values
        )
    else:
        found["scatter_reduce"] = scatter_reduce
    if data.offsets is not None:
        found["torch_scatter.segment_csr"] = lambda values: torch_scatter.segment_csr(
            values, data.offsets, reduce=operator
        )
        found["torch.segment_reduce"] = lambda values: torch.segment_reduce(
            values, operator, offsets=data.offsets, axis=0
        )
    return found


def softmax_competitors(data: Segments) -> dict[str, Contender]:
    import torch_scatter

    index, size, offsets = data.index, data.num_segments, data.offsets

    def by_index(values: Tensor) -> Tensor:
        exponentials = (values - highest_of(data, values).index_select(0, index)).exp()
        total = values.new_zeros(size, values.shape[1]).index_add(0, index, exponentials)
        return exponentials / total.index_select(0, index)

    def by_offsets(values: Tensor) -> Tensor:
        highest = torch.segment_reduce(values.detach(), "max", offsets=offsets, axis=0, initial=-torch.inf)
        exponentials: Tensor = (values - torch_scatter.gather_csr(highest, offsets)).exp()
        total: Tensor = torch_scatter.segment_csr(exponentials, offsets, reduce="sum")
        weights: Tensor = exponentials / torch_scatter.gather_csr(total, offsets)
        return weights

    found: dict[str, Contender] = {
        "torch": by_index,
        "torch_scatter.scatter": lambda values: torch_scatter.scatter_softmax(values, index, 0, dim_size=size),
    }
    return found if offsets is None else found | {"torch_scatter.segment_csr": by_offsets}


def logsumexp_competitors(data: Segments) -> dict[str, Contender]:
    def by_index(values: Tensor) -> Tensor:
        highest = highest_of(data, values)
        exponentials = (values - highest.index_select(0, data.index)).exp()
        total: Tensor = values.new_zeros(highest.shape).index_add(0, data.index, exponentials)
        return total.log() + highest

    return {"torch": by_index}


def highest_of(data: Segments, values: Tensor) -> Tensor:
    zeros = values.new_zeros(data.num_segments, values.shape[1])
    where = data.index[:, None].expand_as(values)
    highest: Tensor = zeros.scatter_reduce(0, where, values.detach(), "amax", include_self=False)
    return highest


def check(contenders: dict[str, Contender], reference: Contender, values: Tensor, grad: Tensor) -> None:
    """End the benchmark unless each contender's result and gradient are the reference's."""
    exact = results(reference, values.double(), grad.double())
    rounded = results(reference, values, grad)
    for name, contender in contenders.items():
        for what, found, close, truth in zip(
            ("result", "gradient"), results(contender, values, grad), rounded, exact, strict=True
        ):
            step = torch.finfo(values.dtype).eps
            allowed = 4 * (close - truth).abs().max() + step * truth.abs().max()
            if name != "gnnfuse":
                allowed = step**0.5 * truth.abs().max()
            error = (found - truth).abs().max()
            if not error <= allowed:
                raise SystemExit(f"no report: the {what} of {name} is off by {error:.3g}, allowed {allowed:.3g}")


def results(contender: Contender, values: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    values = values.detach().clone().requires_grad_()
    out = contender(values)
    return out.detach(), torch.autograd.grad(out, values, grad)[0]


def milliseconds(calls: dict[str, Callable[[], object]], device: str) -> dict[str, float]:
    """Median time of each call; they take turns, and quick ones run several times in each of theirs."""
    repeats = {}
    for name, call in calls.items():
        seconds = min(timed(call, 1, device) for _ in range(WARM_UP))
        repeats[name] = max(1, round(SHORTEST / seconds))
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            call()  # not counted: it meets the memory that the one before it left, and the cache
            times[name].append(timed(call, repeats[name], device) / repeats[name])
    return {name: 1000 * statistics.median(found) for name, found in times.items()}


def timed(call: Callable[[], object], repeats: int, device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(work: str, size: str, operator: str, is_sorted: bool, device: str) -> list[dict[str, object]]:
    data = make(*SIZES[work][size], is_sorted=is_sorted, device=device)
    rivals = competitors(operator, data)
    contenders = {"gnnfuse": ours(operator, data, "auto"), **rivals}
    values = data.values.clone().requires_grad_()
    grad = torch.randn_like(contenders["gnnfuse"](data.values))
    check(contenders, ours(operator, data, "reference"), data.values, grad)

    def with_backward(contender: Contender) -> Callable[[], object]:
        return lambda: torch.autograd.grad(contender(values), values, grad)

    def forward(contender: Contender) -> Callable[[], object]:
        return lambda: contender(data.values)

    rows: list[dict[str, object]] = []
    for passes, call in (("forward", forward), ("forward and backward", with_backward)):
        found = milliseconds({name: call(contender) for name, contender in contenders.items()}, device)
        best = min(rivals, key=lambda name: found[name])
        shape = dict(zip(("items", "columns", "segments"), SIZES[work][size], strict=True))
        rows.append(
            {
                "work": work,
                "size": size,
                **shape,
                "operator": operator,
                "layout": "sorted" if is_sorted else "unsorted",
                "passes": passes,
                "milliseconds": found["gnnfuse"],
                "best": best,
                "ratio": found["gnnfuse"] / found[best],
                "all_milliseconds": found,
            }
        )
    return rows


def show(rows: list[dict[str, Any]], console: Console) -> None:
    table = Table("work", "size", "operator", "layout", "passes", "ms", "best of the others", "ms", "ratio")
    for row in rows:
        words = [row[name] for name in ("work", "size", "operator", "layout", "passes")]
        best = row["all_milliseconds"][row["best"]]
        table.add_row(*words, f"{row['milliseconds']:.3f}", row["best"], f"{best:.3f}", f"{row['ratio']:.2f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, help="threads of PyTorch and of the kernels; all cores by default")
    parser.add_argument("--work", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--out", type=Path, help="file for the result, JSON")
    options = parser.parse_args()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    rows: list[dict[str, Any]] = []
    for work, is_sorted in product(options.work, (True, False)):
        for size, operator in product(SIZES[work], OPERATORS):
            rows += measure(work, size, operator, is_sorted, options.device)
    console = Console(width=WIDTH)
    show(rows, console)
    if options.out is not None:
        report = {"environment": environment(torch.device(options.device)), "rows": rows}
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
