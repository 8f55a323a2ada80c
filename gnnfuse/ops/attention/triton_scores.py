"""Scores, gates and dropout of a tile of edges `[BLOCK_E, ROWS, HEADS_BLOCK]`: see triton_spans.py."""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

import triton
import triton.language as tl

from gnnfuse.ops.attention.triton_tiles import load_ends, load_heads
from gnnfuse.ops.cuda.triton_spans import Pointer, Scalar, Tile


@triton.jit
def joined(pair: Tile, negative_slope: Scalar) -> Tile:
    """leaky_relu of q + k."""
    return tl.where(pair > 0, pair, pair * negative_slope)


@triton.jit
def joined_slope(pair: Tile, negative_slope: Scalar) -> Tile:
    """Derivative of leaky_relu at q + k."""
    return tl.where(pair > 0, 1.0, negative_slope)


@triton.jit
def load_vectors(
    score_weight_ptr: Pointer, relation: Tile,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, HEAD_DIM: tl.constexpr, HEAD_PAD: tl.constexpr,
) -> Tile:  # fmt: skip
    """The additive score's vector of each edge's relation `[BLOCK_E, ROWS, HEADS_BLOCK, HEAD_PAD]`."""
    stride: tl.constexpr = HEADS * HEAD_DIM
    return load_ends(score_weight_ptr, relation, stride, HEAD_DIM, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)


@triton.jit
def scores(
    own: Tile, other: Tile, edge: Tile, relation: Tile, valid: Tile, head: Tile,
    score_weight_ptr: Pointer, edge_bias_ptr: Pointer, relation_bias_ptr: Pointer, scale: Scalar,
    negative_slope: Scalar,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, HEAD_DIM: tl.constexpr, HEAD_PAD: tl.constexpr,
) -> Tile:  # fmt: skip
    """Scores with their biases; -inf where an edge is not valid or a head beyond the last.

    `own` `[ROWS, HEADS_BLOCK, HEAD_PAD]` and `other` `[BLOCK_E, ROWS, HEADS_BLOCK, HEAD_PAD]` are query and key, or
    key and query.
    """
    if score_weight_ptr is None:
        score = tl.sum(own[None, :, :, :] * other, 3) * scale
    else:
        vector = load_vectors(score_weight_ptr, relation, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
        score = tl.sum(vector * joined(own[None, :, :, :] + other, negative_slope), 3) * scale
    if edge_bias_ptr is not None:
        score += load_heads(edge_bias_ptr, edge, head, HEADS, HEADS_BLOCK)
    if relation_bias_ptr is not None:
        score += load_heads(relation_bias_ptr, relation, head, HEADS, HEADS_BLOCK)
    if HEADS % HEADS_BLOCK != 0:
        return tl.where(valid[:, :, None] & (head < HEADS)[None, None, :], score, float("-inf"))
    else:
        return tl.where(valid[:, :, None], score, float("-inf"))


@triton.jit
def gated(
    tile: Tile, edge: Tile, relation: Tile, head: Tile, gate_ptr: Pointer, edge_gate_ptr: Pointer,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr,
) -> Tile:  # fmt: skip
    """The tile times each edge's gate and that of its relation."""
    if gate_ptr is not None:
        tile *= load_heads(gate_ptr, relation, head, HEADS, HEADS_BLOCK)
    if edge_gate_ptr is not None:
        tile *= load_heads(edge_gate_ptr, edge, head, HEADS, HEADS_BLOCK)
    return tile


@triton.jit
def dropped(
    tile: Tile, edge: Tile, head: Tile, seed_ptr: Pointer, threshold: Scalar, kept_scale: Scalar,
    HEADS_BLOCK: tl.constexpr,
) -> Tile:  # fmt: skip
    """The tile with dropped weights set to 0 and the others divided by 1 - dropout: see dropout.py."""
    if seed_ptr is not None:
        seed = tl.load(seed_ptr)
        edge = edge.to(tl.int64)[:, :, None]
        if HEADS_BLOCK % 4 == 0:  # one draw gives the words of four heads
            group = tl.program_id(1).to(tl.int64) * (HEADS_BLOCK // 4) + tl.arange(0, HEADS_BLOCK // 4)
            w0, w1, w2, w3 = tl.randint4x(seed, edge | (group << 32)[None, None, :])
            word = tl.reshape(tl.join(tl.join(w0, w2), tl.join(w1, w3)), tile.shape)
        else:
            w0, w1, w2, w3 = tl.randint4x(seed, edge | ((head // 4).to(tl.int64) << 32)[None, None, :])
            which = (head % 4)[None, None, :]
            word = tl.where(which < 2, tl.where(which == 0, w0, w1), tl.where(which == 2, w2, w3))
        kept = word.to(tl.uint32, bitcast=True).to(tl.int64) >= threshold
        tile *= tl.where(kept, kept_scale, 0.0)
    return tile
