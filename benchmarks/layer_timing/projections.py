"""Nothing but the projections: what no message passing can undercut."""

from itertools import chain

from torch import Tensor, nn

from layer_timing.block import Block, Problem, linear_operations
from layer_timing.ours import AttentionBlock


def projections(problem: Problem, impl: str) -> Block:
    """The linear maps of `AttentionBlock` alone: gradients come back into query, key, value and output at once."""
    batch, dim = problem.batch, problem.dim
    module = problem.module(lambda: AttentionBlock(batch, dim, problem.heads))
    assert isinstance(module, AttentionBlock)
    states, received = problem.states().requires_grad_(), problem.gradient(seed=2).requires_grad_()
    maps = chain(module.project.named_parameters(prefix="project"), module.output.named_parameters(prefix="output"))
    return Block(
        states=[states, received],
        parameters=dict(maps),
        forward=lambda: [*module.project.split(states, batch.slices, 3), module.output(received, batch.slices)],
        gradients=[problem.gradient() for _ in range(4)],
        operations=linear_operations(batch.num_nodes, dim, 4 * dim),
    )


def projections_plain(problem: Problem, impl: str) -> Block:
    """The same numbers by one nn.Linear per type on a tensor per type: nothing is split or joined."""
    dim, places = problem.dim, list(problem.batch.slices.values())

    def leaves(rows: Tensor) -> list[Tensor]:
        return [rows[place].clone().requires_grad_() for place in places]

    module = problem.module(lambda: nn.ModuleList([nn.Linear(dim, width) for width in (3 * dim, dim) for _ in places]))
    assert isinstance(module, nn.ModuleList)
    inputs = leaves(problem.states()) + leaves(problem.gradient(seed=2))
    gradients = [problem.gradient(width)[place].clone() for width in (3 * dim, dim) for place in places]
    return Block(
        states=inputs,
        parameters=dict(module.named_parameters()),
        forward=lambda: [linear(rows) for linear, rows in zip(module, inputs, strict=True)],
        gradients=gradients,
        operations=linear_operations(problem.batch.num_nodes, dim, 4 * dim),
    )
