"""Whitening: principal components of unit variance, learnt from training nodes."""

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.nodes.covariance import Covariance
from gnnfuse.nodes.learnt_first import LearntFirst

LEAST = 1e-10  # variance relative to the largest: float32 rounding of the features causes as much


class Whitening(LearntFirst):
    """The first principal components of a row, each scaled to unit variance over training nodes.

        y = (x - mean) V diag(1 / sqrt(lambda))

    V holds the leading eigenvectors of the covariance of training nodes, lambda their eigenvalues. A linear map from
    hundreds of features, learnt on a few hundred samples, overfits; from a few dozen whitened components it does not,
    and one learning rate suits all of them. A component without variance (fewer rows than components, say) is zero.
    Before it has learnt, it gives the first features unchanged.

    Args:
        width: features per row.
        components: components per row.

    Raises:
        ValueError: components below 1 or above the width.

    Example:
        >>> whitening = Whitening(3, 1)
        >>> whitening.gather(torch.tensor([[1.0, 4.0, 0.0], [1.0, 8.0, 0.0]]))
        >>> whitening.settle()
        >>> whitening(torch.tensor([[1.0, 6.0, 0.0], [1.0, 8.0, 0.0]])).round(decimals=3).tolist()
        [[0.0], [1.0]]
    """

    mean: Tensor
    matrix: Tensor
    rows: Tensor

    def __init__(self, width: int, components: int) -> None:
        super().__init__()
        if not 1 <= components <= width:
            raise ValueError(f"components: found {components}, expected 1 to {width}, the features per node")
        self.width = width
        self.components = components
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("matrix", torch.eye(width, components))
        self.register_buffer("rows", torch.zeros((), dtype=torch.int64))
        self._found: Covariance | None = None

    @property
    def learnt(self) -> bool:
        """Whether it has learnt from any rows."""
        return bool(self.rows)

    def forward(self, values: Float[Tensor, "rows width"]) -> Float[Tensor, "rows components"]:
        """Rows in, components out."""
        return (values - self.mean.to(values.dtype)) @ self.matrix.to(values.dtype)

    def gather(self, rows: Float[Tensor, "rows width"]) -> None:
        """Take some rows into account."""
        self._found = Covariance(self.width) if self._found is None else self._found
        self._found.add(rows)

    def settle(self) -> None:
        """Learn the components of all gathered rows."""
        found, self._found = self._found, None
        if found is None or not found.rows:
            return
        variance, vectors = torch.linalg.eigh(found.scatter / found.rows)  # ascending
        variance, vectors = variance.flip(0)[: self.components], vectors.flip(1)[:, : self.components]
        largest = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))  # each sign is arbitrary
        kept = variance > max(LEAST * float(variance[0]), torch.finfo(torch.float32).tiny)
        scale = torch.where(kept, largest.sign() / variance.clamp(min=1e-300).sqrt(), 0.0)
        self.mean.copy_(found.mean)
        self.matrix.copy_(vectors * scale)
        self.rows.fill_(found.rows)
