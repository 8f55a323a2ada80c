"""Reassembles recordings from slices and applies a network to them."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gnnfuse.nodes.node_type import Layout
from gnnfuse.nodes.pretrained.backbone import Backbone, check_count, groups_of_equal, in_order, rows_of
from gnnfuse.nodes.pretrained.cut import Cut
from gnnfuse.nodes.pretrained.pooled_runs import pool, unpool


class AudioBackbone(Backbone):
    """A network with one state per slice.

    Args:
        network: `[recordings, samples]` -> `[recordings, states, width]`.
        width: features per node.
        hop: samples per slice.
        margin: samples of silence added around a recording, so that each slice gets one state.
        window: fixed number of slices per input of the network; longer recordings are processed window by window, and
            the last window is filled with silence. None processes a recording of any length whole.
        max_nodes: if slices share nodes (`pooled_runs`), most nodes per recording; None if each has its own.
    """

    def __init__(
        self, network: nn.Module, width: int, *, hop: int, margin: int, window: int | None, max_nodes: int | None
    ) -> None:
        super().__init__()
        self.network = network
        self.width = width
        self.hop = hop
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

    def states(
        self, values: Float[Tensor, "nodes samples"], layout: Layout, cut: Cut
    ) -> Float[Tensor, "nodes numbers"]:
        """Slices of waveforms in, states before the cut out; not for windows or slices that share nodes."""

        def run(slices: Tensor, count: int) -> Tensor:
            return cut.states(self.network, (self._around(slices.flatten(1)),), count)

        return self._by_count(values.to(self.like.dtype), layout.offsets.diff().tolist(), cut.width, run)

    def features(
        self, states: Float[Tensor, "nodes numbers"], layout: Layout, cut: Cut
    ) -> Float[Tensor, "nodes features"]:
        """States before the cut in, features out."""

        def run(of_count: Tensor, count: int) -> Tensor:
            silence = self._around(of_count.new_zeros(1, count * self.hop))
            return self._checked(cut.output(self.network, of_count.flatten(1), (silence,)), count).flatten(0, 1)

        return self._by_count(states.to(self.like.dtype), layout.offsets.diff().tolist(), self.width, run)

    def _slices(self, slices: Tensor, counts: list[int]) -> Tensor:
        if self.window is not None:
            return self._windows(slices, counts, self.window)
        return self._by_count(
            slices, counts, self.width, lambda of_count, count: self._features(of_count.flatten(1), count).flatten(0, 1)
        )

    def _by_count(
        self, values: Tensor, counts: list[int], width: int, run: Callable[[Tensor, int], Tensor]
    ) -> Float[Tensor, "nodes features"]:
        """Run recordings of the same length together; `run` takes `[recordings, count, ...]` and the count."""
        offsets = torch.tensor([0, *counts], device=values.device).cumsum(0)
        found, places = [], []
        for recordings in groups_of_equal(counts):
            count = counts[recordings[0]]
            if count:
                rows = rows_of(offsets, recordings, count)
                found.append(run(values[rows], count))
                places.append(rows.flatten())
        return in_order(found, places, width, self.like)

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
        return self._checked(self.network(self._around(waveforms)), count)

    def _around(self, waveforms: Tensor) -> Tensor:
        return F.pad(waveforms, (self.margin // 2, self.margin - self.margin // 2))

    def _checked(self, states: Tensor, count: int) -> Tensor:
        check_count(self.network, states.shape[1:2], (count,))
        return states
