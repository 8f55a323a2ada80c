"""Adds a network's special tokens to token ids and applies the network to them."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gnnfuse.nodes.node_type import Layout
from gnnfuse.nodes.pretrained.backbone import Backbone, check_count, groups_of_equal, in_order
from gnnfuse.nodes.pretrained.cut import Cut, state_before
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
            return self._by_length(values, layout.offsets.diff().tolist(), self.width, self._features)
        tokens, counts = unpool(values, layout, self.max_nodes)
        return pool(self._by_length(tokens, counts, self.width, self._features), counts, self.max_nodes)

    def states(self, values: Int[Tensor, "nodes ..."], layout: Layout, cut: Cut) -> Float[Tensor, "nodes numbers"]:
        """Token ids in, states before the cut out, those of special tokens included."""

        def run(texts: Sequence[Tensor]) -> list[Tensor]:
            ids, mask, lengths = self._padded(texts)
            states = state_before(self.network, self.network.get_submodule(cut.before), (ids, mask))
            whole = [of_text[None, :length] for of_text, length in zip(states, lengths, strict=True)]
            return [cut.pack(of_text, len(text)) for of_text, text in zip(whole, texts, strict=True)]

        return self._by_length(values, layout.offsets.diff().tolist(), cut.width, run)

    def features(
        self, states: Float[Tensor, "nodes numbers"], layout: Layout, cut: Cut
    ) -> Float[Tensor, "nodes features"]:
        """States before the cut in, features out."""

        def run(texts: Sequence[Tensor]) -> list[Tensor]:
            ids, mask, _ = self._padded([text.new_zeros(len(text), dtype=torch.int64) for text in texts])
            flat = nn.utils.rnn.pad_sequence([text.flatten() for text in texts], batch_first=True)
            return self._own(cut.output(self.network, flat, (ids, mask)), texts)

        return self._by_length(states.to(self.like.dtype), layout.offsets.diff().tolist(), self.width, run)

    def _by_length(
        self, values: Tensor, counts: list[int], width: int, run: Callable[[Sequence[Tensor]], list[Tensor]]
    ) -> Tensor:
        """Run texts together that may be; `run` takes the values of each, and returns rows for each."""
        texts = torch.split(values, counts)
        offsets = torch.tensor([0, *counts], device=values.device).cumsum(0)
        held = [place for place, count in enumerate(counts) if count]
        groups = groups_of_equal([0 if self.padded else counts[place] for place in held])
        found, places = [], []
        for group in groups:
            members = [held[place] for place in group]
            found += run([texts[place] for place in members])
            places += [offsets[place] + torch.arange(counts[place], device=values.device) for place in members]
        return in_order(found, places, width, self.like)

    def _features(self, texts: Sequence[Tensor]) -> list[Tensor]:
        ids, mask, _ = self._padded(texts)
        return self._own(self.network(ids, mask), texts)

    def _padded(self, texts: Sequence[Tensor]) -> tuple[Tensor, Tensor | None, list[int]]:
        """Ids with special tokens, filled up to one length; a mask if they are; and the lengths."""
        before, after = (texts[0].new_tensor(ids) for ids in (self.before, self.after))
        whole = [torch.cat([before, text, after]) for text in texts]
        ids = nn.utils.rnn.pad_sequence(whole, batch_first=True)
        counts = [len(text) for text in whole]
        mask = torch.arange(ids.shape[1], device=ids.device) < torch.tensor(counts, device=ids.device).unsqueeze(1)
        return ids, None if min(counts) == ids.shape[1] else mask, counts

    def _own(self, states: Tensor, texts: Sequence[Tensor]) -> list[Tensor]:
        """The states of each text's own tokens."""
        first, longest = len(self.before), max(map(len, texts))
        check_count(self.network, states.shape[1:2], (first + longest + len(self.after),))
        return [of_text[first : first + len(text)] for of_text, text in zip(states, texts, strict=True)]
