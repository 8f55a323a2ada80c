"""Weights and features of edges: from the sample to the batch, and what does not fit."""

from typing import Any

import networkx
import numpy as np
import pytest
import torch

from gnnfuse.edges import EdgeList, EdgeRule, GivenEdges
from gnnfuse.graph import GraphBuilder, Relation
from gnnfuse.graph.assemble import list_edges
from gnnfuse.graph.networkx import from_networkx, to_networkx
from gnnfuse.graph.pyg import from_pyg, to_pyg
from gnnfuse.nodes import Features, NodeSet, NodeType
from gnnfuse.sample import Rows, Sample, SignalError
from tests.graph.graphs import EDGE_RULES, NODE_TYPES, random_samples

BOND = Relation("atom", "bond", "atom", features=1)


def bonds(index: Any, weight: Any = None, features: Any = None) -> Any:
    return {("atom", "bond"): EdgeList(index, weight, features)}


def atoms(index: Any, weight: Any = None, features: Any = None) -> Sample:
    """A sample with three atoms and bonds."""
    return Sample({"atom": Rows(torch.arange(3.0)[:, None], edges=bonds(index, weight, features))}, id="water")


def builder(*, weighted: bool = True, features: int = 1, **options: Any) -> GraphBuilder:
    atom = Features(signal="atom", width=1, linked=True, **options)
    return GraphBuilder([atom], [GivenEdges(src="atom", dst="atom", name="bond", weighted=weighted, features=features)])


@pytest.mark.parametrize("seed", range(12))
def test_every_edge_carries_what_its_rule_gave_it_in_its_sample(seed: int) -> None:
    build = GraphBuilder(NODE_TYPES, EDGE_RULES)
    samples = random_samples(seed)
    batch = build(samples, empty=True)
    types, rules = {t.name: t for t in NODE_TYPES}, {rule.name: rule for rule in EDGE_RULES}
    assert batch.edge_weight is not None
    for number, relation in enumerate(batch.relations):
        mine = batch.edges.relation == number
        src = (batch.edges.src[mine] - batch.slices[relation.src].start).tolist()
        dst = (batch.edges.dst()[mine] - batch.slices[relation.dst].start).tolist()
        if relation.rule != "distance":
            assert relation not in batch.edge_features
            assert bool((batch.edge_weight[mine] == 1).all())
            continue
        found = {
            ends: (float(weight), features.tolist())
            for ends, weight, features in zip(
                zip(src, dst, strict=True), batch.edge_weight[mine], batch.edge_features[relation], strict=True
            )
        }
        expected = {}
        for graph, sample in enumerate(samples):
            ends = [types[name].nodes(sample) for name in (relation.src, relation.dst)]
            if ends[0] is None or ends[1] is None:
                continue
            made = rules["distance"].edges(ends[0], ends[1])
            assert isinstance(made, EdgeList)
            assert made.weight is not None
            assert made.features is not None
            first = [int(batch.layout[name].offsets[graph]) for name in (relation.src, relation.dst)]
            for (s, d), weight, features in zip(made.index.T.tolist(), made.weight, made.features, strict=True):
                expected[s + first[0], d + first[1]] = (float(weight), features.tolist())
        assert found == expected


def test_a_batch_without_carrying_rules_has_nothing_of_the_kind() -> None:
    rules = [rule for rule in EDGE_RULES if rule.name != "distance"]
    batch = GraphBuilder(NODE_TYPES, rules)(random_samples(2), empty=True)
    assert batch.edge_weight is None
    assert batch.edge_features == {}


def test_parallel_edges_keep_their_own_weights() -> None:
    sample = atoms([[2, 0, 2, 0], [1, 1, 1, 0]], [4.0, 1.0, 5.0, 0.5], [[40], [10], [50], [5]])
    batch = builder()([sample, sample])
    assert batch.edge_weight is not None
    assert batch.edge_weight.tolist() == [0.5, 1, 4, 5] * 2
    assert batch.edge_features[BOND].flatten().tolist() == [5, 10, 40, 50] * 2
    for again in (from_pyg(to_pyg(batch)), from_networkx(to_networkx(batch))):
        assert again == batch
    kept = batch.keep(edges=torch.tensor([True, True, False, True] + [False] * 3 + [True]))
    assert kept.edge_weight is not None
    assert kept.edge_weight.tolist() == [0.5, 1, 5, 5]
    assert kept.edge_features[BOND].flatten().tolist() == [5, 10, 50, 50]


def test_samples_without_the_signal_and_batches_without_samples_carry_nothing_of_the_right_width() -> None:
    build = builder(features=3)
    for batch in (build([Sample({})], empty=True), build.no_samples(), build([atoms([[], []])]).without_edges()):
        ((relation, features),) = batch.edge_features.items()
        assert features.shape == (0, relation.features) == (0, 3)


def test_edges_at_nodes_beyond_the_limit_go_with_what_they_carry() -> None:
    with pytest.warns(UserWarning, match="more nodes than max_nodes"):
        batch = builder(max_nodes=2)([atoms([[0, 2, 1], [1, 0, 0]], [1, 2, 3], [[1], [2], [3]])])
    assert batch.edge_weight is not None
    assert batch.edge_weight.tolist() == [3, 1]
    assert batch.edge_features[BOND].tolist() == [[3], [1]]


def test_a_batch_from_another_library_lists_what_edges_carry_in_its_order() -> None:
    data = to_pyg(builder()([atoms([[0, 1, 2], [1, 2, 0]], [1, 2, 3], [[1], [2], [3]])]))
    store = data["atom", "bond", "atom"]
    order = [2, 0, 1]
    store.edge_index, store.edge_weight, store.edge_attr = (
        store.edge_index[:, order],
        store.edge_weight[order].double(),
        store.edge_attr[order].flatten().to(torch.int32),
    )
    batch = from_pyg(data)
    (listed,) = list_edges(batch).values()
    assert batch.edge_order is not None
    assert torch.equal(listed.index, store.edge_index)
    for found, given in ((listed.weight, store.edge_weight), (listed.features, store.edge_attr[:, None])):
        assert found is not None
        assert found.dtype == torch.float32
        assert torch.equal(found, given.float())


def test_a_weighted_networkx_graph() -> None:
    graph = networkx.Graph()
    graph.add_nodes_from(["a", "b", "c"], type="person", value=[1.0])
    graph.add_edge("a", "b", relation="knows", weight=0.5, features=np.array([1, 2]))
    graph.add_edge("b", "c", relation="knows", features=[3, 4])
    batch = from_networkx(graph)
    assert batch.edge_weight is not None
    assert batch.edge_weight.tolist() == [0.5, 0.5, 1, 1]
    assert batch.edge_features[batch.relations[0]].tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]
    graph.add_edge("a", "c", relation="knows")
    with pytest.raises(ValueError, match=r"person-knows-person: found features of shapes None, \[2\], expected \[2\]"):
        from_networkx(graph)
    graph.add_edge("a", "c", weight="heavy")
    with pytest.raises(ValueError, match="edge 'a' to 'c': found weight 'heavy', expected numbers"):
        from_networkx(graph)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (bonds([[0], [1]], [1, 2], [[1]]), r"weight of edges 'atom bond' of shape \[2\].*expected \[1\], one per edge"),
        (bonds([[0], [1]], [float("nan")], [[1]]), "weight of edges 'atom bond'.* NaN or infinity"),
        (bonds([[0], [1]], [1], [1]), r"features of edges 'atom bond' of shape \[1\], expected \[1, features\]"),
        (bonds([[0], [1]], "heavy", [[1]]), "weight of edges 'atom bond'.*expected numbers"),
        (bonds(None), "edges 'atom bond' as a NoneType, expected a tensor"),
        (bonds([[0], [3]], [1], [[1]]), r"edges 'atom bond' with numbers 0..3, expected 0..2"),
        (None, "edges as a NoneType, expected a mapping"),
        (torch.zeros(2, 1), "edges as a Tensor, expected a mapping"),
        ({"bond": [[0], [1]]}, "edges under 'bond', expected a mapping"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_edges_of_a_sample_that_do_not_fit_name_it(edges: Any, message: str) -> None:
    sample = Sample({"atom": Rows(torch.zeros(3, 1), edges=edges)}, id="water")
    with pytest.raises(SignalError, match=rf"(?s)water.*{message}"):
        builder()([sample])


@pytest.mark.parametrize(
    ("sample", "options", "message"),
    [
        (
            atoms([[0], [1]]),
            {},
            r"'water', edge rule 'bond' on atom-bond-atom: found weight none, expected torch.float32 \[1\]",
        ),
        (atoms([[0], [1]], [2.0]), {"weighted": False}, r"found weight torch.float32 \[1\], expected none"),
        (atoms([[0], [1]], [2.0], [[1.0, 2]]), {}, r"found features torch.float32 \[1, 2\], expected .* \[1, 1\]"),
        (atoms([[5], [1]], [2.0], [[1.0]]), {}, r"'water', edges atom bond atom: found source 5, expected 0..2"),
        (
            Sample({"atom": Rows(torch.zeros(3, 1), edges={("atom", "bnd"): torch.tensor([[0], [1]])})}, id="water"),
            {},
            r"'water', node type 'atom': found edges under \('atom', 'bnd'\), which no edge rule reads, expected "
            r"\('atom', 'bond'\)",
        ),
    ],
)
def test_what_differs_from_the_rules_promise_is_refused(sample: Sample, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        builder(**options)([sample])
    with pytest.raises(ValueError, match="features must be at least 0, found -1"):
        builder(features=-1)


class Doubled(EdgeRule):
    """Promises weights, and returns them in float64."""

    name = "doubled"
    weighted = True

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        return True

    def edges(self, src: NodeSet, dst: NodeSet) -> EdgeList:
        return EdgeList(torch.zeros(2, 1, dtype=torch.int64), torch.ones(1, dtype=torch.float64))


def test_a_rule_of_ones_own_that_breaks_its_promise_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"edge rule 'doubled' .* found weight torch.float64 \[1\], expected .*float32"
    ):
        GraphBuilder([Features(signal="atom", width=1)], [Doubled()])([Sample({"atom": torch.zeros(2, 1)})])


class Returning(EdgeRule):
    """Returns what it was given."""

    name = "own"

    def __init__(self, returned: Any, *, weighted: bool = False) -> None:
        self.returned, self.weighted = returned, weighted

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        return True

    def edges(self, src: NodeSet, dst: NodeSet) -> EdgeList:
        found: EdgeList = self.returned
        return found


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (([0], [1]), "found a tuple, expected a tensor or EdgeList"),
        (None, "found a NoneType, expected a tensor or EdgeList"),
        (EdgeList(torch.tensor([[0], [1]]), torch.tensor([torch.nan])), "found weight with NaN or infinity"),
    ],
)
def test_what_a_rule_of_ones_own_returns_wrongly_names_the_rule(returned: Any, message: str) -> None:
    rule = Returning(returned, weighted=isinstance(returned, EdgeList))
    with pytest.raises(ValueError, match=rf"edge rule 'own' on atom-own-atom: {message}"):
        GraphBuilder([Features(signal="atom", width=1)], [rule])([Sample({"atom": torch.zeros(2, 1)})])
