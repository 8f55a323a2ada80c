"""From samples to one batch: nodes by type, edges by rule, each sample's edges made once."""

import warnings
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from gnnfuse.catalog import listed, unknown
from gnnfuse.edges import EdgeRule, Relation
from gnnfuse.graph.batch_memory import BatchMemory
from gnnfuse.graph.collate import collate, empty_batch, stacked
from gnnfuse.graph.graph_batch import GraphBatch
from gnnfuse.graph.ragged import Ragged
from gnnfuse.graph.sample_graph import SampleGraph, measure, sort_edges, to_float32
from gnnfuse.graph.signal_dropout import drawn_signals, leave_out
from gnnfuse.graph.target import TargetEncoding
from gnnfuse.nodes import NodeSet, NodeType, check_nodes, check_promises
from gnnfuse.ops import Edges, PackedEdges, merge_edges
from gnnfuse.sample import Sample

KEPT_SHAPES = 1024  # edge lists kept for repeated shapes, the least recently used given up first
KEPT_BATCHES = 4  # merged edges kept for batches of one shape: full and last ones, of training and validation

MergeImpl = Literal["auto", "reference", "numba"]
Extra = Literal["refuse", "ignore"]


class GraphBuilder:
    """Makes samples into graphs and graphs into batches.

    `builder(samples)` does all; loaders take the two halves apart: `builder.graph(sample)` in a worker (its result can
    be kept and used again), `builder.collate(graphs)` per batch. Node types and relations are numbered by name, so the
    order in which they are passed does not matter.

    Args:
        node_types: what samples are made of.
        edge_rules: what joins them; none for models that see no edges.
        target: how targets become numbers; None leaves them out.
        signal_dropout: when augmenting, each signal of a sample is left out with this probability, never all of them:
            a model learns to do without (after ModDrop, Neverova et al., 2016).
        extra: "refuse" raises at a sample with a signal that no node type reads, as a misspelt one would be lost;
            "ignore" leaves such signals aside.

    Raises:
        ValueError: no node types, two of one name, two rules of one name, a rule that joins nothing or names an unknown
            node type, a node type that follows a signal no other reads, or an option out of range.

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
        if not node_types:
            raise ValueError("a graph needs at least one node type, found none")
        for node_type in node_types:
            if not isinstance(node_type, NodeType):
                raise ValueError(f"found {node_type!r} among the node types, expected NodeType objects")
            check_promises(node_type)
        _refuse_twice("node type", [node_type.name for node_type in node_types])
        _refuse_twice("edge rule", [rule.name for rule in edge_rules])
        self.node_types = tuple(sorted(node_types, key=lambda node_type: node_type.name))
        self.edge_rules = tuple(sorted(edge_rules, key=lambda rule: rule.name))
        self.target = target
        self.signal_dropout = signal_dropout
        self.extra = extra
        self._refuse_unknown_names()
        self._typed = {
            Relation(src.name, rule.name, dst.name): rule
            for src in self.node_types
            for rule in self.edge_rules
            for dst in self.node_types
            if rule.applies(src, dst)
        }
        self.relations = tuple(self._typed)
        for rule in self.edge_rules:
            if not any(rule is used for used in self._typed.values()):
                joined = {t.name: sorted(t.provides) for t in self.node_types}
                expected = f"; it joins {rule.joins}" if rule.joins else ""
                raise ValueError(
                    f"edge rule {rule.name!r} joins none of the node types, which provide {joined}{expected}"
                )
        self.empties = {node_type.name: node_type.empty() for node_type in self.node_types}
        self.modalities = tuple(node_type.name for node_type in self.node_types if node_type.signal is not None)
        self._signals = frozenset(node_type.signal for node_type in self.node_types if node_type.signal is not None)
        self._axes = {name: len(empty.shape) for name, empty in self.empties.items()}
        self._placing = {t.name for t in self.node_types if "new" in signature(t.nodes).parameters}
        self._usual: dict[str, float] = {}
        self._kept: OrderedDict[Hashable, PackedEdges | Tensor] = OrderedDict()
        self._merged: OrderedDict[tuple[PackedEdges, int, MergeImpl], Edges] = OrderedDict()

    def __repr__(self) -> str:
        types = listed([node_type.name for node_type in self.node_types])
        rules = listed([rule.name for rule in self.edge_rules]) or "none"
        target = "none" if self.target is None else type(self.target).__name__
        joined = f"edge rules: {rules}; relations: {len(self.relations)}"
        return f"GraphBuilder(node types: {types}; {joined}; target: {target})"

    def __call__(self, samples: Sample | Iterable[Sample], *, empty: bool = False) -> GraphBatch:
        """A batch of samples, or of one; a sample without an id is named by its place.

        Args:
            samples: what to make graphs of.
            empty: allow samples without any signal that a node type reads.

        Raises:
            ValueError: no samples, or something else among them; a sample with an unknown signal, or with none that a
                node type reads; SignalError where a signal cannot be read.
        """
        listed = [sample.named(place) for place, sample in enumerate(listed_samples(samples))]
        if not empty:
            self.check_signals(listed, self.node_types)
        memory = self.batch_memory(len(listed))
        return self.collate(self.graphs(listed, memory=memory), memory=memory)

    def check_signals(self, samples: Sequence[Sample], read: Iterable[NodeType] = ()) -> None:
        """Refuse samples with unknown signals, unless `extra` ignores them, and samples that have nothing to read.

        Args:
            samples: the samples.
            read: node types of which each sample needs the signal of at least one; none allows empty samples.

        Raises:
            ValueError: names the sample and the signal, and suggests the nearest known one.
        """
        needed = {node_type.signal for node_type in read if node_type.signal is not None}
        for sample in samples:
            names = sample.signals.keys()
            nothing = bool(needed) and names.isdisjoint(needed)
            if (self.extra == "refuse" or nothing) and not names <= self._signals:
                stranger = min(names - self._signals)
                hint = "" if nothing else '; GraphBuilder(extra="ignore") leaves further signals aside'
                raise ValueError(f"sample {sample.id!r}: {unknown('signal', stranger, self._signals)}{hint}")
            if nothing:
                found = f"only {', '.join(sorted(names))}" if names else "no signal"
                expected = ", ".join(sorted(map(str, needed)))
                raise ValueError(
                    f"sample {sample.id!r}: found {found}, expected at least one of {expected}; empty=True allows "
                    "samples without"
                )

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": OrderedDict(), "_merged": OrderedDict()}  # workers start with nothing kept

    def batch_memory(self, samples: int) -> BatchMemory:
        """Memory for a batch of so many samples, for loaders that know the batch before they read its samples.

        Given to `graphs`, or to `graph` for each of them, and then to `collate`, it saves the copy that collating
        otherwise makes: the graphs' values are then the batch's own memory, and are not to be kept.
        """
        return BatchMemory(samples, self._usual)

    def graph(
        self, sample: Sample, *, augment: tuple[int, int, int] | None = None, memory: BatchMemory | None = None
    ) -> SampleGraph:
        """One sample's nodes and sorted edges.

        Args:
            sample: the sample.
            augment: (seed, epoch, sample index) changes the signals at random as the node types say; the same three
                numbers give the same change. None changes nothing.
            memory: of the batch that the sample is read for.

        Raises:
            SignalError: a signal cannot be read.
            ValueError: an unknown signal, nodes that contradict their type, or a target that cannot be encoded.
        """
        if augment is not None:
            sample = self._augmented(sample, augment)
        return self.graphs([sample], memory=memory)[0]

    def graphs(self, samples: Sequence[Sample], *, memory: BatchMemory | None = None) -> list[SampleGraph]:
        """As `graph` for each sample, read type by type: all pictures, then all recordings.

        A processor is faster where it goes on with what it did last: two decoders in turns took up to a third longer
        than one after the other.

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

        Where all samples have the same edges, as pictures and clips of one size do, the batches of one length share
        their merged edges: do not write into them.

        Args:
            graphs: what `graph` gave.
            impl: of `gnnfuse.ops.merge_edges`; the batch is the same.
            memory: what `graph` was given for these samples, in this order; with another the batch is the same.

        Raises:
            ValueError: no graphs, or targets in only some of them.
        """
        merge = partial(self._merge, impl=impl)
        return collate(
            graphs, self.empties, self.modalities, self.relations, join=self._join, merge=merge, memory=memory
        )

    def _join(self, targets: Sequence[Tensor]) -> Tensor | Ragged:
        return stacked(targets) if self.target is None else self.target.collate(targets)

    def without(self, batch: GraphBatch, signals: Bool[Tensor, "graphs modalities"]) -> GraphBatch:
        """The batch without some signals: bit for bit what this builder makes of the samples without them.

        Types that read the signal and types that follow it lose their nodes. Only times and positions that are counted
        from the sample's first (where that is far from 0, see `gnnfuse.nodes.Layout`) keep that origin, even if the
        first was of a signal that is left out. Of a target per node, the rows of such nodes go too.

        Args:
            batch: made by this builder.
            signals: `[graphs, modalities]`, whether to leave a signal out; one that several types read goes if it is
                to be left out for any of them. Samples that do not have it stay as they are.

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
        """The node types that change signals when augmenting: such samples are read anew in every epoch."""
        return tuple(node_type.name for node_type in self.node_types if node_type.augments)

    def drop_signals(self, batch: GraphBatch, augment: Sequence[tuple[int, int, int]]) -> GraphBatch:
        """The batch without the signals that `graph(sample, augment=...)` leaves out by `signal_dropout`.

        Args:
            batch: made by this builder, of samples that were not augmented.
            augment: (seed, epoch, sample index) of each sample.

        Raises:
            ValueError: other numbers of samples and of `augment`, or a batch of other node types.
        """
        if len(augment) != len(batch):
            raise ValueError(f"augment: found {len(augment)} samples, expected {len(batch)} as the batch has")
        signal_of = {node_type.name: str(node_type.signal) for node_type in self.node_types}
        read = [signal_of[name] for name in batch.modalities]
        rows = []
        for numbers, present in zip(augment, batch.present.tolist(), strict=True):
            names = {signal for signal, here in zip(read, present, strict=True) if here}
            gone = drawn_signals(names, self.signal_dropout, self._dropout_generator(numbers))
            rows.append([signal in gone for signal in read])
        return self.without(batch, torch.tensor(rows, dtype=torch.bool, device=batch.device).view(batch.present.shape))

    def no_samples(self) -> GraphBatch:
        """A batch of no sample: for a process that has nothing to do in a step in which others have.

        Example:
            >>> from gnnfuse.nodes import TextTokens
            >>> len(GraphBuilder([TextTokens()]).no_samples())
            0
        """
        return empty_batch(self.empties, self.modalities, self.relations)

    def fit(self, samples: Iterable[Sample]) -> "GraphBuilder":
        """A builder whose node types have learned what they need (feature scales) from the training split.

        Each node type that learns something goes through the samples once; none are kept, unless they come from an
        iterator that cannot be started again.
        """
        learning = [node_type for node_type in self.node_types if type(node_type).fit is not NodeType.fit]
        if len(learning) > 1 and isinstance(samples, Iterator):
            samples = list(samples)
        fitted = [node_type.fit(samples) if node_type in learning else node_type for node_type in self.node_types]
        return self._again(fitted, self.edge_rules)

    def without_edges(self) -> "GraphBuilder":
        """The same nodes without edges, for models that see none; hubs go too, as nothing reaches them."""
        read = [node_type for node_type in self.node_types if node_type.signal is not None]
        return self._again(read, ())

    def _again(self, node_types: Sequence[NodeType], edge_rules: Sequence[EdgeRule]) -> "GraphBuilder":
        options: dict[str, Any] = {"signal_dropout": self.signal_dropout, "extra": self.extra}
        return GraphBuilder(node_types, edge_rules, target=self.target, **options)

    def _refuse_unknown_names(self) -> None:
        """Refuse rules that name node types, and node types that follow signals, that are not there."""
        types = [node_type.name for node_type in self.node_types]
        for rule in self.edge_rules:
            for name in rule.named_types():
                if name not in types:
                    raise ValueError(f"edge rule {rule.name!r}: {unknown('node type', name, types)}")
        signals = [node_type.signal for node_type in self.node_types if node_type.signal is not None]
        for node_type in self.node_types:
            followed = node_type.follows()
            if signals and followed is not None and followed not in signals:
                raise ValueError(f"node type {node_type.name!r}: {unknown('signal', followed, signals)}")

    def _augmented(self, sample: Sample, augment: tuple[int, int, int]) -> Sample:
        if self.signal_dropout:
            sample = self._without_some(sample, self._dropout_generator(augment))
        for place, node_type in enumerate(self.node_types):
            sample = node_type.augment(sample, torch.Generator().manual_seed(seed_of(*augment, place)))
        return sample

    def _dropout_generator(self, augment: tuple[int, int, int]) -> torch.Generator:
        return torch.Generator().manual_seed(seed_of(*augment, len(self.node_types)))

    def _without_some(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample with signals left out at random."""
        read = {node_type.signal for node_type in self.node_types}
        gone = drawn_signals((name for name in sample.signals if name in read), self.signal_dropout, generator)
        kept = {name: signal for name, signal in sample.signals.items() if name not in gone}
        return Sample(kept, sample.target, sample.id)

    def _graph(self, sample: Sample, nodes: dict[str, NodeSet | None]) -> SampleGraph:
        target = None if self.target is None or sample.target is None else self.target.encode(sample)
        return SampleGraph(to_float32(nodes), self._edges(nodes), target, sample.id, measure(nodes, self._axes))

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

    def _edges(self, nodes: dict[str, NodeSet | None]) -> PackedEdges:
        ends = [(nodes[r.src], nodes[r.dst]) for r in self.relations]
        keys = [
            None if src is None or dst is None else (rule.key(src, dst),)
            for rule, (src, dst) in zip(self._typed.values(), ends, strict=True)
        ]
        counts = tuple(-1 if found is None else found.num_nodes for found in nodes.values())
        key = None if (None,) in keys else (counts, tuple(keys))
        kept = self._recall(key)
        if isinstance(kept, PackedEdges):
            return kept
        found = [
            self._pairs(relation, rule, src, dst)
            for (relation, rule), (src, dst) in zip(self._typed.items(), ends, strict=True)
        ]
        names = [node_type.name for node_type in self.node_types]
        edges = sort_edges(found, self.relations, names, [max(0, count) for count in counts])
        self._keep(key, edges)
        return edges

    def _pairs(
        self, relation: Relation, rule: EdgeRule, src: NodeSet | None, dst: NodeSet | None
    ) -> Int[Tensor, "2 edges"] | None:
        if src is None or dst is None:
            return None
        key = rule.key(src, dst)
        kept = self._recall(None if key is None else (relation, key))
        if isinstance(kept, Tensor):
            return kept
        pairs = rule.edges(src, dst)
        limits = torch.tensor([[src.num_nodes], [dst.num_nodes]])
        whole = pairs.dtype in (torch.int32, torch.int64)
        if not whole or pairs.ndim != 2 or len(pairs) != 2 or bool(((pairs < 0) | (pairs >= limits)).any()):
            raise ValueError(
                f"edge rule {rule.name!r} on {relation}: found edges of shape {list(pairs.shape)} and {pairs.dtype}, "
                f"expected [2, edges] of torch.int64 with sources below {src.num_nodes} and destinations below "
                f"{dst.num_nodes}"
            )
        self._keep(None if key is None else (relation, key), pairs)
        return pairs

    def _merge(self, edges: Sequence[PackedEdges], impl: MergeImpl) -> Edges:
        if any(other is not edges[0] for other in edges):
            return merge_edges(edges, impl=impl)
        key = (edges[0], len(edges), impl)
        merged = self._merged.get(key)
        if merged is None:
            merged = self._merged[key] = merge_edges(edges, impl=impl)
            while len(self._merged) > KEPT_BATCHES:
                self._merged.popitem(last=False)
        self._merged.move_to_end(key)
        return merged

    def _recall(self, key: Hashable | None) -> PackedEdges | Tensor | None:
        kept = None if key is None else self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def _keep(self, key: Hashable | None, edges: PackedEdges | Tensor) -> None:
        if key is None:
            return
        self._kept[key] = edges
        if len(self._kept) > KEPT_SHAPES:
            self._kept.popitem(last=False)


def listed_samples(found: object) -> list[Sample]:
    """One sample or several as a list.

    Raises:
        ValueError: names the kind of the first that is no sample.
    """
    if isinstance(found, Sample):
        return [found]
    if isinstance(found, str | Mapping) or not isinstance(found, Iterable):
        return [checked_sample(found)]
    return [checked_sample(each) for each in found]


def checked_sample(found: object) -> Sample:
    """What is found, if it is a sample.

    Raises:
        ValueError: names its kind.
    """
    if not isinstance(found, Sample):
        hint = "; a batch is what a model or a task takes: model(batch)" if isinstance(found, GraphBatch) else ""
        raise ValueError(f"found a {type(found).__name__} among the samples, expected Sample objects{hint}")
    return found


def seed_of(*numbers: int) -> int:
    """A seed that depends on all of them."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two of one name: {what} {twice[0]!r}; give each its own name=")
