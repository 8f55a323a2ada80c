"""Checks the node types and edge rules that a builder is made of."""

from collections.abc import Sequence

from gnnfuse.catalog import unknown
from gnnfuse.edges import EdgeRule
from gnnfuse.nodes import NodeType, check_promises


def check_parts(node_types: Sequence[NodeType], edge_rules: Sequence[EdgeRule]) -> None:
    """Refuse node types and edge rules that cannot make a builder.

    Raises:
        ValueError: no node types, other objects among them, one with an unusable name or promises, two types or rules
            of one name, a rule that names a missing node type, or a node type that follows a signal that no other
            reads.
    """
    if not node_types:
        raise ValueError("a graph needs at least one node type, found none")
    for node_type in node_types:
        if not isinstance(node_type, NodeType):
            raise ValueError(f"found {node_type!r} among the node types, expected NodeType objects")
        check_promises(node_type)
    names = sorted(node_type.name for node_type in node_types)
    _refuse_twice("node type", names)
    _refuse_twice("edge rule", [rule.name for rule in edge_rules])
    for rule in edge_rules:
        for name in rule.named_types():
            if name not in names:
                raise ValueError(f"edge rule {rule.name!r}: {unknown('node type', name, names)}")
    signals = [node_type.signal for node_type in node_types if node_type.signal is not None]
    for node_type in node_types:
        followed = node_type.follows()
        if signals and followed is not None and followed not in signals:
            raise ValueError(f"node type {node_type.name!r}: {unknown('signal', followed, signals)}")


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two of one name: {what} {twice[0]!r}; give each its own name=")
