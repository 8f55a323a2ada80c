"""Finds the parameters that an output depends on: some networks have unused poolers and mask tokens."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call


def used_parameters(
    module: nn.Module, output: Callable[[nn.Module], Tensor], *, compute: bool = False
) -> list[nn.Parameter]:
    """The parameters that an output of a module depends on.

    Args:
        module: the network.
        output: calls a given module on a small input.
        compute: the module reads tensor values and must really run; otherwise only shapes are propagated.

    Example:
        >>> pair = nn.ModuleList([nn.Linear(2, 3), nn.Linear(2, 3)])
        >>> [len(p) for p in used_parameters(pair[0], lambda linear: linear(torch.zeros(1, 2)))]
        [3, 3]
    """
    parameters = dict(module.named_parameters())
    device = next(iter(parameters.values())).device if compute else torch.device("meta")
    shadows = {name: tensor.detach().to(device).requires_grad_() for name, tensor in parameters.items()}
    buffers = {name: tensor.to(device) for name, tensor in module.named_buffers()}
    shadowed = Shadowed(module, shadows | buffers, device)
    with torch.enable_grad():
        found = _leaves(output(shadowed))
    return [parameters[name] for name, shadow in shadows.items() if id(shadow) in found]


class Shadowed(nn.Module):
    """A module that runs on tensors other than its own."""

    def __init__(self, module: nn.Module, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        super().__init__()
        self.module = module
        self.tensors = tensors
        self.device = device

    def forward(self, *inputs: Tensor) -> Tensor:
        """The module's output on the tensors' device."""
        moved = tuple(tensor.to(self.device) for tensor in inputs)
        output: Tensor = functional_call(self.module, dict(self.tensors), moved)
        return output


def _leaves(output: Tensor) -> set[int]:
    pending, seen, leaves = [output.grad_fn], set(), set()
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)  # only if a gradient is accumulated
        if variable is not None:
            leaves.add(id(variable))
        pending += [before for before, _ in node.next_functions]
    return leaves
