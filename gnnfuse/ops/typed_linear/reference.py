"""Defines `typed_linear` in plain PyTorch; autograd computes the gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def typed_linear_reference(
    values: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], counts: Sequence[int], parts: int
) -> list[Tensor]:
    """Each type's rows through its own map, laid end to end, cut into parts."""
    rows = values.split_with_sizes(list(counts))
    mapped = torch.cat([F.linear(*each) for each in zip(rows, weights, biases, strict=True)])
    return list(mapped.chunk(parts, dim=1))
