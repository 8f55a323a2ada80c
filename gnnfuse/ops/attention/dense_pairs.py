"""Several edges between one node and one row, joined into one entry of the dense matrices.

They share q.k, so for the edges e of pair p, with biases b and factors f (gate and dropout),

    B_p = log(sum of exp b_e),  share_e = exp(b_e - B_p),  F_p = sum of share_e f_e

and the softmax of q.k + B over a node's pairs, times F, is what the edges say together.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Pairs(NamedTuple):
    """What stands at the pairs that have an edge.

    Args:
        place: `[pairs]`, the pair's number in the layout.
        bias: `[pairs, heads or 1]`.
        factor: `[pairs, heads]`; None where it is 1.
        group: `[edges]`, the row of the lists above that each edge is part of; None where each edge has its own.
        share: `[edges, heads or 1]`, the part of a pair's weight that is the edge's; None where it is 1.
    """

    place: Tensor
    bias: Tensor
    factor: Tensor | None
    group: Tensor | None
    share: Tensor | None


def join(pair: Tensor, num_pairs: int, bias: Tensor, factor: Tensor | None) -> Pairs:
    """From edges, with a pair's number, a bias and a factor each, to pairs."""
    joined = pair.new_zeros(num_pairs, dtype=torch.bool).index_fill_(0, pair, True)
    if int(joined.sum()) == len(pair):
        return Pairs(pair, bias, factor, None, None)
    place = joined.nonzero().squeeze(1)
    group = (joined.cumsum(0) - 1).index_select(0, pair)

    highest = bias.new_full((len(place), bias.shape[1]), -torch.inf)
    highest.scatter_reduce_(0, group[:, None].expand_as(bias), bias, "amax")
    highest.masked_fill_(highest == -torch.inf, 0)  # every edge of the pair silenced: shares of 0, not NaN
    share = (bias - highest.index_select(0, group)).exp_()
    total = torch.zeros_like(highest).index_add_(0, group, share)
    share /= total.masked_fill(total == 0, 1).index_select(0, group)
    if factor is not None:
        factor = factor.new_zeros(len(place), factor.shape[1]).index_add_(0, group, share * factor)
    return Pairs(place, total.log_().add_(highest), factor, group, share)


def spread_grads(
    pairs: Pairs, factor: Tensor | None, grad_bias: Tensor | None, grad_factor: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """From the gradients `[pairs, heads]` of bias and factor to those of the edges; None stays None.

    With f the edges' factors: db_e = share_e (dB_p + dF_p (f_e - F_p)) and df_e = share_e dF_p.
    """
    group, share = pairs.group, pairs.share
    if group is None or share is None:
        return grad_bias, grad_factor
    grad_factor = None if grad_factor is None else grad_factor.index_select(0, group)
    if grad_bias is not None:
        grad_bias = grad_bias.index_select(0, group)
        if grad_factor is not None and factor is not None and pairs.factor is not None:
            grad_bias.addcmul_(grad_factor, factor - pairs.factor.index_select(0, group))
        grad_bias *= share
    return grad_bias, None if grad_factor is None else grad_factor.mul_(share)
