"""A text summarised by its runs of one to four tokens."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gnnfuse.nodes.node_type import Layout
from gnnfuse.nodes.summary import NodeSummary

ABSENT = -1  # fills up nodes that hold fewer tokens than others
PRIME = 0x5851F42D4C957F2D  # multiplier of Knuth's MMIX generator: odd, with well-mixed bits


class TokenGrams(NodeSummary):
    """Counts of runs of 1 to `longest` neighbouring tokens, hashed to buckets (Weinberger et al., 2009).

    A count c becomes `1 + log c`, and each text's numbers have length 1. The ends of a text count as tokens, which
    distinguishes its first and last letters from others. A run may span nodes that were left out.

    Args:
        buckets: numbers per text.
        longest: tokens in the longest run.
        upper: the ids of "A" and "Z", which count as lower-case letters, 32 above them; None distinguishes case.
    """

    own_scales = False

    def __init__(self, buckets: int = 2048, *, longest: int = 4, upper: tuple[int, int] | None = None) -> None:
        super().__init__(buckets)
        self.buckets = buckets
        self.longest = longest
        self.upper = upper
        self.unit: Tensor
        self.register_buffer("unit", torch.ones(()), persistent=False)  # states the dtype to compute in

    def forward(self, values: Int[Tensor, "nodes ..."], layout: Layout) -> Float[Tensor, "graphs buckets"]:
        """Token ids in, weighted counts out."""
        graphs = len(layout.offsets) - 1
        tokens, graph = self._tokens(values, layout)
        counts = self.unit.new_zeros((graphs + 1) * self.buckets)  # the last row is that of the marks after all texts
        begins = len(tokens) - self.longest + 1
        code = torch.zeros_like(tokens[:begins])
        for more in range(self.longest):
            code = (code + tokens[more : more + begins] - ABSENT + 1) * PRIME
            code = code ^ (code >> 29)  # the product's low bits depend on low bits alone
            whole = graph[:begins] == graph[more : more + begins]
            bucket = graph[:begins] * self.buckets + (code >> 8) % self.buckets
            counts = counts.index_add(0, bucket, whole.to(counts.dtype))
        present = (layout.offsets.diff() > 0).unsqueeze(1)
        counts = torch.where(present, counts.reshape(graphs + 1, self.buckets)[:graphs], 0.0)
        logs = torch.where(counts > 0, 1 + counts.clamp(min=1).log(), 0.0)
        found: Tensor = logs / logs.norm(dim=1, keepdim=True).clamp(min=1)
        return found

    def _tokens(self, values: Int[Tensor, "nodes ..."], layout: Layout) -> tuple[Tensor, Tensor]:
        """All texts' tokens end to end, each text between two marks, and the graph of each token; then marks alone."""
        graph = layout.graph_id
        if values.ndim > 1:
            held = values != ABSENT
            graph, values = graph.unsqueeze(1).expand_as(values)[held], values[held]
        if self.upper is not None:
            first, last = self.upper
            values = torch.where((values >= first) & (values <= last), values + 32, values)
        every = torch.arange(len(layout.offsets) - 1, device=values.device)
        after = torch.full((self.longest - 1,), len(layout.offsets) - 1, device=values.device)
        graphs = torch.cat([every, graph, every, after])
        order = graphs.argsort(stable=True)
        marks, last_marks = torch.full_like(every, ABSENT), torch.full_like(after, ABSENT)
        return torch.cat([marks, values, marks, last_marks])[order], graphs[order]
