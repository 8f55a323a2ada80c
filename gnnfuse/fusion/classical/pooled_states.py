"""Summaries of all modalities side by side, for linear models and trees."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gnnfuse.fusion.fusion_model import Family, FusionModel, NodeEncoders, read_types
from gnnfuse.graph import GraphBatch
from gnnfuse.nodes import NodeType
from gnnfuse.nodes.moments import Moments
from gnnfuse.readout import Fused


class PooledStates(FusionModel):
    """A summary of each modality (`NodeType.summary`), side by side; it has no parameters.

    The vector holds the summaries in the order of `modalities`, then a 1 for each modality that the sample lacks. Once
    fitted, a column has mean 0 and scale 1 over the training rows that have its modality; the columns of an absent
    modality are 0, the mean.

    Args:
        node_types: the samples' node types; those without a summary are left out, such as hubs.
        standardised: `fit` learns means and scales; else the vector holds the summaries as they are.

    Raises:
        ValueError: no node type has a summary.

    Example:
        >>> from gnnfuse.graph import GraphBuilder
        >>> from gnnfuse.nodes import Features
        >>> from gnnfuse.sample import Sample
        >>> builder = GraphBuilder([Features(signal="a", width=2), Features(signal="b", width=1)])
        >>> model = PooledStates.of(builder)
        >>> batch = builder([Sample({"a": torch.tensor([3.0, 4.0])}), Sample({"b": torch.tensor([5.0])})])
        >>> model(batch).tolist()
        [[3.0, 4.0, 0.0, 0.0, 1.0], [0.0, 0.0, 5.0, 1.0, 0.0]]
    """

    family: ClassVar[Family] = "classical"

    def __init__(self, node_types: Sequence[NodeType], *, standardised: bool = True) -> None:
        read = read_types(node_types)
        summaries = {each.name: summary for each in read if (summary := each.summary()) is not None}
        if not summaries:
            found = ", ".join(each.name for each in read) or "none"
            raise ValueError(
                f"PooledStates: found no node type with a summary (NodeType.summary) among {found}, expected one"
            )
        kept = [each for each in read if each.name in summaries]
        columns = sum(summary.width for summary in summaries.values())
        dim = columns + len(kept)
        super().__init__(kept, dim, encoders=NodeEncoders(kept, dim, modules=summaries))
        self.standardised = standardised
        self.widths = tuple(summary.width for summary in summaries.values())
        self._own_scales = tuple(summary.own_scales for summary in summaries.values())
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("scale", torch.ones(columns))

    def fuse(self, states: Mapping[str, Float[Tensor, "graphs width"]], batch: GraphBatch) -> Fused:
        """Summaries in, one row of numbers per graph out."""
        columns = torch.cat([states[name] for name in self.modalities], dim=1)
        present = torch.stack([batch.layout[name].offsets.diff() > 0 for name in self.modalities], dim=1)
        return Fused(self.scaled(columns, present))

    def scaled(
        self, columns: Float[Tensor, "graphs columns"], present: Bool[Tensor, "graphs modalities"]
    ) -> Float[Tensor, "graphs dim"]:
        """The vectors of samples whose summaries are known.

        Args:
            columns: the summaries side by side.
            present: whether a sample has each modality.
        """
        here = torch.cat([present[:, [place]].expand(-1, width) for place, width in enumerate(self.widths)], dim=1)
        found = torch.where(here, (columns.to(self.mean.dtype) - self.mean) / self.scale, 0.0)
        return torch.cat([found, (~present).to(found.dtype)], dim=1)

    @torch.no_grad()
    def fit(self, columns: Float[Tensor, "rows columns"], present: Bool[Tensor, "rows modalities"]) -> None:
        """Set means and scales to those of the training rows; each modality's to those of the rows that have it.

        Args:
            columns: the summaries side by side.
            present: whether a row has each modality.
        """
        if not self.standardised:
            return
        start = 0
        for place, width in enumerate(self.widths):
            rows = columns[present[:, place], start : start + width]
            moments = Moments(width)
            moments.add(rows)
            self.mean[start : start + width] = moments.mean
            self.scale[start : start + width] = moments.scale if self._own_scales[place] else _joint(rows)
            start += width


def _joint(rows: Float[Tensor, "rows width"]) -> Float[Tensor, ""]:
    """The root of the mean variance of columns that share a scale; 1 if all are constant."""
    variance = rows.double().var(dim=0, correction=0).mean()
    return torch.where(variance > 0, variance.sqrt(), 1.0)
