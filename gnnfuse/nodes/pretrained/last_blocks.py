"""The last blocks of a network, which may be trained while those before them stay frozen."""

from collections.abc import Iterator

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from gnnfuse.nodes.pretrained.network import Network, no_blocks


def check_tuned(network: Network, tuned: int, model: str) -> None:
    """Refuse to tune more blocks than a network has; nothing is loaded.

    Raises:
        ValueError: it has fewer blocks, or none that can be told apart.
    """
    blocks = network.blocks(without_memory(network))
    if tuned > len(blocks):
        raise ValueError(f"{model}: found {tuned} last blocks to tune, expected at most the {len(blocks)} that it has")


def without_memory(network: Network) -> nn.Module:
    """A network's module on the meta device, in evaluation mode, to inspect its parts and shapes."""
    try:
        with torch.device("meta"):
            return network.module().eval()
    except NotImplementedError:  # some networks compute their widths with tensors
        return network.module().eval().to("meta")


def tuned_parameters(network: Network, module: nn.Module, tuned: int) -> list[nn.Parameter]:
    """The parameters of the last blocks and of what follows them (a final norm), as far as the states depend on them.

    A parameter that blocks before them share (T5's relative positions) does not count.

    Raises:
        ValueError: the blocks do not run once each and one after another.
    """
    blocks, calls = network.blocks(module), list[int]()
    handles = [_counted(block, number, calls) for number, block in enumerate(blocks)]
    try:
        found = network.probe(module).used(start=blocks[-tuned])
    finally:
        for handle in handles:
            handle.remove()
    if calls != list(range(len(blocks))):
        raise no_blocks(type(getattr(module, "model", module)).__name__)
    return found


def _counted(block: nn.Module, number: int, calls: list[int]) -> RemovableHandle:
    return block.register_forward_pre_hook(lambda *_: calls.append(number))


def trained_parts(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost parts of a module whose parameters are all trained."""
    given = [parameter.requires_grad for parameter in module.parameters()]
    if given and all(given):
        yield module
    elif any(given):
        for child in module.children():
            yield from trained_parts(child)
