"""Removes the effect of class weights and label smoothing in training from predicted probabilities.

Cross-entropy is a proper scoring rule: at the optimum the softmax of the outputs is the distribution seen in training,
which is known. Let `p_c` be the probability of class c given the sample, `w_c` the class's weight, and `e` the share of
the label that is spread over all K classes. The expected loss is

    sum_c p_c w_c sum_j ((1 - e) [c = j] + e / K) (-log q_j),

which is smallest (Gibbs' inequality) at

    q_j = (1 - e) r_j + e / K,    r_j = w_j p_j / sum_c w_c p_c.

Hence `r_j` is proportional to `q_j - e / K`, and `p_j` to `r_j / w_j`: the correction for changed priors of Saerens,
Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities" (2002),
https://doi.org/10.1162/089976602753284446, and of Elkan, "The foundations of cost-sensitive learning" (2001), for
weights. Likewise binary cross-entropy, with weight w for having the label, leads to the odds `w p / (1 - p)`: log w is
subtracted from the output.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def class_probabilities(
    outputs: Float[Tensor, "graphs classes"], *, weights: Sequence[float] | None = None, smoothing: float = 0.0
) -> Float[Tensor, "graphs classes"]:
    """Probabilities of mutually exclusive classes, in float32.

    Smoothing alone gives every class `e / K`. A class with less keeps the share `e` of its probability instead of
    becoming impossible, which preserves the order of the classes.

    Args:
        outputs: outputs of the head.
        weights: factor on the loss of each class's samples in training; 1 by default.
        smoothing: share of the label that was spread over all classes.

    Example:
        >>> outputs = torch.tensor([[2.0, 2.0, 6.0]]).log()  # .2, .2, .6
        >>> class_probabilities(outputs, weights=(1.0, 1.0, 6.0))
        tensor([[0.4000, 0.4000, 0.2000]])
    """
    learned = outputs.float().softmax(dim=1)
    if smoothing:
        learned = torch.maximum(learned - smoothing / learned.shape[1], smoothing * learned)
    if weights is not None:
        learned = learned / learned.new_tensor(weights)
    return learned / learned.sum(dim=1, keepdim=True) if smoothing or weights is not None else learned


def label_probabilities(
    outputs: Float[Tensor, "graphs labels"], *, weights: Sequence[float] | None = None
) -> Float[Tensor, "graphs labels"]:
    """The probability of having each label, in float32.

    Args:
        outputs: outputs of the head.
        weights: factor on the loss of having each label in training; 1 by default.

    Example:
        >>> label_probabilities(torch.zeros(1, 2), weights=(1.0, 4.0))
        tensor([[0.5000, 0.2000]])
    """
    outputs = outputs.float()
    return (outputs if weights is None else outputs - outputs.new_tensor(weights).log()).sigmoid()
