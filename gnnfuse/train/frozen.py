"""The parameters of a module that are never trained and need no copies."""

import hashlib

import torch
from torch import Tensor, nn


def frozen_names(module: nn.Module) -> frozenset[str]:
    """The entries of a module's state that are parameters without gradients; buffers may change and do not count.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> _ = layer.weight.requires_grad_(False)
        >>> sorted(frozen_names(layer))
        ['weight']
    """
    parameters = module.named_parameters(remove_duplicate=False)
    return frozenset(name for name, parameter in parameters if not parameter.requires_grad)


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """A module's state without its frozen parameters."""
    frozen = frozen_names(module)
    return {name: tensor for name, tensor in module.state_dict().items() if name not in frozen}


@torch.no_grad()
def digest_of_frozen(module: nn.Module) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of all frozen parameters."""
    state, digest = module.state_dict(), hashlib.sha256()
    for name in sorted(frozen_names(module)):
        digest.update(name.encode())
        digest.update(state[name].cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
