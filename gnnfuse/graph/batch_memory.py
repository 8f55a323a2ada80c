"""Memory for a batch that is yet to be read: values written there need no copy on collating."""

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from gnnfuse.nodes import NewValues
from gnnfuse.ops.cpu.new_memory import new_memory

FORGETTING = 0.8  # factor on the sizes of an earlier batch
LARGEST = 2**30  # bytes per node type; more is not allocated before it is known to be needed


class BatchMemory:
    """Memory for the values of a batch's samples, type by type, sample after sample.

    A picture's floats are four times the decoder's output, and copying them takes as long as making them. A node type
    that accepts `new` writes them directly into the batch. Values that do not fit there (from a type without `new`, or
    from more nodes than expected) are elsewhere, and `joined` returns None for them.

    The number of nodes is unknown before the samples are read: the estimate per sample is that of the first sample, or
    of the largest earlier batch; a large one is forgotten over some ten batches.

    Args:
        samples: number of samples in the batch.
        usual: node type -> nodes per sample in the largest earlier batch; updated by `joined`.
    """

    def __init__(self, samples: int, usual: dict[str, float]) -> None:
        self.samples = samples
        self.usual = usual
        self._blocks: dict[str, Tensor] = {}
        self._placed: dict[str, list[Tensor]] = {}
        self._ends: dict[str, int] = {}
        self._given: dict[str, Tensor] = {}

    def of(self, name: str) -> NewValues:
        """The `new` argument for the named node type and the next sample."""
        return partial(self._new, name)

    def place(self, name: str, values: Tensor) -> None:
        """Record a sample's values, if they are in the memory that `new` returned last."""
        if values is self._given.get(name):
            self._placed[name].append(values)

    def joined(self, name: str, parts: Sequence[Tensor]) -> Tensor | None:
        """The parts end to end without a copy, if exactly these were written here; else None."""
        nodes = sum(part.shape[0] for part in parts)
        self.usual[name] = max(FORGETTING * self.usual.get(name, 0.0), nodes / self.samples)
        placed = self._placed.get(name, [])
        if len(placed) != len(parts) or any(a is not b for a, b in zip(placed, parts, strict=True)):
            return None
        if nodes != self._ends[name]:  # memory between them was handed out and is not in the batch
            return None
        # Through numpy, the tensor's storage ends with the tensor, so pickling it carries nothing more.
        return torch.from_numpy(self._blocks[name][:nodes].numpy())

    def _new(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        nodes, *rest = shape
        if name not in self._blocks:
            length = math.ceil(self.samples * max(nodes, self.usual.get(name, 0.0)))
            if length * math.prod(rest) * dtype.itemsize > LARGEST:
                return torch.empty(shape, dtype=dtype)
            self._blocks[name] = new_memory(torch.empty(0, dtype=dtype), length, *rest)
            self._placed[name], self._ends[name] = [], 0
        block, end = self._blocks[name], self._ends[name]
        if block.dtype != dtype or list(block.shape[1:]) != rest or block.shape[0] - end < nodes:
            return torch.empty(shape, dtype=dtype)
        self._ends[name] += nodes  # never handed out again: the caller may have kept some of it
        given = self._given[name] = block.narrow(0, end, nodes)
        return given
