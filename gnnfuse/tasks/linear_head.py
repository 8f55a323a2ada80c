"""Heads: modules that turn fused vectors into a task's outputs."""

from torch import Tensor, nn

from gnnfuse.tasks.check_number import check_number


class LinearHead(nn.Sequential):
    """Dropout on the fused vector, then a linear map: the head of a task that is given none.

    Args:
        dim: size of the fused vector.
        outputs: number of outputs.
        dropout: share of the vector's numbers that training leaves out.

    Raises:
        ValueError: a dropout outside [0, 1).
    """

    def __init__(self, dim: int, outputs: int, dropout: float = 0.0) -> None:
        check_number("the head", "dropout", dropout, "at least 0 and below 1", least=0, below=1)
        super().__init__(nn.Dropout(dropout), nn.Linear(dim, outputs))
        self.dim = dim
        self.outputs = outputs
        self.dropout = dropout


class VectorHead(nn.Module):
    """Passes the fused vector on: the head of a model whose vectors are outputs already, such as `Blend`."""

    def forward(self, vector: Tensor) -> Tensor:
        """The same vector."""
        return vector
