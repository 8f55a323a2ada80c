"""Memory of a batch that is yet to be read: values that are written there need no collating."""

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from gnnfuse.nodes import NewValues
from gnnfuse.ops.cpu.new_memory import new_memory

FORGETTING = 0.8  # of what an earlier batch had
LARGEST = 2**30  # bytes per node type: more is not asked for before it is known to be needed


class BatchMemory:
    """Room for the values of a batch's samples, type by type, sample after sample.

    A picture's floats are four times what the decoder wrote, and take as long to copy once more as they took to make.
    A node type that takes `new` writes them where the batch will have them. What found no room there - a type that does
    not take it, more nodes than were expected - lies elsewhere, and `joined` says so.

    How many nodes will come is not known before the samples are read: it is taken to be as many per sample as in the
    first one, or as in the earlier batch that had most; a large one is forgotten over some ten batches.

    Args:
        samples: how many samples the batch will have.
        usual: node type -> nodes per sample in the earlier batch that had most; updated by `joined`.
    """

    def __init__(self, samples: int, usual: dict[str, float]) -> None:
        self.samples = samples
        self.usual = usual
        self._blocks: dict[str, Tensor] = {}
        self._placed: dict[str, list[Tensor]] = {}
        self._ends: dict[str, int] = {}
        self._given: dict[str, Tensor] = {}

    def of(self, name: str) -> NewValues:
        """What the node type of this name is given as `new` for the next sample."""
        return partial(self._new, name)

    def place(self, name: str, values: Tensor) -> None:
        """Note a sample's values, if they are what `new` gave last."""
        if values is self._given.get(name):
            self._placed[name].append(values)

    def joined(self, name: str, parts: Sequence[Tensor]) -> Tensor | None:
        """The parts end to end, if these and no others were written here; their memory is the result's."""
        nodes = sum(part.shape[0] for part in parts)
        self.usual[name] = max(FORGETTING * self.usual.get(name, 0.0), nodes / self.samples)
        placed = self._placed.get(name, [])
        if len(placed) != len(parts) or any(a is not b for a, b in zip(placed, parts, strict=True)):
            return None
        if nodes != self._ends[name]:  # something between them was given and is not in the batch
            return None
        # By way of numpy, it has a storage of its own, that ends where it ends: pickling it carries no more.
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
        self._ends[name] += nodes  # never given again: whoever asked may have kept a part
        given = self._given[name] = block.narrow(0, end, nodes)
        return given
