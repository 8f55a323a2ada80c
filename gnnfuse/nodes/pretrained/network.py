"""Pretrained networks: how to rebuild them without their hub, and how to read their weights."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.nodes.pretrained.used_parameters import NetworkProbe

_weights_follow: ContextVar[bool] = ContextVar("weights_follow", default=False)


class Network(ABC):
    """A network that a library owns, described fully enough to be made without that library's hub.

    Attributes:
        width: size of its states.
        library: the distribution that owns it; its version affects the network's output.
    """

    width: int
    library: ClassVar[str]

    @abstractmethod
    def smallest(self) -> tuple[Tensor, ...]:
        """The smallest input of the module, used to find the parameters that its output depends on."""

    @abstractmethod
    def module(self) -> nn.Module:
        """The network with random weights: pictures, waveforms or token ids in, states out."""

    @abstractmethod
    def pretrained(self, model: str, weights: str | None) -> nn.Module:
        """The network with the weights of `model`.

        Raises:
            FileNotFoundError: they are not available locally and cannot be fetched; the message has the command for it.
            ValueError: they do not fit the network.
        """

    def probe(self, module: nn.Module) -> NetworkProbe:
        """The module with its smallest input, to find the parameters that its states depend on."""
        return NetworkProbe(module, self.smallest())

    def blocks(self, module: nn.Module) -> list[nn.Module]:
        """The module's blocks, in the order in which they run; the first argument of each is the state before it.

        They are the elements of the list of modules with the most parameters.

        Raises:
            ValueError: its blocks cannot be told apart.
        """
        lists = [part for part in module.modules() if isinstance(part, nn.ModuleList)]
        if not lists:
            raise no_blocks(type(getattr(module, "model", module)).__name__)
        sizes = [sum(parameter.numel() for parameter in part.parameters()) for part in lists]
        return list(lists[sizes.index(max(sizes))])

    def checkpoint(self, module: nn.Module) -> None:
        """Make a module recompute its inner states in the backward pass instead of keeping them.

        Raises:
            ValueError: the library does not support it for this network.
        """
        raise ValueError(f"{self.library} offers no gradient checkpointing for {type(self).__name__}")


@contextmanager
def weights_follow() -> Iterator[None]:
    """A context in which encoders get random weights, because a saved model's weights are loaded next."""
    token = _weights_follow.set(True)
    try:
        yield
    finally:
        _weights_follow.reset(token)


def weights_are_to_follow() -> bool:
    """Whether a saved model is being built, whose weights are loaded next."""
    return _weights_follow.get()


def make_module(network: Network, model: str, weights: str | None) -> nn.Module:
    """The network's module: pretrained, or with random weights if a saved model's weights follow."""
    module = network.module() if _weights_follow.get() else network.pretrained(model, weights)
    return module.eval()


def no_blocks(network: str) -> ValueError:
    """The error for a network whose blocks cannot be told apart."""
    return ValueError(f"{network}: found no blocks that run one after another, so the last ones cannot be tuned alone")


def missing_weights(what: str, command: str, error: Exception) -> FileNotFoundError:
    """The common error for weights that are neither local nor reachable."""
    reason = str(error).strip().split("\n")[0]
    return FileNotFoundError(
        f"found no {what} in the cache and could not fetch them ({reason}); with network access, fetch them by: "
        f"{command}"
    )


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file, `.safetensors` or from `torch.save`; nothing else is unpickled.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file holds something else.
    """
    from safetensors.torch import load_file

    if not path.is_file():
        raise FileNotFoundError(f"found no file {str(path)!r}, expected a state dict in .safetensors or .pth")
    try:
        if path.suffix == ".safetensors":
            found: object = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # readers may raise anything on other files
        raise ValueError(f"{path}: unreadable weights ({error})") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"{path}: found a {type(found).__name__}, expected a state dict: tensors by name")
    return dict(found)


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], known: frozenset[str], where: str) -> None:
    """Load the weights of a larger network that the module needs.

    Args:
        module: the used layers of the network.
        weights: tensors by name.
        known: names in the whole network; weights of its other layers, such as the classifier, are ignored.
        where: names the weights in the message.

    Raises:
        ValueError: weights that the module needs are missing or of another shape, or names that the network lacks.
    """
    expected = module.state_dict()
    wrong = misfits(expected, weights, known)
    found = "; ".join(f"{kind}: {', '.join(names[:5])}" for kind, names in wrong.items() if names)
    if found:
        raise ValueError(f"{where}: the weights do not fit the network, {found}")
    module.load_state_dict({name: weights[name] for name in expected})


def misfits(
    expected: Mapping[str, Tensor], weights: Mapping[str, Tensor], known: frozenset[str] = frozenset()
) -> dict[str, list[str]]:
    """The names of tensors that are missing, unexpected and not `known`, or of another shape."""
    return {
        "missing": sorted(expected.keys() - weights.keys()),
        "unexpected": sorted(weights.keys() - expected.keys() - known),
        "of another shape": [
            f"{name} {list(weights[name].shape)} (expected {list(tensor.shape)})"
            for name, tensor in expected.items()
            if name in weights and weights[name].shape != tensor.shape
        ],
    }


def map_of_tokens(
    model: nn.Module, tokens: Float[Tensor, "pictures tokens features"], pixels: Tensor, stride: int
) -> Float[Tensor, "pictures features rows columns"]:
    """The states of patches as a map.

    Raises:
        ValueError: their number differs from what the picture's size and the stride imply.
    """
    rows, columns = pixels.shape[2] // stride, pixels.shape[3] // stride
    if tokens.shape[1] != rows * columns:
        raise ValueError(
            f"{type(model).__name__}: found {tokens.shape[1]} patches for a picture of {tuple(pixels.shape[2:])} "
            f"pixels, expected {rows} x {columns}"
        )
    return torch.unflatten(tokens.transpose(1, 2), 2, (rows, columns))
