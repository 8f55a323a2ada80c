"""Reassembles recordings from slices and applies a network to them."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gnnfuse.nodes.node_type import Layout
from gnnfuse.nodes.pretrained.backbone import Backbone, check_count, groups_of_equal, in_order, rows_of
from gnnfuse.nodes.pretrained.pooled_runs import pool, unpool


class AudioBackbone(Backbone):
    """A network with one state per slice.

    Args:
        network: `[recordings, samples]` -> `[recordings, states, width]`.
        width: features per node.
        margin: samples of silence added around a recording, so that each slice gets one state.
        window: fixed number of slices per input of the network; longer recordings are processed window by window, and
            the last window is filled with silence. None processes a recording of any length whole.
        max_nodes: if slices share nodes (`pooled_runs`), most nodes per recording; None if each has its own.
    """

    def __init__(
        self, network: nn.Module, width: int, *, margin: int, window: int | None, max_nodes: int | None
    ) -> None:
        super().__init__()
        self.network = network
        self.width = width
        self.margin = margin
        self.window = window
        self.max_nodes = max_nodes

    def forward(self, values: Float[Tensor, "nodes ... samples"], layout: Layout) -> Float[Tensor, "nodes features"]:
        """Slices of waveforms in, features out."""
        values = values.to(self.like.dtype)
        if self.max_nodes is None:
            return self._slices(values, layout.offsets.diff().tolist())
        slices, counts = unpool(values, layout, self.max_nodes)
        return pool(self._slices(slices, counts), counts, self.max_nodes)

    def _slices(self, slices: Tensor, counts: list[int]) -> Tensor:
        if self.window is not None:
            return self._windows(slices, counts, self.window)
        offsets = torch.tensor([0, *counts], device=slices.device).cumsum(0)
        found, places = [], []
        for recordings in groups_of_equal(counts):
            count = counts[recordings[0]]
            if count:
                rows = rows_of(offsets, recordings, count)
                found.append(self._features(slices[rows].flatten(1), count).flatten(0, 1))
                places.append(rows.flatten())
        return in_order(found, places, self.width, self.like)

    def _windows(self, slices: Tensor, counts: list[int], window: int) -> Tensor:
        pieces = [
            piece for of_one in torch.split(slices, counts) for piece in torch.split(of_one, window) if len(piece)
        ]
        if not pieces:
            return self.like.new_zeros(0, self.width)
        filled = torch.stack([F.pad(piece.flatten(), (0, (window - len(piece)) * slices.shape[1])) for piece in pieces])
        states = self._features(filled, window)
        return torch.cat([state[: len(piece)] for state, piece in zip(states, pieces, strict=True)])

    def _features(self, waveforms: Tensor, count: int) -> Tensor:
        before, after = self.margin // 2, self.margin - self.margin // 2
        states: Tensor = self.network(F.pad(waveforms, (before, after)))
        check_count(self.network, states.shape[1:2], (count,))
        return states
