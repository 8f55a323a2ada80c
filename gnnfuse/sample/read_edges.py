"""Reads the edges that come with a sample."""

from collections.abc import Mapping

import torch
from torch import Tensor

from gnnfuse.sample.edge_list import EdgeList
from gnnfuse.sample.numbers import as_tensor
from gnnfuse.sample.sample import Sample, SignalError

KEYS = "a mapping of (source node type, name) to a tensor [2, edges] or an EdgeList"


def read_edges(sample: Sample, signal: str, edges: object, rows: int) -> Mapping[tuple[str, str], EdgeList]:
    """The edges of `Rows.edges` with int64 indices and float32 weights and features.

    Args:
        sample: for messages.
        signal: for messages.
        edges: (source node type, name) -> `[2, edges]` or an `EdgeList`.
        rows: number of destination rows.

    Raises:
        SignalError: edges that are not such a mapping; indices of another shape, that are not whole numbers, or of rows
            that do not exist; weights or features that are not finite or not one per edge.

    Example:
        >>> edges = {("atom", "bond"): torch.tensor([[0, 1], [1, 0]])}
        >>> read_edges(Sample({}), "atom", edges, rows=2)["atom", "bond"].index.tolist()
        [[0, 1], [1, 0]]
    """
    if not isinstance(edges, Mapping):
        raise SignalError(sample, signal, f"edges as a {type(edges).__name__}", KEYS)
    read = {}
    for key, found in edges.items():
        if not isinstance(key, tuple) or len(key) != 2 or not all(isinstance(name, str) for name in key):
            raise SignalError(sample, signal, f"edges under {key!r}", KEYS)
        what = f"edges {' '.join(key)!r}"
        given = found if isinstance(found, EdgeList) else EdgeList(found)
        index = _index(sample, signal, what, given.index, rows)
        weight = _numbers(sample, signal, f"weight of {what}", given.weight, [index.shape[1]])
        features = _numbers(sample, signal, f"features of {what}", given.features, [index.shape[1], None])
        read[key] = EdgeList(index, weight, features)
    return read


def _index(sample: Sample, signal: str, what: str, pairs: object, rows: int) -> Tensor:
    """`[2, edges]`, int64."""
    try:
        found = torch.as_tensor(pairs)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SignalError(sample, signal, f"{what} as a {type(pairs).__name__}", "a tensor [2, edges]") from error
    whole = not found.is_floating_point() and not found.is_complex() and found.dtype != torch.bool
    if found.ndim != 2 or len(found) != 2 or not (whole or not found.numel()):
        shape = f"{what} of shape {list(found.shape)} and {found.dtype}"
        raise SignalError(sample, signal, shape, "[2, edges] of whole numbers")
    found = found.long()
    if found.numel() and not (int(found.min()) >= 0 and int(found[1].max()) < rows):
        raise SignalError(
            sample, signal, f"{what} with numbers {int(found.min())}..{int(found[1].max())}", f"0..{rows - 1}"
        )
    return found


def _numbers(sample: Sample, signal: str, what: str, found: object, shape: list[int | None]) -> Tensor | None:
    """Finite float32 numbers of a shape, in which None accepts any size."""
    if found is None:
        return None
    numbers = as_tensor(sample, signal, what, found, expected="numbers").float()
    if numbers.ndim != len(shape) or any(
        size not in (None, had) for size, had in zip(shape, numbers.shape, strict=True)
    ):
        expected = ", ".join("features" if size is None else str(size) for size in shape)
        raise SignalError(sample, signal, f"{what} of shape {list(numbers.shape)}", f"[{expected}], one per edge")
    if not bool(numbers.isfinite().all()):
        raise SignalError(sample, signal, f"{what} with NaN or infinity", "finite numbers")
    return numbers
