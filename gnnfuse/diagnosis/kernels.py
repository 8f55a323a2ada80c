"""The implementations of operators: whether they run here, agree with the reference, and how fast they are."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from gnnfuse.diagnosis.report import Finding, said
from gnnfuse.ops import Edges, edges_from_index, graph_attention, neighbor_sum, segment_reduce, segment_softmax
from gnnfuse.ops.choose import INSTALL, INSTALLED

SAMPLES, NODES, DEGREE, RELATIONS, HEADS, DIM = 4, 388, 22, 9, 8, 256  # four of the clips of benchmarks/layers.py
SLACK = 4  # an implementation adds in another order: its error may be this many times the reference's
REPEATS = 3

Run = Callable[["Inputs", str], Tensor]


@dataclass(frozen=True)
class Inputs:
    """Values that require gradients, and the edges of several graphs."""

    values: Tensor
    bias: Tensor
    edges: Edges
    graph_id: Tensor

    def to(self, device: torch.device, dtype: torch.dtype) -> "Inputs":
        """Copies on a device, with values of a dtype."""
        values, bias = (tensor.detach().to(device, dtype).requires_grad_() for tensor in (self.values, self.bias))
        return Inputs(values, bias, self.edges.to(device), self.graph_id.to(device))


def kernels(tell: Callable[[str], None]) -> Iterator[Finding]:
    """One finding per operator, implementation and device."""
    for device in _devices():
        for name, (run, implementations) in OPERATORS.items():
            yield from _operator(name, run, implementations, device, tell)


def attention(inputs: Inputs, impl: str) -> Tensor:
    """Attention with the same query, key and value."""
    states = inputs.values.view(len(inputs.values), HEADS, -1)
    attend: Callable[..., Tensor] = graph_attention
    return attend(
        *(states, states, states, inputs.edges),
        relation_bias=inputs.bias,
        graph_id=inputs.graph_id,
        num_graphs=SAMPLES,
        impl=impl,
    )


def mean(inputs: Inputs, impl: str) -> Tensor:
    """The mean of each node's neighbours."""
    return neighbor_sum(inputs.values, inputs.edges, reduce="mean", impl=impl)  # type: ignore[arg-type]


def reduce(inputs: Inputs, impl: str) -> Tensor:
    """The sum of each graph's nodes."""
    return segment_reduce(inputs.values, inputs.graph_id, SAMPLES, impl=impl)  # type: ignore[arg-type]


def softmax(inputs: Inputs, impl: str) -> Tensor:
    """The softmax over each graph's nodes."""
    return segment_softmax(inputs.values, inputs.graph_id, SAMPLES, impl=impl)  # type: ignore[arg-type]


OPERATORS: Mapping[str, tuple[Run, tuple[str, ...]]] = {
    "graph_attention": (attention, ("numba", "dense", "triton")),
    "neighbor_sum": (mean, ("numba", "triton")),
    "segment_reduce": (reduce, ("torch_scatter", "triton")),
    "segment_softmax": (softmax, ("torch_scatter", "triton")),
}
RUNS_ON = {"numba": "cpu", "triton": "cuda"}
OPTIONAL = ("torch_scatter", "triton")


def _devices() -> list[torch.device]:
    cpu = [torch.device("cpu")]
    return [*cpu, torch.device("cuda")] if torch.cuda.is_available() else cpu


def _operator(
    name: str, run: Run, implementations: tuple[str, ...], device: torch.device, tell: Callable[[str], None]
) -> Iterator[Finding]:
    given = inputs()
    where = f"{name} on {device.type}"
    try:
        tell(f"{where}: reference")
        exact = _results(run, given.to(device, torch.float64), "reference")
        expected = _results(run, given.to(device, torch.float32), "reference")
        base = _milliseconds(run, given.to(device, torch.float32), "reference")
    except Exception as error:  # a broken installation may raise anything
        yield Finding(f"{where}, reference", "broken", said(error))
        return
    yield Finding(f"{where}, reference", "ok", f"{base:.1f} ms", details={"milliseconds": base})
    errors = [float((one - sure).abs().max()) for one, sure in zip(expected, exact, strict=True)]
    for impl in implementations:
        if RUNS_ON.get(impl, device.type) == device.type:
            tell(f"{where}: {impl}" + (" (compiles for about 10 s the first time)" if impl in RUNS_ON else ""))
            yield _implementation(f"{where}, {impl}", run, impl, given.to(device, torch.float32), exact, errors, base)


def _implementation(
    name: str, run: Run, impl: str, given: Inputs, exact: list[Tensor], errors: list[float], base: float
) -> Finding:
    if not INSTALLED.get(impl, True):
        status = "note" if impl in OPTIONAL and given.values.device.type == "cpu" else "broken"
        return Finding(name, status, f"{impl} is not installed", INSTALL[impl])  # type: ignore[arg-type]
    try:
        found = _results(run, given, impl)
        taken = _milliseconds(run, given, impl)
    except Exception as error:  # drivers, compilers and libraries may raise anything
        status = "note" if impl == "torch_scatter" else "broken"
        return Finding(name, status, said(error), INSTALL.get(impl, ""))  # type: ignore[arg-type]
    for what, one, sure, rounding in zip(("output", "gradient"), found, exact, errors, strict=True):
        off = float((one - sure).abs().max())
        allowed = SLACK * rounding + torch.finfo(torch.float32).eps * float(sure.abs().max())
        if not off <= allowed:
            text = f"its {what} is off by {off:.1e}, expected at most {allowed:.1e} by rounding"
            return Finding(name, "broken", text, "please report it, with this output", {"error": off})
    text = f"{taken:.1f} ms, {base / taken:.1f} times as fast as the reference"
    return Finding(name, "ok", text, details={"milliseconds": taken, "speedup": base / taken})


@cache
def inputs() -> Inputs:
    """Random graphs of the size of clips, the same in every call."""
    generator = torch.Generator().manual_seed(0)
    nodes = SAMPLES * NODES
    dst = torch.arange(nodes).repeat_interleave(DEGREE)
    src = dst // NODES * NODES + torch.randint(NODES, (len(dst),), generator=generator)
    relation = torch.randint(RELATIONS, (len(dst),), generator=generator)
    values = torch.randn(nodes, DIM, generator=generator)
    bias = torch.randn(RELATIONS, HEADS, generator=generator)
    return Inputs(values, bias, edges_from_index(src, dst, relation, num_nodes=nodes), torch.arange(nodes) // NODES)


def _results(run: Run, given: Inputs, impl: str) -> list[Tensor]:
    """Output and gradient, in float64."""
    out = run(given, impl)
    (gradient,) = torch.autograd.grad(out.square().sum(), [given.values])
    return [out.detach().double(), gradient.double()]


def _milliseconds(run: Run, given: Inputs, impl: str) -> float:
    """The time of forward and backward: the shortest of several."""
    best = float("inf")
    for _ in range(REPEATS):
        _wait(given.values.device)
        start = time.perf_counter()
        torch.autograd.grad(run(given, impl).sum(), [given.values])
        _wait(given.values.device)
        best = min(best, time.perf_counter() - start)
    return 1000 * best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
