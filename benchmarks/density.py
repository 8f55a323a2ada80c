"""At which share of a graph's pairs its edges are better computed as a full matrix: numba against dense, on the CPU.

Forward and backward of `graph_attention`, the two implementations in turn, medians. "tables" is attention with a bias
and a gate per relation, as `RelationAttention` calls it; "plain" is without. Nothing is reported if either disagrees
with the reference on smaller graphs of the same density.

    python benchmarks/density.py --out density.json
"""

import argparse
import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch
from torch import Tensor

from gnnfuse.ops import Edges, edges_from_index, graph_attention

Impl = Literal["reference", "numba", "dense"]
SMALL = 128  # nodes per graph where the reference, with all its messages in memory, is compared with
IMPLS: tuple[Impl, ...] = ("numba", "dense")


@dataclass(frozen=True)
class Row:
    """One line of the table; the times are milliseconds."""

    nodes: int
    graphs: int
    density: float
    tables: bool
    numba: float
    dense: float

    @property
    def ratio(self) -> float:
        """Time of dense over time of numba."""
        return self.dense / self.numba

    def line(self) -> str:
        """The row as the table prints it."""
        sizes = f"{self.nodes:5} {self.graphs:6} {self.density:7.2f} {self.tables!s:>6}"
        return f"{sizes} {self.numba:9.1f} {self.dense:9.1f} {self.ratio:12.2f}"


class Workload:
    """Random graphs of one size and density with three relations, no two edges between one pair of nodes."""

    def __init__(self, nodes: int, graphs: int, density: float, *, with_tables: bool, heads: int, dim: int) -> None:
        generator = torch.Generator().manual_seed(nodes)
        graph, dst, src = (torch.rand(graphs, nodes, nodes, generator=generator) < density).nonzero().T
        relation = torch.randint(0, 3, src.shape, generator=generator)
        total = graphs * nodes
        self.edges: Edges = edges_from_index(graph * nodes + src, graph * nodes + dst, relation, num_nodes=total)
        self.graph_id = torch.arange(graphs).repeat_interleave(nodes)
        self.graphs = graphs
        shapes = dict.fromkeys(("query", "key", "value"), (total, heads, dim // heads))
        tables = dict.fromkeys(("relation_bias", "relation_gate"), (3, heads)) if with_tables else {}
        draws = {name: torch.randn(*shape, generator=generator) for name, shape in (shapes | tables).items()}
        self.floats: dict[str, Any] = draws
        self.grad_out = torch.randn(total, heads, dim // heads, generator=generator)

    def run(self, impl: Impl, dtype: torch.dtype = torch.float32) -> list[Tensor]:
        """The output and every gradient."""
        floats = {name: tensor.to(dtype).requires_grad_() for name, tensor in self.floats.items()}
        out = graph_attention(edges=self.edges, graph_id=self.graph_id, num_graphs=self.graphs, impl=impl, **floats)
        return [out.detach(), *torch.autograd.grad(out, list(floats.values()), self.grad_out.to(dtype))]


def refuse_disagreement(work: Workload) -> None:
    """Raise unless each errs at most four times what the reference errs in float32, by its float64 result."""
    exact, reference = work.run("reference", torch.float64), work.run("reference")
    for impl in IMPLS:
        for name, truth, standard, found in zip(["out", *work.floats], exact, reference, work.run(impl), strict=True):
            step = torch.finfo(torch.float32).eps * float(truth.abs().max())
            error, allowed = (float((other.double() - truth).abs().max()) for other in (found, standard))
            if not error <= 4 * allowed + step:
                raise SystemExit(f"no report: {impl} errs by {error:.2g} in {name}, the reference by {allowed:.2g}")


def measure(work: Workload, rounds: int) -> dict[str, float]:
    """Median milliseconds of each implementation, run in turn."""
    times: dict[str, list[float]] = {impl: [] for impl in IMPLS}
    for turn in range(rounds + 1):
        for impl in IMPLS:
            start = time.perf_counter()
            work.run(impl)
            if turn > 0:  # the first warms up
                times[impl].append(1000 * (time.perf_counter() - start))
    return {impl: median(found) for impl, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[64, 388, 1024], help="nodes per graph")
    parser.add_argument("--density", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0])
    parser.add_argument("--pairs", type=int, default=2**20, help="pairs per batch: as many graphs as fit, 1 at least")
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, help="a JSON file")
    options = parser.parse_args()
    rows = []
    print("nodes graphs density tables  numba ms  dense ms  dense/numba")
    for nodes in options.nodes:
        graphs = max(1, options.pairs // nodes**2)
        for tables in (True, False):
            for density in options.density:
                sizes = {"heads": options.heads, "dim": options.dim}
                refuse_disagreement(Workload(min(nodes, SMALL), 2, density, with_tables=tables, **sizes))
                work = Workload(nodes, graphs, density, with_tables=tables, **sizes)
                row = Row(nodes, graphs, density, tables, **measure(work, options.rounds))
                rows.append(row)
                print(row.line(), flush=True)
    if options.out:
        environment = {"machine": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
        environment |= {"torch": torch.__version__, "python": platform.python_version()}
        report = {"environment": environment, "rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
