"""A recording summarised by cepstral coefficients over a few segments of time."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.nodes.node_type import Layout
from gnnfuse.nodes.summary import NodeSummary
from gnnfuse.ops import segment_reduce

Spectra = Callable[[Float[Tensor, "nodes ..."]], Float[Tensor, "nodes mels columns"]]


class CepstrumSummary(NodeSummary):
    """Means and deviations of mel-frequency cepstral coefficients over equal segments of a recording, and its length.

    A cepstrum is the cosine transform of a log-mel spectrum (Davis and Mermelstein, 1980). The length is the logarithm
    of the number of frames.

    Args:
        mels: bands of the spectra.
        spectra: turns the nodes' values into log-mel spectra `[nodes, mels, columns]`; None if they are spectra.
        segments: equal parts of the recording; one shorter than a spectrum has zeros.
        coefficients: how many of each cepstrum are kept, from the first; at most `mels`.
    """

    def __init__(self, mels: int, *, spectra: Spectra | None = None, segments: int = 8, coefficients: int = 20) -> None:
        coefficients = min(coefficients, mels)
        super().__init__(2 * segments * coefficients + 1)
        self.mels = mels
        self.spectra = spectra
        self.segments = segments
        self.coefficients = coefficients
        angles = math.pi / mels * torch.outer(torch.arange(mels) + 0.5, torch.arange(coefficients))
        self.cosines: Tensor
        self.register_buffer("cosines", angles.cos() * math.sqrt(2 / mels), persistent=False)

    def forward(self, values: Float[Tensor, "nodes ..."], layout: Layout) -> Float[Tensor, "graphs width"]:
        """Prepared frames in, statistics of their cepstra out."""
        spectra = values if self.spectra is None else self.spectra(values)
        cepstra = spectra.transpose(1, 2) @ self.cosines
        segment = self._segments(cepstra.shape[1], layout).to(cepstra.dtype)
        moments = torch.cat([torch.ones_like(cepstra[..., :1]), cepstra, cepstra.square()], dim=2)
        in_segments = torch.einsum("ncs,nck->nsk", segment, moments)
        sums = segment_reduce(in_segments, offsets=layout.offsets)
        mean, square = (sums[..., 1:] / sums[..., :1].clamp(min=1)).chunk(2, dim=2)
        deviation = (square - mean.square()).clamp(min=0).sqrt()
        length = layout.offsets.diff().to(mean.dtype).log1p()
        return torch.cat([mean.flatten(1), deviation.flatten(1), length.unsqueeze(1)], dim=1)

    def _segments(self, columns: int, layout: Layout) -> Tensor:
        """Which segment each spectrum lies in: `[nodes, columns, segments]`."""
        frames = layout.shape[layout.graph_id, :1]
        within = (torch.arange(columns, device=frames.device) + 0.5) / columns
        number = ((layout.index.unsqueeze(1) + within) / frames * self.segments).long()
        return number.unsqueeze(2) == torch.arange(self.segments, device=frames.device)
