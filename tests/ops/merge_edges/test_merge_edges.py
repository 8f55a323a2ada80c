import dataclasses
import multiprocessing
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import Edges, PackedEdges, Transpose, edges_from_index, merge_edges, pack_edges
from gnnfuse.ops.choose import INSTALLED

Impl = Literal["reference", "numba"]

IMPLS: list[Impl] = ["reference", "numba"]
NUM_RELATIONS = 3

Typed = tuple[int, int]  # a node: its type, and its number within the type
Listed = list[tuple[Typed, int, Typed]]  # edges: source, relation, destination


def random_graph(draw: random.Random, num_types: int, most: int) -> tuple[list[int], Listed]:
    """Counts per type, some of them 0, and edges, often none, sometimes one edge several times."""
    counts = [draw.choice([0, 1, draw.randint(0, most)]) for _ in range(num_types)]
    nodes = [(kind, number) for kind, count in enumerate(counts) for number in range(count)]
    size = draw.choice([0, 1, draw.randint(0, 4 * most)]) if nodes else 0
    return counts, [(draw.choice(nodes), draw.randrange(NUM_RELATIONS), draw.choice(nodes)) for _ in range(size)]


def numbered(edges: Listed, first: Sequence[int]) -> Tensor:
    """`[3, edges]`: source, relation and destination, where `first` is the number of each type's first node."""
    rows = [(first[s] + i, relation, first[d] + j) for (s, i), relation, (d, j) in edges]
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 3).T


def pack(counts: list[int], edges: Listed) -> PackedEdges:
    src, relation, dst = numbered(edges, [sum(counts[:kind]) for kind in range(len(counts))])
    return pack_edges(edges_from_index(src, dst, relation, num_nodes=sum(counts)), counts)


def expected(graphs: Sequence[tuple[list[int], Listed]]) -> Edges:
    """Every node counted off, type by type and within a type graph by graph; then sorted from nothing."""
    first: dict[tuple[int, int], int] = {}
    total = 0
    for kind in range(len(graphs[0][0])):
        for place, (counts, _) in enumerate(graphs):
            first[place, kind] = total
            total += counts[kind]
    parts = [
        numbered(edges, [first[place, kind] for kind in range(len(counts))])
        for place, (counts, edges) in enumerate(graphs)
    ]
    src, relation, dst = torch.cat(parts, dim=1)
    return edges_from_index(src, dst, relation, num_nodes=total)


def lists(edges: Edges) -> dict[str, Tensor]:
    flat = {**edges._asdict(), **{f"transpose.{name}": part for name, part in edges.transpose._asdict().items()}}
    return {name: part for name, part in flat.items() if name != "transpose"}


def assert_same(found: Edges, wanted: Edges) -> None:
    for name, part in lists(wanted).items():
        other = lists(found)[name]
        assert other.dtype == part.dtype, name
        assert torch.equal(other, part), name


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("num_types", [1, 2, 3, 5, 6, 9, 14])
def test_merged_edges_are_those_of_a_graph_numbered_and_sorted_at_once(num_types: int, impl: Impl) -> None:
    draw = random.Random(num_types)
    for _ in range(40):
        graphs = [random_graph(draw, num_types, most=draw.choice([2, 7, 40])) for _ in range(draw.randint(1, 6))]
        assert_same(merge_edges([pack(*graph) for graph in graphs], impl=impl), expected(graphs))


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize(
    "graphs",
    [
        [([0], [])],
        [([0, 0, 0], []), ([0, 0, 0], [])],
        [([3, 0, 2], [])],
        [([0, 0, 1], [((2, 0), 1, (2, 0))]), ([1, 0, 0], []), ([1, 1, 1], [((0, 0), 2, (2, 0))])],
        [([1, 1], [((0, 0), 0, (1, 0))] * 5)],
    ],
    ids=["nothing", "two_of_nothing", "no_edges", "absent_types", "one_edge_five_times"],
)
def test_the_smallest_graphs(graphs: list[tuple[list[int], Listed]], impl: Impl) -> None:
    assert_same(merge_edges([pack(*graph) for graph in graphs], impl=impl), expected(graphs))


@pytest.mark.parametrize("impl", IMPLS)
def test_a_hub_and_one_graph_many_times(impl: Impl) -> None:
    hub = ([100_000, 1], [((0, number), number % NUM_RELATIONS, (1, 0)) for number in range(100_000)])
    small = ([2, 1], [((1, 0), 0, (0, 1)), ((0, 0), 1, (0, 1))])
    packed = {id(graph): pack(*graph) for graph in (hub, small)}
    graphs = [small, hub, small, small]
    assert_same(merge_edges([packed[id(graph)] for graph in graphs], impl=impl), expected(graphs))


def test_both_implementations_give_the_same_bits_in_the_same_layout() -> None:
    draw = random.Random(0)
    packed = [pack(*random_graph(draw, 4, most=50)) for _ in range(20)]
    assert_same(merge_edges(packed, impl="numba"), merge_edges(packed, impl="reference"))
    for impl in IMPLS:
        for name, part in lists(merge_edges(packed, impl=impl)).items():
            assert part.is_contiguous(), name
            assert part.untyped_storage().nbytes() == part.nbytes, name  # or pickling one would carry all the others


def test_a_packed_graph_is_the_graph_before_and_after_pickling() -> None:
    graph = random_graph(random.Random(3), 3, most=20)
    packed = pack(*graph)
    assert_same(packed.unpack(), expected([graph]))
    again = pickle.loads(pickle.dumps(packed))
    assert (again.nodes, again.num_nodes, again.num_edges) == (packed.nodes, packed.num_nodes, packed.num_edges)
    assert_same(merge_edges([again]), expected([graph]))


def test_calls_from_several_threads() -> None:
    draw = random.Random(1)
    packed = [pack(*random_graph(draw, 3, most=200)) for _ in range(10)]
    wanted = merge_edges(packed, impl="numba")
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: merge_edges(packed, impl="numba"), range(12)):
            assert_same(found, wanted)


def merge_and_compare(packed: list[PackedEdges], wanted: Edges) -> None:
    assert_same(merge_edges(packed, impl="numba"), wanted)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_in_a_forked_process() -> None:
    packed = [pack(*random_graph(random.Random(2), 3, most=50))] * 3
    wanted = merge_edges(packed, impl="numba")
    process = multiprocessing.get_context("fork").Process(target=merge_and_compare, args=(packed, wanted))
    process.start()
    process.join(timeout=120)
    assert process.exitcode == 0


def test_auto_takes_numba_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = [pack([1], [])]
    code = (
        "import sys, torch; from gnnfuse.ops import edges_from_index, merge_edges, pack_edges;"
        "none = torch.zeros(0, dtype=torch.int64);"
        "packed = pack_edges(edges_from_index(none, none, num_nodes=1), [1]);"
        "merge_edges([packed], impl='reference'); print('numba' in sys.modules);"
        "merge_edges([packed]); print('numba' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "True"]
    monkeypatch.setitem(INSTALLED, "numba", False)
    assert merge_edges(packed).num_nodes == 1
    with pytest.raises(RuntimeError, match="numba, which is not installed: pip install numba"):
        merge_edges(packed, impl="numba")


def test_graphs_that_cannot_be_merged() -> None:
    packed: Any = pack([1], [])
    for graphs, message in (
        ([], "graphs must hold at least one graph, found none"),
        ([packed, packed.unpack()], "graphs must be PackedEdges, found Edges"),
        ([packed, pack([1, 0], [])], "graphs must have equal numbers of node types, found 1 and 2"),
    ):
        with pytest.raises(ValueError, match=message):
            merge_edges(graphs)
    with pytest.raises(ValueError, match="impl must be one of 'auto', 'reference', 'numba'; found 'triton'"):
        merge_edges([packed], impl="triton")  # type: ignore[arg-type]
    huge = dataclasses.replace(packed)
    object.__setattr__(huge, "num_edges", 2**30)
    with pytest.raises(ValueError, match=r"numbered in int32, up to 2147483647; found 2 and 2147483648"):
        merge_edges([huge, huge])


WRONG_NUMBERS = [
    (lambda good: good.long(), r"numbers must be int32 \[11 \+ 4 \* edges\] on the CPU, found torch.int64"),
    (lambda good: good[:-1], r"numbers must be int32 .* found torch.int32 \(18,\)"),
    (lambda good: good[:5], r"numbers must be int32 .* found torch.int32 \(5,\)"),
    (lambda good: good.to("meta"), "on the CPU, found .* on meta"),
    (lambda good: good.repeat_interleave(2)[::2], r"numbers must be contiguous, found strides \(2,\)"),
    (lambda good: good + (torch.arange(19) == 1).int(), r"numbers must begin with the types' bounds \[0, 1, 3\]"),
    (lambda good: good + (torch.arange(19) == 4).int() * 9, "edges.offsets must rise from 0 to 2"),
    (lambda good: good - (torch.arange(19) == 8).int() * 2, "edges.transpose.offsets must rise from 0 to 2"),
    (lambda good: good + (torch.arange(19) == 11).int() * 3, r"edges.src must lie in 0..2, found 0..5"),
    (lambda good: good - (torch.arange(19) == 16).int() * 3, r"edges.transpose.edge must lie in 0..1"),
    (lambda good: good + (torch.arange(19) == 18).int() * 3, r"edges.transpose.dst must lie in 0..2"),
]


@pytest.mark.parametrize(("change", "message"), WRONG_NUMBERS)
def test_wrong_numbers_are_refused_before_a_kernel_reads_them(change: Any, message: str) -> None:
    good = pack([1, 2], [((0, 0), 0, (1, 1)), ((1, 1), 1, (0, 0))])
    with pytest.raises(ValueError, match=message):
        PackedEdges(good.nodes, change(good.numbers))


def test_wrong_nodes_are_refused() -> None:
    edges = edges_from_index(torch.tensor([0]), torch.tensor([1]), num_nodes=2)
    with pytest.raises(ValueError, match="nodes must add up to the nodes of edges, 2; found 3"):
        pack_edges(edges, [1, 2])
    for nodes in ([], [3, -1]):
        with pytest.raises(ValueError, match=r"nodes must (be a count for each of one type at least|add up)"):
            pack_edges(edges, nodes)
    wild = edges._replace(transpose=Transpose(edges.transpose.offsets, edges.transpose.edge + 1, edges.transpose.dst))
    with pytest.raises(ValueError, match=r"edges.transpose.edge must lie in 0..0, found 1..1"):
        pack_edges(wild, [2])
