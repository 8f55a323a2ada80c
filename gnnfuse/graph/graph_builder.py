"""Turns samples into one batch: nodes by type, edges by rule, each sample's edges made once."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool
from torch import Tensor

from gnnfuse.catalog import listed, unknown
from gnnfuse.edges import EdgeRule
from gnnfuse.graph.batch_memory import BatchMemory
from gnnfuse.graph.check_parts import check_parts
from gnnfuse.graph.check_samples import listed_samples
from gnnfuse.graph.collate import collate, empty_batch, stacked
from gnnfuse.graph.graph_batch import GraphBatch
from gnnfuse.graph.ragged import Ragged
from gnnfuse.graph.sample_edges import MergeImpl, SampleEdges
from gnnfuse.graph.sample_graph import SampleGraph, measure, to_float32
from gnnfuse.graph.signal_dropout import drawn_of_batch, dropped_from, leave_out, loses_target, seed_of
from gnnfuse.graph.target import TargetEncoding
from gnnfuse.nodes import NodeSet, NodeType, check_nodes
from gnnfuse.sample import Sample

Extra = Literal["refuse", "ignore"]


class GraphBuilder:
    """Turns samples into graphs and graphs into batches.

    `builder(samples)` does both; loaders call the two steps separately: `builder.graph(sample)` in a worker (its result
    can be kept and reused), `builder.collate(graphs)` per batch. Node types and relations are numbered by name, so the
    order in which they are passed does not matter.

    Args:
        node_types: the node types that samples consist of.
        edge_rules: the rules that join them; none for models that use no edges.
        target: how targets become numbers; None leaves them out.
        signal_dropout: when augmenting, each signal of a sample is left out with this probability, never all of them,
            so that a model learns to do without (after ModDrop, Neverova et al., 2016).
        extra: "refuse" raises for a sample with a signal that no node type reads, as a misspelt one would be lost;
            "ignore" ignores such signals.

    Raises:
        ValueError: no node types, two of one name, two rules of one name, a rule that joins nothing or names an unknown
            node type, a node type that follows a signal that no other reads, or an option out of range.

    Example:
        >>> from gnnfuse.edges import Window
        >>> from gnnfuse.nodes import TextTokens
        >>> builder = GraphBuilder([TextTokens()], [Window(size=1)])
        >>> batch = builder([Sample({"text": "ab"}), Sample({"text": "abc"})])
        >>> batch.num_nodes, batch.edges.num_edges, batch.graph_id.tolist()
        (5, 6, [0, 0, 1, 1, 1])
    """

    def __init__(
        self,
        node_types: Sequence[NodeType],
        edge_rules: Sequence[EdgeRule] = (),
        *,
        target: TargetEncoding | None = None,
        signal_dropout: float = 0.0,
        extra: Extra = "refuse",
    ) -> None:
        if not 0 <= signal_dropout < 1:
            raise ValueError(f"signal_dropout must be at least 0 and below 1, found {signal_dropout}")
        if extra not in get_args(Extra):
            raise ValueError(f"extra must be one of {get_args(Extra)}, found {extra!r}")
        check_parts(node_types, edge_rules)
        self.node_types = tuple(sorted(node_types, key=lambda node_type: node_type.name))
        self.edge_rules = tuple(sorted(edge_rules, key=lambda rule: rule.name))
        self.target = target
        self.signal_dropout = signal_dropout
        self.extra = extra
        self._edges = SampleEdges(self.node_types, self.edge_rules)
        self.relations = self._edges.relations
        self.empties = {node_type.name: node_type.empty() for node_type in self.node_types}
        self.modalities = tuple(node_type.name for node_type in self.node_types if node_type.signal is not None)
        self._signals = frozenset(node_type.signal for node_type in self.node_types if node_type.signal is not None)
        self._axes = {name: len(empty.shape) for name, empty in self.empties.items()}
        self._placing = {t.name for t in self.node_types if "new" in signature(t.nodes).parameters}
        self._usual: dict[str, float] = {}

    def __repr__(self) -> str:
        types = listed([node_type.name for node_type in self.node_types])
        rules = listed([rule.name for rule in self.edge_rules]) or "none"
        target = "none" if self.target is None else type(self.target).__name__
        joined = f"edge rules: {rules}; relations: {len(self.relations)}"
        return f"GraphBuilder(node types: {types}; {joined}; target: {target})"

    def __call__(self, samples: Sample | Iterable[Sample], *, empty: bool = False) -> GraphBatch:
        """A batch of one or several samples; a sample without an id is named by its position.

        Args:
            samples: the samples to make graphs of.
            empty: allow samples without any signal that a node type reads.

        Raises:
            ValueError: no samples, or something else among them; a sample with an unknown signal, or with none that a
                node type reads; SignalError if a signal cannot be read.
        """
        listed = [sample.named(place) for place, sample in enumerate(listed_samples(samples))]
        if not empty:
            self.check_signals(listed, self.node_types)
        memory = self.batch_memory(len(listed))
        return self.collate(self.graphs(listed, memory=memory), memory=memory)

    def check_signals(self, samples: Sequence[Sample], read: Iterable[NodeType] = ()) -> None:
        """Refuse samples with unknown signals, unless `extra` ignores them, and samples with nothing to read.

        Args:
            samples: the samples.
            read: each sample needs the signal of at least one of these node types; none allows empty samples.

        Raises:
            ValueError: names the sample and the signal, and suggests the nearest known one.
        """
        needed = {node_type.signal for node_type in read if node_type.signal is not None}
        for sample in samples:
            names = sample.signals.keys()
            nothing = bool(needed) and names.isdisjoint(needed)
            if (self.extra == "refuse" or nothing) and not names <= self._signals:
                stranger = min(names - self._signals)
                hint = "" if nothing else '; GraphBuilder(extra="ignore") ignores further signals'
                raise ValueError(f"sample {sample.id!r}: {unknown('signal', stranger, self._signals)}{hint}")
            if nothing:
                found = f"only {', '.join(sorted(names))}" if names else "no signal"
                expected = ", ".join(sorted(map(str, needed)))
                raise ValueError(
                    f"sample {sample.id!r}: found {found}, expected at least one of {expected}; empty=True allows "
                    "samples without"
                )

    def batch_memory(self, samples: int) -> BatchMemory:
        """Memory for a batch of this many samples, for loaders that know the batch before they read its samples.

        Passed to `graphs`, or to `graph` for each sample, and then to `collate`, it saves the copy that collating
        otherwise makes: the graphs' values are then the batch's own memory and must not be kept.
        """
        return BatchMemory(samples, self._usual)

    def graph(
        self, sample: Sample, *, augment: tuple[int, int, int] | None = None, memory: BatchMemory | None = None
    ) -> SampleGraph:
        """One sample's nodes and sorted edges.

        Args:
            sample: the sample.
            augment: (seed, epoch, sample index): the node types change the signals at random; the same three numbers
                give the same change. None changes nothing. A target per node loses the rows of left-out nodes.
            memory: of the batch that the sample is read for.

        Raises:
            SignalError: a signal cannot be read.
            ValueError: an unknown signal, nodes that contradict their type, or a target that cannot be encoded.
        """
        if augment is None:
            return self.graphs([sample], memory=memory)[0]
        kept = self._augmented(sample, augment)
        [graph] = self.graphs([kept], memory=memory)
        gone, target = sample.signals.keys() - kept.signals.keys(), graph.target
        if not gone or target is None or not loses_target(self._join([target]), self.node_types, gone):
            return graph
        return replace(graph, target=target[:0])

    def graphs(self, samples: Sequence[Sample], *, memory: BatchMemory | None = None) -> list[SampleGraph]:
        """As `graph` for each sample, read type by type: all pictures, then all recordings.

        Decoding one type after the other keeps caches warm: alternating between two decoders took up to a third longer.

        Args:
            samples: as many as a batch has; their nodes are in memory together.
            memory: of the batch that they are read for.

        Raises:
            SignalError: a signal cannot be read.
            ValueError: an unknown signal, nodes that contradict their type, or a target that cannot be encoded.
        """
        self.check_signals(samples)
        read = [[self._nodes(node_type, sample, memory) for sample in samples] for node_type in self.node_types]
        names = [node_type.name for node_type in self.node_types]
        return [
            self._graph(sample, dict(zip(names, of_sample, strict=True)))
            for sample, of_sample in zip(samples, zip(*read, strict=True), strict=True)
        ]

    def collate(
        self, graphs: Sequence[SampleGraph], *, impl: MergeImpl = "auto", memory: BatchMemory | None = None
    ) -> GraphBatch:
        """Merge sample graphs into a batch.

        If all samples have the same edges, as pictures and clips of one size do, batches of equal length share their
        merged edges: do not write into them.

        Args:
            graphs: the results of `graph`.
            impl: of `gnnfuse.ops.merge_edges`; does not change the batch.
            memory: the argument of `graph` for these samples, in this order; does not change the batch.

        Raises:
            ValueError: no graphs, or targets in only some of them.
        """
        merge = partial(self._edges.merged, impl=impl)
        return collate(
            graphs, self.empties, self.modalities, self.relations, join=self._join, merge=merge, memory=memory
        )

    def _join(self, targets: Sequence[Tensor]) -> Tensor | Ragged:
        if self.target is None:
            return stacked(targets)
        joined: object = self.target.collate(targets)
        if not isinstance(joined, Tensor | Ragged):
            kind = type(self.target).__name__
            raise ValueError(f"{kind}.collate: found a {type(joined).__name__}, expected a tensor or Ragged")
        return joined

    def without(self, batch: GraphBatch, signals: Bool[Tensor, "graphs modalities"]) -> GraphBatch:
        """The batch without some signals: bit for bit the batch that this builder makes from the samples without them.

        Types that read the signal and types that follow it lose their nodes. The only difference: times and positions
        relative to the sample's first (if that is far from 0, see `gnnfuse.nodes.Layout`) keep that origin, even if it
        belonged to a signal that is left out. A target per node loses the rows of removed nodes.

        Args:
            batch: made by this builder.
            signals: `[graphs, modalities]`, whether to leave a signal out; one that several types read is left out if
                it is for any of them. Samples that lack it are unchanged.

        Raises:
            ValueError: signals of another shape, dtype or device, or a batch of other node types.

        Example:
            >>> from gnnfuse.nodes import TextTokens
            >>> builder = GraphBuilder([TextTokens(signal="a"), TextTokens(signal="b")])
            >>> batch = builder([Sample({"a": "no", "b": "yes"}), Sample({"a": "n", "b": "y"})])
            >>> builder.without(batch, torch.tensor([[True, False], [False, False]]))
            GraphBatch(2 graphs; nodes: a 1, b 4; edges: none; cpu)
        """
        return leave_out(batch, self.node_types, signals)

    @property
    def changing(self) -> tuple[str, ...]:
        """The node types that change signals when augmenting; their samples are read again in every epoch."""
        return tuple(node_type.name for node_type in self.node_types if node_type.augments)

    def drop_signals(self, batch: GraphBatch, augment: Sequence[tuple[int, int, int]]) -> GraphBatch:
        """The batch without the signals that `graph(sample, augment=...)` leaves out by `signal_dropout`.

        Args:
            batch: made by this builder, of samples that were not augmented.
            augment: (seed, epoch, sample index) of each sample.

        Raises:
            ValueError: different numbers of samples and of `augment`, or a batch of other node types.
        """
        generators = [self._dropout_generator(numbers) for numbers in augment]
        return self.without(batch, drawn_of_batch(batch, self.node_types, self.signal_dropout, generators))

    def no_samples(self) -> GraphBatch:
        """A batch without samples, for a process without work in a step in which others have some.

        Example:
            >>> from gnnfuse.nodes import TextTokens
            >>> len(GraphBuilder([TextTokens()]).no_samples())
            0
        """
        return empty_batch(self.empties, self.modalities, self.relations)

    def fit(self, samples: Iterable[Sample]) -> "GraphBuilder":
        """A builder whose node types are fitted to the training split (feature scales).

        Each node type that learns something iterates over the samples once; none are kept, unless they come from an
        iterator that cannot be restarted.
        """
        learning = [node_type for node_type in self.node_types if type(node_type).fit is not NodeType.fit]
        if len(learning) > 1 and isinstance(samples, Iterator):
            samples = list(samples)
        fitted = [node_type.fit(samples) if node_type in learning else node_type for node_type in self.node_types]
        return self._again(fitted, self.edge_rules)

    def without_edges(self) -> "GraphBuilder":
        """The same nodes without edges, for models that use none; also without hubs, as nothing reaches them."""
        read = [node_type for node_type in self.node_types if node_type.signal is not None]
        return self._again(read, ())

    def _again(self, node_types: Sequence[NodeType], edge_rules: Sequence[EdgeRule]) -> "GraphBuilder":
        options: dict[str, Any] = {"signal_dropout": self.signal_dropout, "extra": self.extra}
        return GraphBuilder(node_types, edge_rules, target=self.target, **options)

    def _augmented(self, sample: Sample, augment: tuple[int, int, int]) -> Sample:
        if self.signal_dropout:
            sample = dropped_from(sample, self.node_types, self.signal_dropout, self._dropout_generator(augment))
        for place, node_type in enumerate(self.node_types):
            sample = node_type.augment(sample, torch.Generator().manual_seed(seed_of(*augment, place)))
        return sample

    def _dropout_generator(self, augment: tuple[int, int, int]) -> torch.Generator:
        return torch.Generator().manual_seed(seed_of(*augment, len(self.node_types)))

    def _graph(self, sample: Sample, nodes: dict[str, NodeSet | None]) -> SampleGraph:
        target = None if self.target is None or sample.target is None else self.target.encode(sample)
        try:
            edges, data = self._edges.of(nodes)
        except ValueError as error:
            raise ValueError(f"sample {sample.id!r}, {error}") from error
        return SampleGraph(to_float32(nodes), edges, target, sample.id, measure(nodes, self._axes), data)

    def _nodes(self, node_type: NodeType, sample: Sample, memory: BatchMemory | None) -> NodeSet | None:
        nodes_of: Any = node_type.nodes
        if memory is None or node_type.name not in self._placing:
            nodes: NodeSet | None = nodes_of(sample)
        else:
            nodes = nodes_of(sample, new=memory.of(node_type.name))
        if nodes is None:
            return None
        check_nodes(
            node_type, nodes, self.empties[node_type.name], f"sample {sample.id!r}, node type {node_type.name!r}"
        )
        if memory is not None:
            memory.place(node_type.name, nodes.values)
        if nodes.dropped:
            warnings.warn(
                f"node type {node_type.name!r}: a sample has more nodes than max_nodes and was truncated or pooled; "
                f"GraphBatch.layout[{node_type.name!r}].dropped counts them",
                stacklevel=3,
            )
        return nodes
