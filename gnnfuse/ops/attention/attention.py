"""Attention of every node over its incoming edges, with a bias and a gate per relation and head."""

import math
from typing import Any, Literal, overload

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gnnfuse.ops.attention.auto import nearly_complete
from gnnfuse.ops.attention.dense import graph_attention_dense
from gnnfuse.ops.attention.inputs import AttentionInputs
from gnnfuse.ops.attention.numba import graph_attention_numba
from gnnfuse.ops.attention.reference import graph_attention_reference
from gnnfuse.ops.attention.triton import graph_attention_triton
from gnnfuse.ops.check_edges import check_edges, check_indices, check_range, check_tensor
from gnnfuse.ops.choose import INSTALLED, auto_on_cpu, check_runs
from gnnfuse.ops.edges import Edges

Impl = Literal["auto", "reference", "numba", "triton", "dense"]
Score = Literal["dot", "additive"]

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SIXTEEN_BIT = (torch.float16, torch.bfloat16)
CHECK_THEMSELVES = ("numba", "triton")  # operators that check the indices when they run, compiled or not


@overload
def graph_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    edges: Edges,
    *,
    score: Score = "dot",
    score_weight: Tensor | None = None,
    edge_bias: Tensor | None = None,
    edge_gate: Tensor | None = None,
    relation_bias: Tensor | None = None,
    relation_gate: Tensor | None = None,
    scale: float | None = None,
    negative_slope: float = 0.2,
    dropout: float = 0.0,
    seed: int | Tensor | None = None,
    graph_id: Tensor | None = None,
    num_graphs: int | None = None,
    return_weights: Literal[False] = False,
    impl: Impl = "auto",
) -> Tensor: ...
@overload
def graph_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    edges: Edges,
    *,
    score: Score = "dot",
    score_weight: Tensor | None = None,
    edge_bias: Tensor | None = None,
    edge_gate: Tensor | None = None,
    relation_bias: Tensor | None = None,
    relation_gate: Tensor | None = None,
    scale: float | None = None,
    negative_slope: float = 0.2,
    dropout: float = 0.0,
    seed: int | Tensor | None = None,
    graph_id: Tensor | None = None,
    num_graphs: int | None = None,
    return_weights: Literal[True],
    impl: Impl = "auto",
) -> tuple[Tensor, Tensor]: ...
def graph_attention(
    query: Float[Tensor, "nodes heads head_dim"],
    key: Float[Tensor, "rows heads head_dim"],
    value: Float[Tensor, "rows heads value_dim"],
    edges: Edges,
    *,
    score: Score = "dot",
    score_weight: Float[Tensor, "relations heads head_dim"] | None = None,
    edge_bias: Float[Tensor, "edges heads"] | None = None,
    edge_gate: Float[Tensor, "edges heads"] | None = None,
    relation_bias: Float[Tensor, "relations heads"] | None = None,
    relation_gate: Float[Tensor, "relations heads"] | None = None,
    scale: float | None = None,
    negative_slope: float = 0.2,
    dropout: float = 0.0,
    seed: int | Tensor | None = None,
    graph_id: Int[Tensor, "nodes"] | None = None,
    num_graphs: int | None = None,
    return_weights: bool = False,
    impl: Impl = "auto",
) -> Float[Tensor, "nodes heads value_dim"] | tuple[Tensor, Tensor]:
    r"""For every node, sum the values at its incoming edges, weighted by how well their keys match its query.

    For an edge e of relation r from row j into node i, per head:

    $$ s_e = \text{scale} \cdot q_i \cdot k_j + b_e + b_r, \qquad
       w_e = \frac{\exp s_e}{\sum_{e' \to i} \exp s_{e'}}, \qquad
       o_i = \sum_{e \to i} g_e \, g_r \, w_e \, v_j $$

    or, with `score="additive"`, $s_e = \text{scale} \cdot a_r \cdot \text{leaky\_relu}(q_i + k_j) + b_e + b_r$.
    The softmax runs over all edges into i, whatever their relation. A node without edges, or with only edges masked by
    a bias of -inf, gets zeros. float16 and bfloat16 are computed in float32 and returned in their own dtype; biases,
    gates and score_weight may have any floating dtype and are converted to that of the computation. Under
    `torch.autocast`, query, key and value of different dtypes are converted to its dtype, unless one is float64.

    After Velickovic et al., Graph Attention Networks, 2018 (https://arxiv.org/abs/1710.10903), with the
    scaled dot product of Vaswani et al., 2017 (https://arxiv.org/abs/1706.03762) or the additive score of Brody et
    al., How Attentive are Graph Attention Networks?, 2022 (https://arxiv.org/abs/2105.14491), and a prior per
    relation after Hu et al., Heterogeneous Graph Transformer, 2020 (https://arxiv.org/abs/2003.01332).

    Args:
        query: `[nodes, heads, head_dim]`.
        key: `[rows, heads, head_dim]`; a row is a node, or a (relation, node) pair if keys differ by relation
            (`relation_rows` makes such edges).
        value: `[rows, heads, value_dim]`.
        edges: from `rows` rows into `nodes` nodes.
        score: "dot" or "additive".
        score_weight: `[relations, heads, head_dim]`, the vector a of each relation; only with "additive".
        edge_bias: `[edges, heads]`, added to the scores, in the order of `edges.src`; None means 0.
        edge_gate: `[edges, heads]`, multiplied onto the messages after the softmax, in the same order; None means 1.
        relation_bias: `[relations, heads]`, added to the scores; None means 0.
        relation_gate: `[relations, heads]`, likewise for all edges of a relation; None means 1.
        scale: factor of the scores before the biases; `head_dim ** -0.5` by default for "dot", 1 for "additive".
        negative_slope: of the leaky ReLU; only with "additive".
        dropout: probability of dropping a weight after the softmax; the remaining ones are divided by 1 - dropout.
        seed: determines the dropped weights, identically for every implementation and device; a number, or an int64
            tensor `[1]` on the device. None draws one from PyTorch's generator for the device.
        graph_id: `[nodes]`, int64, the graph of each node, if no row feeds two graphs; None means one graph. "dense"
            needs it to find the pairs, "auto" to count those that have an edge, and "numba" works graph by graph: the
            result is the same up to rounding.
        num_graphs: number of graphs; read from graph_id by default, which synchronises with the device.
        return_weights: also return the weights w `[edges, heads]`: before dropout and gates, without a gradient.
        impl: "reference" is plain PyTorch and runs anywhere. "numba" is a fused kernel for the CPU with the
            same bits for any number of threads, "triton" fused kernels for CUDA with the same bits in every run, not
            for float64; both have first derivatives only. "dense" computes every pair of a graph's nodes by matrix
            products, for nearly complete graphs and the dot product; NaN in one row reaches its whole graph. "auto"
            chooses dense if `nearly_complete` holds, else numba for CPU tensors and triton for CUDA tensors if they
            are installed, and otherwise, or for float64 on CUDA, the reference.

    Raises:
        ValueError: shapes, dtypes or devices do not match, a tensor is expanded, an index is out of range (on
            accelerators: within `checked_indices()`), an option is out of its range, or `impl` is unknown or does not
            support these tensors.
        RuntimeError: `impl` needs a package that is not installed.

    Example:
        >>> from gnnfuse.ops import edges_from_index
        >>> edges = edges_from_index(torch.tensor([0, 1]), torch.tensor([1, 1]), num_nodes=2)
        >>> query, key = torch.zeros(2, 1, 3), torch.zeros(2, 1, 3)
        >>> value = torch.tensor([[[2.0]], [[4.0]]])
        >>> graph_attention(query, key, value, edges).flatten().tolist()
        [0.0, 3.0]
    """
    query, key, value = in_autocast(query, key, value)
    check_states(query, key, value)
    check_edges(edges, nodes=query.shape[0], rows=key.shape[0], device=query.device)
    check_score(score, score_weight)
    tables = {"score_weight": score_weight, "relation_bias": relation_bias, "relation_gate": relation_gate}
    relations = check_tables(query, tables)
    check_per_edge(query, edges, {"edge_bias": edge_bias, "edge_gate": edge_gate})
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"dropout must be at least 0 and below 1, found {dropout}")
    num_graphs = check_graphs(query, graph_id, num_graphs)
    check_finite("scale", scale)
    check_finite("negative_slope", negative_slope)
    if scale is None:
        scale = query.shape[2] ** -0.5 if score == "dot" else 1.0
    inputs = AttentionInputs(
        query,
        key,
        value,
        edges,
        score_weight,
        edge_bias,
        relation_bias,
        relation_gate,
        edge_gate,
        seed_tensor(seed, query.device) if dropout > 0 else None,
        float(scale),
        float(negative_slope),
        float(dropout),
        graph_id,
        num_graphs,
        return_weights,
    )
    chosen = "dense" if impl == "auto" and nearly_complete(inputs) else choose(impl, query.device, query.dtype)
    if chosen not in CHECK_THEMSELVES and not torch.compiler.is_compiling():
        check_indices(edges, nodes=query.shape[0], rows=key.shape[0], relations=relations)
    out, weights = graph_attention_triton(inputs) if chosen == "triton" else run(inputs, chosen)
    # A copy: the caller may change the weights in place, and the backward pass reads the original.
    return (out, weights.detach().to(query.dtype, copy=True)) if return_weights else out


def run(inputs: AttentionInputs, impl: str) -> tuple[Tensor, Tensor]:
    """Call the implementation with the dtypes that it computes in; the output has the query's own."""
    dtype = inputs.query.dtype
    compute_dtype = torch.float32 if dtype in SIXTEEN_BIT else dtype
    floats = ("query", "key", "value", "score_weight", "edge_bias", "relation_bias", "relation_gate", "edge_gate")
    given = {name: getattr(inputs, name) for name in floats}
    widened: dict[str, Any] = {name: t if t is None else t.to(compute_dtype) for name, t in given.items()}
    implementations = {
        "reference": graph_attention_reference,
        "numba": graph_attention_numba,
        "dense": graph_attention_dense,
    }
    out, weights = implementations[impl](inputs._replace(**widened))
    return out.to(dtype), weights.to(dtype)


def choose(impl: Impl, device: torch.device, dtype: torch.dtype = torch.float32) -> str:
    """The implementation to run on tensors of a device and dtype.

    Raises:
        ValueError: unknown, or for another device.
        RuntimeError: not installed.
    """
    if impl == "auto":
        if device.type == "cuda" and dtype != torch.float64 and INSTALLED["triton"]:
            return "triton"
        return auto_on_cpu() if device.type == "cpu" else "reference"
    check_runs(impl, ("reference", "numba", "triton", "dense"), device)
    return impl


def check_finite(name: str, number: float | None) -> None:
    """Raise ValueError for an infinite number or NaN; None stands for a default."""
    if number is not None and not -math.inf < number < math.inf:
        raise ValueError(f"{name} must be finite, found {number}")


def seed_tensor(seed: int | Tensor | None, device: torch.device) -> Tensor:
    """The seed as int64 `[1]` on the device; if None, drawn there without synchronising."""
    if seed is None:
        return torch.randint(2**63 - 1, (1,), device=device)
    if isinstance(seed, Tensor):
        if seed.dtype != torch.int64 or seed.shape != (1,):
            raise ValueError(f"seed must be a number or int64 [1], found {seed.dtype} {tuple(seed.shape)}")
        check_tensor("seed", seed, device)
        return seed
    if not isinstance(seed, int) or not -(2**63) <= seed < 2**63:
        raise ValueError(f"seed must be a whole number of 64 bits or int64 [1], found {seed!r}")
    return torch.full((1,), seed, dtype=torch.int64, device=device)


def in_autocast(*states: Tensor) -> tuple[Tensor, ...]:
    """States of several dtypes, as autocast leaves them, in its dtype; unchanged if one is float64 or all are alike."""
    kind, given = states[0].device.type, {state.dtype for state in states}
    mixed = len(given) > 1 and torch.float64 not in given
    if not mixed or kind == "meta" or not torch.is_autocast_enabled(kind):
        return states
    return tuple(state.to(torch.get_autocast_dtype(kind)) for state in states)


def check_states(query: Tensor, key: Tensor, value: Tensor) -> None:
    """Raise ValueError unless query, key and value have one device and dtype, and shapes that fit."""
    for name, tensor in {"query": query, "key": key, "value": value}.items():
        if tensor.dim() != 3:
            raise ValueError(f"{name} must be [nodes or rows, heads, dim], found shape {tuple(tensor.shape)}")
        if tensor.dtype != query.dtype or tensor.dtype not in DTYPES:
            allowed = "float16, bfloat16, float32 or float64, the same for query, key and value"
            raise ValueError(f"{name} must be {allowed}; found {tensor.dtype} beside {query.dtype}")
        check_tensor(name, tensor, query.device)
    heads, head_dim = query.shape[1:]
    if head_dim == 0:
        raise ValueError("query must have a head_dim of at least 1, found 0")
    if key.shape[1:] != query.shape[1:]:
        raise ValueError(f"key must be [rows, {heads}, {head_dim}] as query, found shape {tuple(key.shape)}")
    if value.shape[:2] != key.shape[:2]:
        raise ValueError(f"value must be [{key.shape[0]}, {heads}, dim] as key, found shape {tuple(value.shape)}")


def check_score(score: str, score_weight: Tensor | None) -> None:
    """Raise ValueError for an unknown score, or one without its weight."""
    if score not in ("dot", "additive"):
        raise ValueError(f"score must be 'dot' or 'additive', found {score!r}")
    if (score == "additive") != (score_weight is not None):
        raise ValueError(f"score_weight is for score='additive', which needs it; found score={score!r}")


def check_tables(query: Tensor, tables: dict[str, Tensor | None]) -> int | None:
    """The number of relations that the relation tables have, None without one.

    Raises:
        ValueError: a table does not fit the query, or the tables differ in the number of relations.
    """
    _, heads, head_dim = query.shape
    given = {name: tensor for name, tensor in tables.items() if tensor is not None}
    for name, tensor in given.items():
        row = (heads, head_dim) if name == "score_weight" else (heads,)
        if tensor.dim() != len(row) + 1 or tensor.shape[1:] != row or not tensor.is_floating_point():
            expected = ", ".join(map(str, ("relations", *row)))
            raise ValueError(f"{name} must be floating [{expected}], found {tensor.dtype} {tuple(tensor.shape)}")
        check_tensor(name, tensor, query.device)
    sizes = {tensor.shape[0] for tensor in given.values()}
    if len(sizes) > 1:
        found = " and ".join(f"{tensor.shape[0]}" for tensor in given.values())
        raise ValueError(f"{' and '.join(given)} need one number of relations, found {found}")
    return sizes.pop() if sizes else None


def check_per_edge(query: Tensor, edges: Edges, tensors: dict[str, Tensor | None]) -> None:
    """Raise ValueError unless each tensor has one number per edge and head."""
    shape = (edges.num_edges, query.shape[1])
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if tensor.shape != shape or not tensor.is_floating_point():
            found = f"{tensor.dtype} {tuple(tensor.shape)}"
            raise ValueError(f"{name} must be floating [{shape[0]}, {shape[1]}], one row per edge; found {found}")
        check_tensor(name, tensor, query.device)


def check_graphs(query: Tensor, graph_id: Tensor | None, num_graphs: int | None) -> int:
    """The number of graphs, 1 without graph_id.

    Raises:
        ValueError: graph_id is not one number per node, or num_graphs is missing or impossible.
    """
    if graph_id is None:
        if num_graphs not in (None, 1):
            raise ValueError(f"num_graphs={num_graphs} needs graph_id, which holds the graph of each node; found None")
        return 1
    nodes = query.shape[0]
    if graph_id.dtype != torch.int64 or graph_id.shape != (nodes,):
        found = f"{graph_id.dtype} {tuple(graph_id.shape)}"
        raise ValueError(f"graph_id must be int64 [{nodes}], the graph of each node; found {found}")
    check_tensor("graph_id", graph_id, query.device)
    if num_graphs is None:
        if torch.compiler.is_compiling():
            raise ValueError("graph_id needs num_graphs under torch.compile, where it cannot be counted; found None")
        num_graphs = int(graph_id.max()) + 1 if nodes else 0
        if num_graphs > max(1, nodes):
            raise ValueError(f"graph_id must lie in 0..{nodes - 1} without num_graphs, found {num_graphs - 1}")
    if num_graphs < 0:
        raise ValueError(f"num_graphs must be 0 or more, found {num_graphs}")
    if query.device.type == "cpu" and not torch.compiler.is_compiling():
        check_range("graph_id", graph_id, num_graphs)
    return num_graphs
