"""The interface of modules whose values are learnt from training nodes before the first step."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


class LearntFirst(nn.Module, ABC):
    """A module within an encoder that learns from the nodes of training samples, once, before weights are trained.

    `fit_task` passes the model over training samples, in evaluation mode and without augmentation, and calls
    `gather` with the first argument of each call of `forward`, then `settle`. What is learnt belongs in buffers, which
    are saved with the weights. Every process of a run passes over the same samples in the same order.
    """

    @property
    @abstractmethod
    def learnt(self) -> bool:
        """Whether it has learnt; such a module stays unchanged when its model is trained again."""

    @abstractmethod
    def gather(self, rows: Float[Tensor, "rows width"]) -> None:
        """Take some rows into account."""

    @abstractmethod
    def settle(self) -> None:
        """Learn from all gathered rows; without any, stay unchanged."""
