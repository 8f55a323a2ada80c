"""The blocks of torchvision's networks, marked in their traced graphs."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import fx, nn

# Classes of residual and other blocks, each of which reads one state and returns one.
BLOCKS = frozenset(
    {
        *("BasicBlock", "Bottleneck", "ResBottleneckBlock"),  # ResNet, RegNet
        *("CNBlock", "MBConv", "FusedMBConv", "InvertedResidual", "_InvertedResidual"),  # ConvNeXt, EfficientNet, ...
        *("EncoderBlock", "SwinTransformerBlock", "SwinTransformerBlockV2", "MaxVitBlock"),
        *("Inception", "InceptionA", "InceptionB", "InceptionC", "InceptionD", "InceptionE", "Fire", "_DenseBlock"),
    }
)
MARK = "before_block_{}"


def mark_blocks(whole: nn.Module, features: Any) -> list[nn.Module]:
    """Modules in a traced network that pass on the state before each of its blocks, added to it unless there.

    Args:
        whole: the library's network, of which only names are read.
        features: the graph made from it, in evaluation mode.

    Returns:
        A module for each block; none if the network has no known blocks or several that read the same state.
    """
    names = list(_names(whole, ""))
    if names and not hasattr(features, MARK.format(0)):
        starts = [_start(features.graph, name) for name in names]
        if len({state for state, _ in starts}) < len(names):
            return []
        nodes = list(features.graph.nodes)
        for number, (state, first) in enumerate(starts):
            features.add_submodule(MARK.format(number), nn.Identity())
            later = set(nodes[nodes.index(first) :])
            with features.graph.inserting_before(first):
                mark = features.graph.call_module(MARK.format(number), (state,))
            state.replace_all_uses_with(mark, delete_user_cb=later.__contains__)
        features.recompile()
    return [features.get_submodule(MARK.format(number)) for number in range(len(names))]


def _names(part: nn.Module, name: str) -> Iterator[str]:
    """The names of the outermost blocks, in order."""
    if type(part).__name__ in BLOCKS:
        yield name
        return
    for own, child in part.named_children():
        yield from _names(child, f"{name}.{own}" if name else own)


def _start(graph: fx.Graph, name: str) -> tuple[fx.Node, fx.Node]:
    """The state that a block reads, and the first node that belongs to the block.

    Raises:
        ValueError: several values cross into the block.
    """
    nodes = list(graph.nodes)
    inside = [node for node in nodes if node.op == "call_module" and str(node.target).startswith(f"{name}.")]
    for place in range(nodes.index(inside[0]), 0, -1):
        crossing = _crossing(nodes, place)
        if len(crossing) == 1:
            return crossing[0], nodes[place]
    raise ValueError(f"{name}: found several values that enter this block, expected one state")


def _crossing(nodes: Sequence[fx.Node], place: int) -> list[fx.Node]:
    """The values computed before a place in a graph and used after it; weights do not count."""
    later = set(nodes[place:])
    return [node for node in nodes[:place] if node.op != "get_attr" and not later.isdisjoint(node.users)]
