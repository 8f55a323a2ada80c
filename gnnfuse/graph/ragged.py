"""Targets whose length differs between samples."""

from typing import NamedTuple

import torch
from jaxtyping import Int, Shaped
from torch import Tensor


class Ragged(NamedTuple):
    """One row of `values` per item, the items of one sample after those of the sample before.

    Args:
        values: `[items, ...]`.
        offsets: `[graphs + 1]`; the items of graph g are `offsets[g]:offsets[g + 1]`.
        of: the node type with one item per node; None if the items are not nodes.
    """

    values: Shaped[Tensor, "items ..."]
    offsets: Int[Tensor, "graphs_plus_one"]
    of: str | None = None

    @classmethod
    def joined(cls, parts: list[Tensor], of: str | None = None) -> "Ragged":
        """The rows of several samples, one tensor each.

        Example:
            >>> Ragged.joined([torch.tensor([3, 4]), torch.tensor([5])]).offsets.tolist()
            [0, 2, 3]
        """
        counts = torch.tensor([0, *(len(part) for part in parts)])
        return cls(torch.cat(parts), counts.cumsum(0), of)

    @property
    def graph_id(self) -> Int[Tensor, "items"]:
        """The sample of each item."""
        return torch.repeat_interleave(self.offsets.diff(), output_size=len(self.values))
