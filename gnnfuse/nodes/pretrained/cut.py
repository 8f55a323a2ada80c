"""A network cut before its last blocks: a head up to the state there, and a tail that goes on from it."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves, tree_map_only

from gnnfuse.nodes.pretrained.used_parameters import state_replaced

Inputs = tuple[Tensor | None, ...]
MOST_SHAPES = 256  # kept per module


@dataclass(frozen=True)
class Cut:
    """Where a network is cut.

    A sample's state there has another shape than its features: tokens that are no nodes, cells of a finer map. Its
    numbers are divided evenly among the sample's nodes, and filled up with zeros.

    Args:
        before: the name of the submodule whose first argument is the state.
        width: numbers per node.
    """

    before: str
    width: int

    def states(self, network: nn.Module, inputs: Inputs, nodes: int) -> Float[Tensor, "samples_times_nodes width"]:
        """The head: the states of samples of `nodes` nodes each; what follows the cut does not run.

        Raises:
            ValueError: the state is not one tensor, or not one per sample, or larger than expected.
        """
        return self.pack(state_before(network, network.get_submodule(self.before), inputs), nodes)

    def pack(self, states: Float[Tensor, "samples ..."], nodes: int) -> Float[Tensor, "samples_times_nodes width"]:
        """The states of samples of `nodes` nodes each, divided among their nodes.

        Raises:
            ValueError: they are larger than expected.
        """
        flat = states.flatten(1)
        free = nodes * self.width - flat.shape[1]
        if free < 0:
            raise ValueError(
                f"found a state of {list(states.shape[1:])} before {self.before}, expected at most {self.width} "
                f"numbers for each of {nodes} nodes"
            )
        return F.pad(flat, (0, free)).reshape(len(states) * nodes, self.width)

    def output(self, network: nn.Module, states: Float[Tensor, "samples numbers"], inputs: Inputs) -> Tensor:
        """The tail: the network's output from packed states, one row per sample.

        Args:
            network: the network, perhaps hollow.
            states: all numbers of a sample in one row.
            inputs: of the right shape, with any values: they give the shape of the states.
        """

        def unpack(given: Tensor) -> Tensor:
            return states[:, : given[0].numel()].reshape(len(states), *given.shape[1:])

        with state_replaced(network.get_submodule(self.before), unpack):
            found: Tensor = network(*inputs)
        return found


class _ReachedError(Exception):
    """Ends a network's run at the cut."""

    def __init__(self, state: Tensor) -> None:
        super().__init__()
        self.state = state


def state_before(network: nn.Module, part: nn.Module, inputs: Inputs) -> Float[Tensor, "samples ..."]:
    """The first argument of a network's submodule.

    Raises:
        ValueError: it is not a tensor with one entry per sample.
    """

    def reached(state: Tensor) -> Tensor:
        raise _ReachedError(state)

    try:
        with state_replaced(part, reached):
            network(*inputs)
    except _ReachedError as found:
        if inputs[0] is not None and len(found.state) == len(inputs[0]):
            return found.state
    raise ValueError(f"{type(part).__name__}: its input does not hold one state per sample, expected one")


class _Shapes:
    """The shapes of a module's outputs; no part of the module that holds it."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module.to("meta")
        self.known: dict[tuple[object, ...], Any] = {}

    def of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The output for such inputs on the meta device; kept, as even shapes take a while to compute."""
        leaves = tree_leaves((args, kwargs))
        key = tuple((each.shape, each.dtype) if isinstance(each, Tensor) else each for each in leaves)
        if not all(isinstance(each, tuple | bool | int | float | str | None) for each in key):
            return self._computed(args, kwargs)
        if key not in self.known:
            if len(self.known) >= MOST_SHAPES:
                self.known.clear()
            self.known[key] = self._computed(args, kwargs)
        return self.known[key]

    @torch.no_grad()
    def _computed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        own = next(self.module.parameters()).dtype
        given, named = tree_map_only(Tensor, lambda tensor: _zeros(tensor, "meta", own), (args, kwargs))
        return self.module(*given, **named)


class Hollow(nn.Module):
    """A module that computes only the shape of its output, which is filled with zeros, and has no weights.

    Args:
        module: becomes unusable itself.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.shapes = _Shapes(module)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Zeros of the module's shapes, of the inputs' type where these are floating."""
        tensors = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
        kind = next((each.dtype for each in tensors if each.is_floating_point()), torch.get_default_dtype())
        found = self.shapes.of(args, kwargs)
        return tree_map_only(Tensor, lambda tensor: _zeros(tensor, tensors[0].device, kind), found)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["shapes"].module, name)


def _zeros(like: Tensor, device: str | torch.device, kind: torch.dtype) -> Tensor:
    return torch.zeros_like(like, device=device, dtype=kind if like.is_floating_point() else like.dtype)


def hollow(module: nn.Module, kept: frozenset[int]) -> None:
    """Replace the largest submodules without kept parameters, given by their `id`; ones without parameters stay."""
    for name, child in list(module.named_children()):
        own = {id(parameter) for parameter in child.parameters()}
        called = type(child).forward is not nn.Module.forward  # lists and the like are not
        if own and own.isdisjoint(kept) and called:
            setattr(module, name, Hollow(child))
        else:
            hollow(child, kept)


@dataclass(frozen=True, eq=False)
class TailCheck:
    """A small input of a network, its state at a cut, and its output, to compare the tail's output with."""

    inputs: tuple[Tensor, ...]
    state: Tensor
    output: Tensor

    @staticmethod
    @torch.no_grad()
    def of(network: nn.Module, cut: Cut, smallest: tuple[Tensor, ...]) -> "TailCheck":
        """Run the whole network on two samples."""
        inputs = tuple(_two(tensor) for tensor in smallest)
        state = state_before(network, network.get_submodule(cut.before), inputs).clone()
        return TailCheck(inputs, state, network(*inputs))

    @torch.no_grad()
    def holds(self, network: nn.Module, cut: Cut) -> bool:
        """Whether the hollow network gives the same from the state."""
        blank = tuple(torch.zeros_like(tensor) for tensor in self.inputs)
        try:
            found = cut.output(network, self.state.flatten(1), blank)
        except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError):
            return False  # it looks into modules that are hollow
        return torch.allclose(found, self.output, rtol=1e-3, atol=1e-4 * float(self.output.abs().max()))


def _two(smallest: Tensor) -> Tensor:
    """Two different samples of numbers, or twice the same ids."""
    both = torch.cat([smallest, smallest])
    return torch.linspace(-1, 1, both.numel()).reshape(both.shape) if both.is_floating_point() else both
