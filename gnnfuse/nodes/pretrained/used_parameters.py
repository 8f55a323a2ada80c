"""Finds the parameters that an output depends on: some networks have unused poolers and mask tokens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


@dataclass(frozen=True, eq=False)
class NetworkProbe:
    """A module and a small input, to find the parameters that its output depends on.

    Args:
        module: returns one tensor.
        inputs: its arguments.
        compute: the module reads tensor values and must really run; otherwise only shapes are propagated.

    Example:
        >>> pair = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        >>> probe = NetworkProbe(pair, (torch.zeros(1, 2),))
        >>> len(probe.used()), len(probe.used(start=pair[1]))
        (4, 2)
    """

    module: nn.Module
    inputs: tuple[Tensor, ...]
    compute: bool = False

    def used(self, start: nn.Module | None = None, *, shared: bool = False) -> list[nn.Parameter]:
        """The parameters that the output depends on.

        Args:
            start: only those that it depends on from the first input of this submodule on.
            shared: with `start`, also those of them that this input itself depends on.

        Raises:
            ValueError: that input is no tensor.
        """
        parameters = dict(self.module.named_parameters())
        device = next(iter(parameters.values())).device if self.compute else torch.device("meta")
        shadows = {name: tensor.detach().to(device).requires_grad_() for name, tensor in parameters.items()}
        buffers = {name: tensor.to(device) for name, tensor in self.module.named_buffers()}
        before = set[int]()

        def cut(state: Tensor) -> Tensor:
            before.update(_leaves(state))
            return state.detach()

        with torch.enable_grad(), nullcontext() if start is None else state_replaced(start, cut):
            moved = tuple(tensor.to(device) for tensor in self.inputs)
            after = _leaves(functional_call(self.module, shadows | buffers, moved))
        return [
            parameters[name] for name, shadow in shadows.items() if id(shadow) in (after if shared else after - before)
        ]


@contextmanager
def state_replaced(part: nn.Module, new: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """A context in which a module's first argument is replaced whenever it is called.

    Raises:
        ValueError: when it is called with something else than a tensor.
    """

    def replace(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        name, state = next(iter(kwargs.items())) if not args else ("", args[0])
        if not isinstance(state, Tensor):
            raise ValueError(f"{type(part).__name__}: its input is a {type(state).__name__}, expected one tensor")
        return (args, {**kwargs, name: new(state)}) if not args else ((new(state), *args[1:]), kwargs)

    handle = part.register_forward_pre_hook(replace, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


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
