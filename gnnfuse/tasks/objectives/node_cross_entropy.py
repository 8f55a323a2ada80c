"""Cross-entropy of the nodes' classes."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.graph import Ragged
from gnnfuse.graph.node_target import UNKNOWN
from gnnfuse.ops import segment_reduce
from gnnfuse.tasks.objectives.objective import Objective, Step


class NodeCrossEntropy(Objective):
    """The mean over samples of the mean cross-entropy of a sample's nodes with known class.

    Every sample has equal weight, however many nodes it has, so that the parts of a step add up; the value of a sample
    without nodes of known class is 0.

    Args:
        weight: as for every `Objective`.

    Raises:
        ValueError: a weight that is not above 0.
    """

    name = "cross_entropy"
    needs = frozenset({"nodes"})
    reads = frozenset({"node classes"})

    def forward(self, step: Step) -> Float[Tensor, ""]:
        """The mean over the samples of the batch."""
        target = step.target
        if not isinstance(target, Ragged):
            raise ValueError("NodeCrossEntropy: found a target of one row per sample, expected one row per node")
        known = target.values != UNKNOWN
        found = F.cross_entropy(step.outputs[known], target.values[known], reduction="none")
        graphs = len(target.offsets) - 1
        means = segment_reduce(found[:, None], target.graph_id[known], graphs, reduce="mean")
        return torch.mean(means)
