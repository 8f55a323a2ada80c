"""What is timed: one block on one batch, forward and backward."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch
from layer_timing.workloads import Work


class AbsentError(Exception):
    """A contender cannot run here; the message is the reason that its row gives."""


CANNOT_RUN = (AbsentError, ValueError, RuntimeError, NotImplementedError, ImportError, MemoryError)
"""What building or running a contender may raise; it becomes the reason in its row."""


@dataclass(frozen=True)
class Problem:
    """A batch, the states that go into a block and the gradient that comes back into its output.

    Args:
        batch: nodes and edges; its values are the states in float32.
        dim: size of the states.
        heads: attention heads.
        dtype: of the run.
        rounded: states and weights are rounded to this dtype first: a float64 run of a float16 problem takes the
            numbers that the float16 run takes.
    """

    batch: GraphBatch
    dim: int
    heads: int
    dtype: torch.dtype
    rounded: torch.dtype

    def in_dtype(self, dtype: torch.dtype) -> "Problem":
        """The same numbers, computed with in another dtype."""
        return replace(self, dtype=dtype)

    def widened(self) -> "Problem":
        """The same shapes with float32 in place of 16-bit numbers."""
        wide = torch.promote_types(self.dtype, torch.float32)
        return replace(self, dtype=wide, rounded=wide)

    def rows(self, numbers: Tensor) -> Tensor:
        """Float numbers as the problem's dtype has them."""
        return numbers.to(self.batch.device, self.rounded).to(self.dtype)

    def states(self) -> Tensor:
        """`[nodes, dim]`, type by type."""
        return self.rows(torch.cat(list(self.batch.values.values())))

    def gradient(self, width: int | None = None, *, seed: int = 1) -> Tensor:
        """`[nodes, width]` normal numbers; `dim` wide by default."""
        generator = torch.Generator().manual_seed(seed)
        return self.rows(torch.randn(self.batch.num_nodes, width or self.dim, generator=generator))

    def module(self, make: Callable[[], nn.Module]) -> nn.Module:
        """A module with weights that depend on nothing but how it is made."""
        with seeded(0):
            made = make()
        return made.to(self.batch.device, self.rounded).to(self.dtype)


def problem(work: Work, samples: int, *, dim: int, heads: int, dtype: torch.dtype, device: torch.device) -> Problem:
    """That many samples of a work on a device."""
    return Problem(work.batch(samples, dim).to(device), dim, heads, dtype, rounded=dtype)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """PyTorch's generator starts from the seed within, and goes on where it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@dataclass(frozen=True)
class Block:
    """One contender on one problem.

    Args:
        states: leaves that together are the input states.
        parameters: name -> leaf; equal names in blocks of one group mean equal weights.
        forward: gives the outputs.
        gradients: what comes back into each of them.
        operations: additions and multiplications of the forward pass, as the formula counts them.
        order: `[nodes]`; the row of the batch that each row of states and outputs is of. None: they lie as there.
        gathered_bytes: of the forward pass, if every edge reads its rows anew; None where that is not meant.
        countable: whether PyTorch's operators can be watched while it runs.
    """

    states: Sequence[Tensor]
    parameters: Mapping[str, Tensor]
    forward: Callable[[], Sequence[Tensor]]
    gradients: Sequence[Tensor]
    operations: float
    order: Tensor | None = None
    gathered_bytes: float | None = None
    countable: bool = True

    def backward(self, outputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The gradients of the states and of the parameters."""
        leaves = [*self.states, *self.parameters.values()]
        return torch.autograd.grad(list(outputs), leaves, list(self.gradients))

    def results(self) -> dict[str, Tensor]:
        """Output and gradients by name, in float64 and in the batch's own order."""
        outputs = self.forward()
        gradients = self.backward(outputs)
        whole = {"output": outputs, "gradient of the states": gradients[: len(self.states)]}
        found = {name: self._in_order(torch.cat(list(parts)).detach()) for name, parts in whole.items()}
        named = zip(self.parameters, gradients[len(self.states) :], strict=True)
        found |= {f"gradient of {name}": gradient for name, gradient in named}
        return {name: tensor.double() for name, tensor in found.items()}

    def _in_order(self, rows: Tensor) -> Tensor:
        return rows if self.order is None else torch.empty_like(rows).index_copy(0, self.order, rows)


def linear_operations(rows: int, in_dim: int, out_dim: int) -> float:
    """Of one matrix product forward."""
    return 2.0 * rows * in_dim * out_dim


def attention_operations(pairs: int, dim: int) -> float:
    """Of scores and weighted sums over that many pairs, forward; the softmax is not counted."""
    return 4.0 * pairs * dim
