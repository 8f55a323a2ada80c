"""Adds a network's special tokens to token ids and applies the network to them."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn

from gnnfuse.nodes.node_type import Layout
from gnnfuse.nodes.pretrained.backbone import Backbone, check_count, groups_of_equal, in_order
from gnnfuse.nodes.pretrained.pooled_runs import pool, unpool


class TextBackbone(Backbone):
    """A network with one state per token.

    Args:
        network: ids and mask `[texts, tokens]` -> `[texts, tokens, width]`.
        width: features per node.
        before: special tokens before every text, which the network sees but which are no nodes.
        after: those after every text.
        padded: texts of different lengths are padded and run together; only for networks whose states are known not to
            change. Otherwise, only texts of equal length are run together.
        max_nodes: if tokens share nodes (`pooled_runs`), most nodes per text; None if each has its own.
    """

    def __init__(
        self,
        network: nn.Module,
        width: int,
        *,
        before: Sequence[int],
        after: Sequence[int],
        padded: bool,
        max_nodes: int | None,
    ) -> None:
        super().__init__()
        self.network = network
        self.width = width
        self.before = tuple(before)
        self.after = tuple(after)
        self.padded = padded
        self.max_nodes = max_nodes

    def forward(self, values: Int[Tensor, "nodes ..."], layout: Layout) -> Tensor:
        """Token ids in, features `[nodes, width]` out."""
        if self.max_nodes is None:
            return self._tokens(values, layout.offsets.diff().tolist())
        tokens, counts = unpool(values, layout, self.max_nodes)
        return pool(self._tokens(tokens, counts), counts, self.max_nodes)

    def _tokens(self, tokens: Tensor, counts: list[int]) -> Tensor:
        texts = torch.split(tokens, counts)
        offsets = torch.tensor([0, *counts], device=tokens.device).cumsum(0)
        held = [place for place, count in enumerate(counts) if count]
        groups = groups_of_equal([0 if self.padded else counts[place] for place in held])
        found, places = [], []
        for group in groups:
            members = [held[place] for place in group]
            states = self._states([texts[place] for place in members])
            for place, of_text in zip(members, states, strict=True):
                first = len(self.before)
                found.append(of_text[first : first + counts[place]])
                places.append(offsets[place] + torch.arange(counts[place], device=tokens.device))
        return in_order(found, places, self.width, self.like)

    def _states(self, texts: Sequence[Tensor]) -> Tensor:
        before, after = (texts[0].new_tensor(ids) for ids in (self.before, self.after))
        whole = [torch.cat([before, text, after]) for text in texts]
        ids = nn.utils.rnn.pad_sequence(whole, batch_first=True)
        lengths = torch.tensor([len(text) for text in whole], device=ids.device)
        mask = torch.arange(ids.shape[1], device=ids.device) < lengths.unsqueeze(1)
        even = all(len(text) == ids.shape[1] for text in whole)
        states: Tensor = self.network(ids, None if even else mask)
        check_count(self.network, states.shape[1:2], (ids.shape[1],))
        return states
