"""Reduces the values at every node's incoming edges to a weighted sum, mean or maximum."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.ops.check_edges import check_edges, check_indices, check_tensor
from gnnfuse.ops.choose import INSTALLED, auto_on_cpu, check_runs
from gnnfuse.ops.edges import Edges
from gnnfuse.ops.neighbor_sum.operator import KERNELS, edge_lists
from gnnfuse.ops.neighbor_sum.reference import neighbor_sum_reference

Impl = Literal["auto", "reference", "numba", "triton"]
Reduce = Literal["sum", "mean", "max"]

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def neighbor_sum(
    value: Float[Tensor, "rows dim"],
    edges: Edges,
    *,
    weight: Float[Tensor, "edges"] | None = None,
    reduce: Reduce = "sum",
    impl: Impl = "auto",
) -> Float[Tensor, "nodes dim"]:
    r"""Reduce the values at every node's incoming edges to one.

    $$ o_i = \sum_{e \to i} w_e v_{j(e)}, \qquad
       o_i = \frac{1}{\max(1, |e \to i|)} \sum_{e \to i} w_e v_{j(e)}, \qquad
       o_i = \max_{e \to i} w_e v_{j(e)} $$

    GCN, GraphSAGE and RGCN need this; it stores no tensor of edges x dim. A node without edges gets zeros. The maximum
    is taken per column; among equal maxima, the first edge gets the gradient.

    Args:
        value: `[rows, dim]`.
        edges: from `rows` rows into the nodes.
        weight: `[edges]`, in the order of `edges.src`; None means 1.
        reduce: "sum", "mean" or "max".
        impl: "reference" is plain PyTorch and runs anywhere. "numba" is a fused kernel for the CPU with the same
            bits for any number of threads; "triton" is one for CUDA with the same bits in every run. Both have first
            derivatives only. "auto" chooses numba on the CPU and triton on CUDA, if installed, else the reference.

    Raises:
        ValueError: shapes, dtypes or devices do not match, a tensor is expanded, an index is out of range (on
            accelerators: within `checked_indices()`), or `reduce` or `impl` is unknown or for another device.
        RuntimeError: `impl` needs a package that is not installed.

    Example:
        >>> from gnnfuse.ops import edges_from_index
        >>> edges = edges_from_index(torch.tensor([0, 1]), torch.tensor([1, 1]), num_nodes=2)
        >>> neighbor_sum(torch.tensor([[2.0], [4.0]]), edges, reduce="mean").flatten().tolist()
        [0.0, 3.0]
    """
    if value.dim() != 2 or value.dtype not in DTYPES:
        raise ValueError(f"value must be floating [rows, dim], found {value.dtype} {tuple(value.shape)}")
    check_tensor("value", value, value.device)
    check_edges(edges, nodes=edges.num_nodes, rows=value.shape[0], device=value.device)
    if weight is not None:
        if weight.shape != (edges.num_edges,) or not weight.is_floating_point():
            found = f"{weight.dtype} {tuple(weight.shape)}"
            raise ValueError(f"weight must be floating [{edges.num_edges}], one per edge; found {found}")
        check_tensor("weight", weight, value.device)
    if reduce not in get_args(Reduce):
        raise ValueError(f"reduce must be 'sum', 'mean' or 'max', found {reduce!r}")
    chosen, given = choose(impl, value.device), value
    if chosen != "triton":  # which reads 16-bit values as they are and adds them up in float32
        compute_dtype = torch.promote_types(value.dtype, torch.float32)
        given, weight = value.to(compute_dtype), None if weight is None else weight.to(compute_dtype)
    if chosen in KERNELS:
        out: Tensor = KERNELS[chosen](given, weight, edge_lists(edges), reduce)[0]
    else:
        if not torch.compiler.is_compiling():
            check_indices(edges, nodes=edges.num_nodes, rows=value.shape[0])
        out = neighbor_sum_reference(given, edges, weight, reduce)
    return out.to(value.dtype)


def choose(impl: Impl, device: torch.device) -> str:
    """The implementation to run on tensors of a device.

    Raises:
        ValueError: unknown, or for another device.
        RuntimeError: not installed.
    """
    if impl == "auto":
        if device.type == "cpu":
            return auto_on_cpu()
        return "triton" if device.type == "cuda" and INSTALLED["triton"] else "reference"
    check_runs(impl, ("reference", "numba", "triton"), device)
    return impl
