"""Attention of every node over its incoming edges, with a bias and a gate per relation and head."""

from importlib.util import find_spec
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.ops.attention.numba import graph_attention_numba
from gnnfuse.ops.attention.reference import graph_attention_reference
from gnnfuse.ops.edges import Edges

Impl = Literal["auto", "reference", "numba"]

IMPLEMENTATIONS = {"reference": graph_attention_reference, "numba": graph_attention_numba}
COMPUTE_DTYPE = {
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
    torch.float32: torch.float32,
    torch.float64: torch.float64,
}
NUMBA_INSTALLED = find_spec("numba") is not None


def graph_attention(
    query: Float[Tensor, "nodes heads head_dim"],
    key: Float[Tensor, "rows heads head_dim"],
    value: Float[Tensor, "rows heads value_dim"],
    edges: Edges,
    *,
    relation_bias: Float[Tensor, "relations heads"] | None = None,
    relation_gate: Float[Tensor, "relations heads"] | None = None,
    scale: float | None = None,
    impl: Impl = "auto",
) -> Float[Tensor, "nodes heads value_dim"]:
    r"""Let every node read the values at its incoming edges, weighted by how well their keys match its query.

    For an edge e of relation r from row j into node i, per head:

    $$ s_e = \text{scale} \cdot q_i \cdot k_j + b_r, \qquad
       w_e = \frac{\exp s_e}{\sum_{e' \to i} \exp s_{e'}}, \qquad
       o_i = \sum_{e \to i} g_r \, w_e \, v_j $$

    The softmax runs over all edges into i, whatever their relation. A node without edges gets zeros.
    float16 and bfloat16 are computed in float32 and given back in their own dtype.

    After Velickovic et al., Graph Attention Networks, 2018 (https://arxiv.org/abs/1710.10903), with the
    scaled dot product of Vaswani et al., 2017 (https://arxiv.org/abs/1706.03762), and a prior per relation
    after Hu et al., Heterogeneous Graph Transformer, 2020 (https://arxiv.org/abs/2003.01332).

    Args:
        query: `[nodes, heads, head_dim]`.
        key: `[rows, heads, head_dim]`; a row is a node, or a (relation, node) pair where
            keys differ by relation.
        value: `[rows, heads, value_dim]`.
        edges: from `rows` rows into `nodes` nodes.
        relation_bias: `[relations, heads]`, added to the scores; None means 0.
        relation_gate: `[relations, heads]`, multiplied onto the messages after the softmax; None means 1.
        scale: factor of the dot products; `head_dim ** -0.5` by default.
        impl: "reference" is plain PyTorch and runs anywhere. "numba" is a fused kernel for the CPU with the
            same bits for any number of threads; it has first derivatives only. "auto" takes numba for CPU
            tensors where numba is installed, else the reference.

    Raises:
        ValueError: shapes, dtypes or devices do not go together, or `impl` is unknown or cannot take
            these tensors.
        RuntimeError: `impl="numba"` without numba installed.

    Example:
        >>> from gnnfuse.ops import edges_from_index
        >>> edges = edges_from_index(torch.tensor([0, 1]), torch.tensor([1, 1]), num_nodes=2)
        >>> query, key = torch.zeros(2, 1, 3), torch.zeros(2, 1, 3)
        >>> value = torch.tensor([[[2.0]], [[4.0]]])
        >>> graph_attention(query, key, value, edges).flatten().tolist()
        [0.0, 3.0]
    """
    check_tensors(query, key, value, relation_bias, relation_gate)
    check_edges(edges, query, key)
    dtype, compute_dtype = query.dtype, COMPUTE_DTYPE[query.dtype]
    out = IMPLEMENTATIONS[choose(impl, query.device)](
        query.to(compute_dtype),
        key.to(compute_dtype),
        value.to(compute_dtype),
        edges,
        None if relation_bias is None else relation_bias.to(compute_dtype),
        None if relation_gate is None else relation_gate.to(compute_dtype),
        query.shape[2] ** -0.5 if scale is None else float(scale),
    )
    return out.to(dtype)


def choose(impl: Impl, device: torch.device) -> Literal["reference", "numba"]:
    """The implementation to run on tensors of a device.

    Raises:
        ValueError: unknown, or for another device.
        RuntimeError: not installed.
    """
    if impl == "auto":
        return "numba" if NUMBA_INSTALLED and device.type == "cpu" else "reference"
    if impl not in IMPLEMENTATIONS:
        raise ValueError(f"impl must be 'auto', 'reference' or 'numba', found {impl!r}")
    if impl == "numba" and device.type != "cpu":
        raise ValueError(f"impl='numba' needs tensors on the CPU, found device {device}")
    if impl == "numba" and not NUMBA_INSTALLED:
        raise RuntimeError("impl='numba' needs numba, which is not installed: pip install numba")
    return impl


def check_tensors(
    query: Tensor, key: Tensor, value: Tensor, relation_bias: Tensor | None, relation_gate: Tensor | None
) -> None:
    """Raise ValueError unless the tensors have one device, allowed dtypes and shapes that fit."""
    tensors = {"query": query, "key": key, "value": value}
    for name, tensor in tensors.items():
        if tensor.dim() != 3:
            raise ValueError(f"{name} must be [nodes or rows, heads, dim], found shape {tuple(tensor.shape)}")
        if tensor.dtype != query.dtype or tensor.dtype not in COMPUTE_DTYPE:
            allowed = "float16, bfloat16, float32 or float64, the same for query, key and value"
            raise ValueError(f"{name} must be {allowed}; found {tensor.dtype} beside {query.dtype}")
    heads, head_dim = query.shape[1:]
    if head_dim == 0:
        raise ValueError("query must have a head_dim of 1 at least, found 0")
    if key.shape[1:] != query.shape[1:]:
        raise ValueError(f"key must be [rows, {heads}, {head_dim}] as query, found shape {tuple(key.shape)}")
    if value.shape[:2] != key.shape[:2]:
        raise ValueError(f"value must be [{key.shape[0]}, {heads}, dim] as key, found shape {tuple(value.shape)}")
    tables = {"relation_bias": relation_bias, "relation_gate": relation_gate}
    given = {name: tensor for name, tensor in tables.items() if tensor is not None}
    for name, tensor in given.items():
        if tensor.dim() != 2 or tensor.shape[1] != heads or not tensor.is_floating_point():
            raise ValueError(f"{name} must be floating [relations, {heads}], found {describe(tensor)}")
    if len({tensor.shape[0] for tensor in given.values()}) > 1:
        sizes = " and ".join(str(tensor.shape[0]) for tensor in given.values())
        raise ValueError(f"relation_bias and relation_gate need one number of relations, found {sizes}")
    for name, tensor in {**tensors, **given}.items():
        if tensor.device != query.device:
            raise ValueError(f"{name} must be on {query.device} as query, found {tensor.device}")


def check_edges(edges: Edges, query: Tensor, key: Tensor) -> None:
    """Raise ValueError unless the edges are int64 lists on the same device, and fit key and query."""
    src = edges.src
    lengths = {
        "offsets": (edges.offsets, query.shape[0] + 1, "one more than the query's nodes"),
        "src": (src, src.shape[0], "one per edge"),
        "relation": (edges.relation, src.shape[0], "one per edge"),
        "transpose.offsets": (edges.transpose.offsets, key.shape[0] + 1, "one more than the key's rows"),
        "transpose.edge": (edges.transpose.edge, src.shape[0], "one per edge"),
        "transpose.dst": (edges.transpose.dst, src.shape[0], "one per edge"),
    }
    for name, (tensor, length, meaning) in lengths.items():
        if tensor.dtype != torch.int64 or tensor.shape != (length,):
            raise ValueError(f"edges.{name} must be int64 [{length}], {meaning}; found {describe(tensor)}")
        if tensor.device != query.device:
            raise ValueError(f"edges.{name} must be on {query.device} as query, found {tensor.device}")


def describe(tensor: Tensor) -> str:
    """Dtype and shape, for messages."""
    return f"{tensor.dtype} {tuple(tensor.shape)}"
