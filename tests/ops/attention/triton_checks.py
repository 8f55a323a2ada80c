"""What must hold of `graph_attention(impl="triton")`, by the interpreter or on a device.

`test_graph_attention_triton.py` runs this file in a process of its own: with TRITON_INTERPRET=1, which must be set
before a kernel is decorated, and where there is a CUDA device without it.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import Edges, edges_from_index, graph_attention
from gnnfuse.ops.attention.dropout import kept
from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.attention.triton_launch import EDGES_PER_PIECE, plan

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cpu" if INTERPRETED else "cuda")
DTYPES = [torch.float32] if INTERPRETED else [torch.float32, torch.bfloat16, torch.float16]
FLOATS = ("query", "key", "value", "score_weight", "edge_bias", "relation_bias", "relation_gate", "edge_gate")

on_device = pytest.mark.skipif(INTERPRETED, reason="the interpreter stands for no device")


@pytest.fixture(autouse=True, scope="module")
def loop_bounds() -> None:
    """Let a loaded number bound a loop in the interpreter of triton 3.6.

    numpy 2.4 makes no int of an array [1] any more (https://github.com/triton-lang/triton/issues/9171).
    """
    from triton.runtime import interpreter

    patch = interpreter._patch_lang_tensor

    def patch_with_index(tensor: Any, scope: Any) -> None:
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = patch_with_index


@dataclass(frozen=True)
class Case:
    """One call's float64 inputs, and the gradient that comes back into its output."""

    floats: dict[str, Tensor]
    edges: Edges
    grad_out: Tensor
    piece: int = EDGES_PER_PIECE
    options: dict[str, Any] = field(default_factory=dict)

    def rounded(self, dtype: torch.dtype) -> "Case":
        """The inputs as they are in another dtype, in float64 again."""
        floats = {name: tensor.to(dtype).double() for name, tensor in self.floats.items()}
        return replace(self, floats=floats, grad_out=self.grad_out.to(dtype).double())

    def results(self, impl: Any, dtype: torch.dtype, wanted: tuple[str, ...] = FLOATS) -> dict[str, Tensor]:
        """The output, the weights, and the gradients of those wanted."""
        floats: dict[str, Any] = {
            name: tensor.to(DEVICE, dtype).requires_grad_(name in wanted) for name, tensor in self.floats.items()
        }
        edges = self.edges.to(DEVICE)
        with pieces_of(self.piece):
            out, weights = graph_attention(edges=edges, impl=impl, return_weights=True, **floats, **self.options)
            needed = {name: tensor for name, tensor in floats.items() if tensor.requires_grad}
            grads = torch.autograd.grad(out, list(needed.values()), self.grad_out.to(DEVICE, dtype))
        return {"out": out.detach(), "weights": weights, **dict(zip(needed, grads, strict=True))}


@contextmanager
def pieces_of(edges: int) -> Iterator[None]:
    """Rows of more edges are hubs: small graphs then meet what large ones do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gnnfuse.ops.attention.triton_launch.EDGES_PER_PIECE", edges)
        yield


def make(
    src: Tensor,
    dst: Tensor,
    *,
    nodes: int = 9,
    rows: int = 10,
    heads: int = 2,
    head_dim: int = 4,
    value_dim: int = 4,
    relations: int = 3,
    tables: bool = True,
    edge_bias: bool = False,
    edge_gate: bool = False,
    piece: int = EDGES_PER_PIECE,
    **options: Any,
) -> Case:
    generator = torch.Generator().manual_seed(len(src))

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    relation = torch.randint(0, relations, src.shape, generator=generator)
    floats = {"query": normal(nodes, heads, head_dim), "key": normal(rows, heads, head_dim)}
    floats["value"] = normal(rows, heads, value_dim)
    if options.get("score") == "additive":
        floats["score_weight"] = normal(relations, heads, head_dim)
    if edge_bias:
        floats["edge_bias"] = normal(len(src), heads)
    if edge_gate:
        floats["edge_gate"] = normal(len(src), heads)
    if tables:
        floats |= {"relation_bias": normal(relations, heads), "relation_gate": normal(relations, heads)}
    edges = edges_from_index(src, dst, relation, num_nodes=nodes, num_rows=rows)
    return Case(floats, edges, normal(nodes, heads, value_dim), piece, options)


def random_case(num_edges: int = 30, nodes: int = 9, rows: int = 10, **sizes: Any) -> Case:
    """A random graph whose last two nodes have no edge in and last two rows no edge out."""
    generator = torch.Generator().manual_seed(num_edges)
    src = torch.randint(0, rows - 2, (num_edges,), generator=generator)
    dst = torch.randint(0, nodes - 2, (num_edges,), generator=generator)
    return make(src, dst, nodes=nodes, rows=rows, **sizes)


def hub_case(around: int = 11, **sizes: Any) -> Case:
    """Nodes 1 and 4 have most of the edges in, rows 0 and 5 most of those out; nothing starts where a piece does."""
    ends = torch.arange(around) % 8
    ones = torch.ones_like(ends)
    src = torch.cat([ends, ends, 0 * ones, 5 * ones, torch.tensor([2, 7, 7])])
    dst = torch.cat([1 * ones, 4 * ones, ends, ends, torch.tensor([0, 0, 2])])
    return make(src, dst, piece=4, **sizes)


def silenced_case(**sizes: Any) -> Case:
    """A relation of bias -inf: nodes of which it has all edges, and nodes of which it has some."""
    src, dst = torch.arange(16) % 5, torch.arange(16) // 4
    case = make(src, dst, **sizes)
    edges = edges_from_index(src, dst, (dst > 1).long() * (torch.arange(16) % 2), num_nodes=9, num_rows=10)
    bias = torch.tensor([-torch.inf, 0.5, 1.0], dtype=torch.float64)[:, None].expand(3, 2).clone()
    return replace(case, edges=edges, floats=case.floats | {"relation_bias": bias})


CASES: dict[str, Callable[[], Case]] = {
    "random": random_case,
    "without_tables": lambda: random_case(tables=False),
    "odd_widths": lambda: random_case(heads=3, head_dim=7, value_dim=5),
    "width_one": lambda: random_case(heads=1, head_dim=1, value_dim=1),
    "value_wider": lambda: random_case(head_dim=3, value_dim=17),
    "a_head_per_program": lambda: random_case(12, nodes=4, rows=5, heads=3, head_dim=130, value_dim=9),
    "wider_than_a_warp": lambda: random_case(8, nodes=4, rows=5, head_dim=260, value_dim=3),
    "several_tiles_per_row": lambda: random_case(60, nodes=4, rows=4),
    "several_tiles_per_piece": lambda: random_case(70, nodes=3, rows=3, piece=20),
    "no_edges": lambda: random_case(0),
    "no_nodes": lambda: make(torch.empty(0).long(), torch.empty(0).long(), nodes=0, rows=3),
    "edge_bias": lambda: random_case(edge_bias=True),
    "edge_gate": lambda: random_case(edge_gate=True),
    "edge_gate_alone": lambda: random_case(edge_gate=True, tables=False, heads=5, dropout=0.4, seed=3),
    "additive": lambda: random_case(score="additive", edge_bias=True, edge_gate=True),
    "many_relations": lambda: random_case(90, relations=70, edge_bias=True),
    "many_relations_additive": lambda: random_case(30, relations=20, score="additive"),
    "dropout": lambda: random_case(heads=5, dropout=0.4, seed=2**40 + 3),
    "hubs": hub_case,
    "hubs_and_all": lambda: hub_case(
        heads=3, head_dim=3, value_dim=5, edge_bias=True, edge_gate=True, score="additive", dropout=0.3, seed=5
    ),
    "hub_at_the_start_of_a_piece": lambda: make(torch.arange(10), 0 * torch.arange(10), piece=4),
    "silenced": silenced_case,
    "silenced_hubs": lambda: silenced_case(piece=3),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_against_reference(name: str, dtype: torch.dtype) -> None:
    assert_as_good_as_reference(CASES[name](), dtype)


@contextmanager
def hardware_exponential(seed: int) -> Iterator[None]:
    """The reference's exponentials err as those of a device may: by a relative 2**-22 (PTX ISA, ex2.approx.f32)."""
    exact = Tensor.exp

    def exp(self: Tensor) -> Tensor:
        generator = torch.Generator(self.device).manual_seed(seed)
        sign = torch.randint(0, 2, self.shape, generator=generator, device=self.device) * 2 - 1
        return exact(self) * (1 + 2**-22 * sign)

    with pytest.MonkeyPatch.context() as patch:
        if not INTERPRETED:
            patch.setattr(Tensor, "exp", exp)
        yield


def reference_errors(case: Case, dtype: torch.dtype, exact: dict[str, Tensor]) -> dict[str, float]:
    """The largest error of each of the reference's results; on a device the largest of several runs."""
    errors = dict.fromkeys(exact, 0.0)
    for seed in range(1 if INTERPRETED else 6):
        with hardware_exponential(seed):
            reference = case.results("reference", dtype)
        for name, truth in exact.items():
            if truth.numel():
                errors[name] = max(errors[name], float((reference[name].double() - truth).abs().max()))
    return errors


def assert_as_good_as_reference(case: Case, dtype: torch.dtype) -> None:
    """The kernel errs from float64 at most four times what the reference errs in the same dtype.

    On top, one step of the dtype at the largest value, for a reference that happens to be exact.
    """
    exact = case.rounded(dtype).results("reference", torch.float64)
    errors, kernel = reference_errors(case, dtype, exact), case.results("triton", dtype)
    assert kernel.keys() == exact.keys()
    for name, truth in exact.items():
        assert kernel[name].dtype == dtype
        assert kernel[name].shape == truth.shape
        if truth.numel():
            allowed = 4 * errors[name] + torch.finfo(dtype).eps * truth.abs().max()
            assert (kernel[name].double() - truth).abs().max() <= allowed, name


@pytest.mark.parametrize("heads", [3, 8])
def test_the_bits_of_dropout(heads: int) -> None:
    """Every node has one edge, of weight 1: its output says whether it was kept."""
    one = torch.ones(7, heads, 1, device=DEVICE)
    edges = edges_from_index(torch.arange(7), torch.arange(7), num_nodes=7).to(DEVICE)
    seed = torch.tensor([-(2**61) - 77], device=DEVICE)
    out = graph_attention(one, one, one, edges, dropout=0.5, seed=seed, impl="triton")
    assert torch.equal(out[:, :, 0] == 2, kept(seed, 7, heads, 0.5))
    assert torch.equal(out[:, :, 0] == 0, ~kept(seed, 7, heads, 0.5))


@pytest.mark.parametrize("name", ["odd_widths", "hubs_and_all"])
def test_same_bits_in_memory_that_was_not_empty(name: str) -> None:
    case = CASES[name]()
    clean = case.results("triton", torch.float32)
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN
    try:
        assert torch.empty(3, device=DEVICE).isnan().all()
        again = case.results("triton", torch.float32)
    finally:
        torch.use_deterministic_algorithms(False)
    for key, tensor in clean.items():
        assert torch.equal(tensor, again[key]), key


def test_one_gradient_alone() -> None:
    case = random_case(9, nodes=4, rows=4, score="additive", edge_bias=True, edge_gate=True, piece=3)
    together = case.results("triton", torch.float32)
    for wanted in FLOATS:
        alone = case.results("triton", torch.float32, (wanted,))
        assert torch.equal(alone[wanted], together[wanted]), wanted


@pytest.mark.skipif(not INTERPRETED, reason="a device may fuse a sum of forward and backward in different ways")
def test_a_node_of_one_edge_has_no_choice_and_so_no_gradient_of_its_score() -> None:
    case = make(torch.tensor([3, 5, 3]), torch.tensor([0, 1, 2]))
    results = case.results("triton", torch.float32)
    assert results["value"].any()
    for name in ("query", "key", "relation_bias"):
        assert (results[name] == 0).all(), name


@pytest.mark.parametrize("axis", [1, 2])
def test_one_packed_projection_is_read_in_place(axis: int) -> None:
    edges = random_case(12, nodes=6, rows=6).edges.to(DEVICE)
    packed = torch.randn(6, *((3, 2) if axis == 1 else (2, 3)), 4, device=DEVICE)
    query, key, value = packed.unbind(axis)
    nothing: tuple[None, None, None, None, None, None] = (None,) * 6
    inputs = AttentionInputs(query, key, value, edges, *nothing, 1.0, 0.2, 0.0)
    arguments = plan(inputs).arguments
    for name, tensor in {"query": query, "key": key, "value": value}.items():
        assert arguments[f"{name}_ptr"] is tensor, name
    copies = [tensor.contiguous() for tensor in (query, key, value)]
    expected = attended(copies, edges)
    assert torch.equal(attended([query, key, value], edges), expected)
    with_gaps = [tensor.mT.contiguous().mT for tensor in copies]
    assert torch.equal(attended(with_gaps, edges), expected)


def attended(states: list[Tensor], edges: Edges) -> Tensor:
    query, key, value = states
    return graph_attention(query, key, value, edges, impl="triton")


def test_a_gradient_that_is_expanded() -> None:
    """The gradient of a sum is one number seen at every place."""
    case = random_case(12, nodes=6, rows=6)
    floats: dict[str, Any] = {name: t.to(DEVICE).float().requires_grad_() for name, t in case.floats.items()}
    out = graph_attention(**floats, edges=case.edges.to(DEVICE), impl="triton")
    (found,) = torch.autograd.grad(out.sum(), floats["key"], retain_graph=True)
    (expected,) = torch.autograd.grad(out, floats["key"], torch.ones_like(out))
    assert torch.equal(found, expected)


def operator_inputs() -> tuple[Any, ...]:
    case = random_case(9, nodes=4, rows=4, edge_bias=True, edge_gate=True, score="additive")
    floats = [case.floats[name].to(DEVICE).float().requires_grad_() for name in FLOATS]
    edges = case.edges.to(DEVICE)
    lists = [edges.offsets, edges.src, edges.relation, *edges.transpose]
    return *floats, torch.tensor([3], device=DEVICE), lists, [0.5, 0.2, 0.25], True


def test_opcheck() -> None:
    inputs = operator_inputs()
    torch.library.opcheck(torch.ops.gnnfuse.graph_attention_triton.default, inputs)
    *detached, lists, numbers, weights = [t.detach() if isinstance(t, Tensor) else t for t in inputs]
    out, _, highest, total = torch.ops.gnnfuse.graph_attention_triton.default(*detached, lists, numbers, weights)
    for needs in ([True] * 8, [False, False, True, False, False, False, False, False]):
        arguments = (torch.ones_like(out), *detached, lists, numbers, highest, total, needs)
        torch.library.opcheck(torch.ops.gnnfuse.graph_attention_triton_backward.default, arguments)


def test_the_operator_looks_at_indices_on_the_cpu() -> None:
    *floats, lists, numbers, weights = operator_inputs()
    lists[1] = lists[1] + 4
    with pytest.raises(ValueError, match=r"edges\.src must lie in 0\.\.3, found"):
        torch.ops.gnnfuse.graph_attention_triton.default(*floats, [t.cpu() for t in lists], numbers, weights)


def test_compiled_as_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whether the interpreter runs is asked on the CPU only, in a way that cannot be traced.
    monkeypatch.setattr("gnnfuse.ops.choose.interpreted", lambda: INTERPRETED)
    compiled = torch.compile(graph_attention, fullgraph=True, backend="aot_eager")
    case = random_case(12, nodes=6, rows=6)
    floats: dict[str, Any] = {name: t.to(DEVICE).float().requires_grad_() for name, t in case.floats.items()}
    out = compiled(edges=case.edges.to(DEVICE), impl="triton", **floats)
    grads = torch.autograd.grad(out, list(floats.values()), case.grad_out.to(DEVICE).float())
    expected = case.results("triton", torch.float32)
    for name, found in {"out": out.detach(), **dict(zip(floats, grads, strict=True))}.items():
        assert torch.equal(found, expected[name]), name


def test_second_derivative_is_refused() -> None:
    case = random_case(9, nodes=4, rows=4)
    floats: dict[str, Any] = {name: t.to(DEVICE).float().requires_grad_() for name, t in case.floats.items()}
    out = graph_attention(**floats, edges=case.edges.to(DEVICE), impl="triton")
    (grad,) = torch.autograd.grad(out.square().sum(), floats["query"], create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative; use impl='reference'"):
        torch.autograd.grad(grad.sum(), floats["query"])


def test_float64_is_refused() -> None:
    with pytest.raises(ValueError, match="query must not be float64; use impl='reference'"):
        random_case().results("triton", torch.float64)


@on_device
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_hub_of_100_000_neighbours(dtype: torch.dtype) -> None:
    src = torch.randint(0, 5000, (100_000,), generator=torch.Generator().manual_seed(0))
    src = torch.cat([src, torch.zeros(20_000, dtype=torch.int64)])
    dst = torch.cat([torch.zeros(100_000, dtype=torch.int64), torch.arange(20_000) % 4999 + 1])
    case = make(src, dst, nodes=5000, rows=5000, heads=8, head_dim=32, value_dim=32)
    assert_as_good_as_reference(case, dtype)
    first, second = case.results("triton", dtype), case.results("triton", dtype)
    assert all(torch.equal(first[name], second[name]) for name in first)


@on_device
def test_a_cuda_graph_captures_forward_and_backward() -> None:
    case = hub_case(200, heads=8, head_dim=32, value_dim=32)
    floats: dict[str, Any] = {name: t.to(DEVICE).float().requires_grad_() for name, t in case.floats.items()}
    edges, grad_out = case.edges.to(DEVICE), case.grad_out.to(DEVICE).float()

    def step() -> tuple[Tensor, ...]:
        out = graph_attention(**floats, edges=edges, impl="triton")
        return out, *torch.autograd.grad(out, list(floats.values()), grad_out)

    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with torch.cuda.stream(stream):
        step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    with torch.no_grad():
        floats["query"] *= 0.5
    graph.replay()
    assert all(torch.equal(found, expected) for found, expected in zip(captured, step(), strict=True))


@on_device
def test_more_than_two_to_the_31_numbers() -> None:
    rows = 2**31 // 256 + 8
    if torch.cuda.mem_get_info()[0] < 3 * 2 * rows * 256:
        pytest.skip("not enough memory free on this device")
    large = torch.zeros(rows, 1, 256, dtype=torch.bfloat16, device=DEVICE)
    large[-3:] = torch.randn(3, 1, 256, device=DEVICE)
    src, dst = torch.tensor([0, 1, 2]), torch.tensor([0, 0, 1])
    query = torch.randn(2, 1, 256, dtype=torch.bfloat16, device=DEVICE)
    far = edges_from_index(src + rows - 3, dst, num_nodes=2, num_rows=rows).to(DEVICE)
    near = edges_from_index(src, dst, num_nodes=2, num_rows=3).to(DEVICE)
    last = large[-3:].clone()
    expected = graph_attention(query, last, last, near, impl="triton")
    assert torch.equal(graph_attention(query, large, large, far, impl="triton"), expected)
