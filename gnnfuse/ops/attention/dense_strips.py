"""The passes of `graph_attention(impl="dense")`: over strips of the matrices small enough to stay in a cache."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from gnnfuse.ops.attention.dense_layout import DenseLayout
from gnnfuse.ops.attention.dense_numbers import PairNumbers

STRIP_NUMBERS = {"cpu": 2**19}  # of all heads; 2 MiB in float32
STRIP_NUMBERS_ELSEWHERE = 2**27


class Strip(NamedTuple):
    """Some graphs of a block, or some nodes of one graph: `[graphs, nodes, rows]` of its pairs."""

    block: int
    graphs: slice
    nodes: slice
    start: int
    stop: int
    shape: tuple[int, int, int]


def strips(layout: DenseLayout, heads: int, device: torch.device) -> Iterator[Strip]:
    """All of the layout in strips of at most `STRIP_NUMBERS`, but one node of one graph at least."""
    limit = max(1, STRIP_NUMBERS.get(device.type, STRIP_NUMBERS_ELSEWHERE) // max(1, heads))
    start = 0
    for block, (graphs, nodes, rows) in enumerate(layout.shapes):
        graph_step = max(1, limit // (nodes * rows))
        cuts = -(-nodes * rows // limit) if graph_step == 1 else 1
        node_step = -(-nodes // cuts)
        for graph in range(0, graphs, graph_step):
            for node in range(0, nodes, node_step):
                shape = min(graph_step, graphs - graph), min(node_step, nodes - node), rows
                stop = start + shape[0] * shape[1] * rows
                graph_part, node_part = slice(graph, graph + shape[0]), slice(node, node + shape[1])
                yield Strip(block, graph_part, node_part, start, stop, shape)
                start = stop


def attend(
    query: Tensor, key: Tensor, value: Tensor, layout: DenseLayout, numbers: PairNumbers, *, wants_weights: bool
) -> tuple[Tensor, Tensor | None]:
    """The output, and the softmax weights `[heads, pairs]` if wanted; `query` is times the scale."""
    queries, keys, values = layout.pad_nodes(query), layout.pad_rows(key), layout.pad_rows(value)
    outs = [block.new_empty(*block.shape[:3], value.shape[2]) for block in queries]
    kept = []
    for strip in strips(layout, query.shape[1], query.device):
        block, graphs, nodes = strip[:3]
        bias, factor = read(numbers, strip)
        weight = softmax(queries[block][:, graphs, nodes], keys[block][:, graphs], bias)
        if wants_weights:
            kept.append(weight.flatten(1))
        weight = weight if factor is None else factor.mul_(weight)
        outs[block][:, graphs, nodes] = weight @ values[block][:, graphs]
    return layout.take_nodes(outs), torch.cat(kept, 1) if wants_weights else None


def backward(
    grad_out: Tensor, query: Tensor, key: Tensor, value: Tensor, layout: DenseLayout, numbers: PairNumbers
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query (times the scale), key and value; those of the numbers go to `numbers`."""
    queries, grad_outs = layout.pad_nodes(query), layout.pad_nodes(grad_out)
    keys, values = layout.pad_rows(key), layout.pad_rows(value)
    grad_queries = [torch.empty_like(block) for block in queries]
    grad_keys, grad_values = ([torch.zeros_like(block) for block in blocks] for blocks in (keys, values))
    for strip in strips(layout, query.shape[1], query.device):
        block, graphs, nodes = strip[:3]
        query_part, key_part = queries[block][:, graphs, nodes], keys[block][:, graphs]
        grad_part = grad_outs[block][:, graphs, nodes]
        bias, factor = read(numbers, strip)
        weight = softmax(query_part, key_part, bias)
        grad_weight = grad_part @ values[block][:, graphs].mT
        gated, grad_factor = weight, None
        if factor is not None:
            gated, grad_factor = factor.mul_(weight), grad_weight * weight
        grad_values[block][:, graphs] += gated.mT @ grad_part
        grad_score = grad_weight.mul_(gated)
        grad_score.addcmul_(weight, grad_score.sum(-1, keepdim=True), value=-1)
        grad_queries[block][:, graphs, nodes] = grad_score @ key_part
        grad_keys[block][:, graphs] += grad_score.mT @ query_part
        of_factor = None if grad_factor is None else grad_factor.flatten(1)
        numbers.collect(strip.start, strip.stop, grad_score.flatten(1), of_factor)
    return layout.take_nodes(grad_queries), layout.take_rows(grad_keys), layout.take_rows(grad_values)


def read(numbers: PairNumbers, strip: Strip) -> tuple[Tensor, Tensor | None]:
    """Bias and factor `[heads or 1, graphs, nodes, rows]` of a strip."""
    bias, factor = numbers.read(strip.start, strip.stop)
    return bias.reshape(-1, *strip.shape), None if factor is None else factor.reshape(-1, *strip.shape)


def softmax(query: Tensor, key: Tensor, bias: Tensor) -> Tensor:
    """Of query . key + bias over the last axis; `bias` is changed.

    Zeros, not NaN, where every bias is -inf: at padding and at nodes that read nothing.
    """
    if len(bias) == len(query):
        score = bias.flatten(0, 1).baddbmm_(query.flatten(0, 1), key.flatten(0, 1).mT).reshape(bias.shape)
    else:
        score = (query @ key.mT).add_(bias)
    weight: Tensor = score.softmax(-1)
    silent = weight[..., 0].isnan()
    if bool(silent.any()):
        silent &= (score == -torch.inf).all(-1)  # what is left is NaN by its inputs, and stays so
        weight.masked_fill_(silent[..., None], 0)
    return weight
