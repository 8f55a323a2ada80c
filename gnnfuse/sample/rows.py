"""Rows of numbers from the user: sensor readings, detections, precomputed embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from gnnfuse.sample.edge_list import EdgeList
from gnnfuse.sample.numbers import as_tensor
from gnnfuse.sample.read_edges import read_edges
from gnnfuse.sample.sample import Sample, SignalError
from gnnfuse.sample.unreadable import signal_of

LARGEST = torch.finfo(torch.float32).max
EXPECTED = "rows of numbers: an array or tensor [nodes, features], or Rows(values, time=..., position=...)"


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class Rows:
    """Rows of features, one per node.

    Args:
        values: `[nodes, features]`; a single row may be `[features]`.
        time: `[nodes, 2]`, start and end in seconds, or `[nodes]`, moments.
        position: `[nodes, coordinates]`.
        edges: the sample's own edges into these rows: (source node type, name) -> `[2, edges]`, the indices of the
            source node and of the row; or an `EdgeList` of them with weights and features.

    Example:
        >>> rows = Rows(torch.zeros(3, 5), time=torch.tensor([0.0, 0.5, 1.0]))
    """

    values: Tensor | np.ndarray
    time: Tensor | np.ndarray | None = None
    position: Tensor | np.ndarray | None = None
    edges: Mapping[tuple[str, str], Tensor | np.ndarray | EdgeList] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class TensorRows:
    """Rows as `read_rows` returns them: tensors of checked shapes; times and positions are float64."""

    values: Tensor
    time: Tensor | None
    position: Tensor | None
    edges: Mapping[tuple[str, str], EdgeList] = field(default_factory=dict)


def read_rows(
    sample: Sample,
    signal: str,
    *,
    width: int | None = None,
    blanks: bool = False,
    dtype: torch.dtype = torch.float32,
) -> TensorRows | None:
    """Read a signal of a sample as rows of features.

    Times and positions keep full precision: float32 resolves a present-day time stamp only to 128 seconds.

    Args:
        sample: the sample.
        signal: name of the signal.
        width: expected number of features; None accepts any.
        blanks: accept NaN among the values, as for a table's empty cells; infinity is still refused.
        dtype: of the values; use float64 to subtract a mean from them first.

    Returns:
        The rows, or None where the sample lacks the signal.

    Raises:
        SignalError: not numbers, a wrong width, NaN, infinity or numbers beyond float32, times or positions for a
            wrong number of rows, or edges that do not fit.

    Example:
        >>> read_rows(Sample({"sensor": np.ones((4, 2))}), "sensor").values.shape
        torch.Size([4, 2])
    """
    value = signal_of(sample, signal)
    if value is None:
        return None
    found = _fields(value)
    values = _number_tensor(sample, signal, "values", found["values"], blanks=blanks, dtype=dtype)
    values = values.unsqueeze(0) if values.ndim == 1 else values
    if values.ndim != 2 or (width is not None and values.shape[1] != width):
        expected = f"[nodes, {'features' if width is None else width}]"
        raise SignalError(sample, signal, f"values of shape {tuple(values.shape)}", expected)
    time = None if found.get("time") is None else _number_tensor(sample, signal, "time", found["time"])
    if time is not None and time.ndim == 1:
        time = torch.stack([time, time], dim=1)
    position = None if found.get("position") is None else _number_tensor(sample, signal, "position", found["position"])
    if time is not None and time.shape != (len(values), 2):
        raise SignalError(
            sample, signal, f"time of shape {tuple(time.shape)}", f"[{len(values)}, 2] or [{len(values)}]"
        )
    if time is not None and bool((time[:, 0] > time[:, 1]).any()):
        raise SignalError(sample, signal, "a time that ends before it starts", "start <= end")
    if position is not None and (position.ndim != 2 or len(position) != len(values)):
        raise SignalError(sample, signal, f"position of shape {tuple(position.shape)}", f"[{len(values)}, coordinates]")
    edges = read_edges(sample, signal, value.edges, len(values)) if isinstance(value, Rows) else {}
    return TensorRows(values, time, position, edges)


def _fields(value: object) -> Mapping[str, object]:
    if isinstance(value, Rows):
        return {"values": value.values, "time": value.time, "position": value.position}
    if isinstance(value, Mapping) and "values" in value and set(value) <= {"values", "time", "position"}:
        return value
    return {"values": value}


def _number_tensor(
    sample: Sample,
    signal: str,
    field: str,
    value: object,
    *,
    blanks: bool = False,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    tensor = as_tensor(sample, signal, field, value, expected=EXPECTED).to(dtype)
    size = tensor.abs()
    bad = int((size > LARGEST if blanks else ~(size <= LARGEST)).sum())
    if bad:
        raise SignalError(
            sample, signal, f"{bad} entries of {field} that are {'' if blanks else 'NaN or '}infinite", "finite numbers"
        )
    return tensor
