"""The parameters of a task, by weight decay and learning rate."""

from typing import Any

from torch import nn

from gnnfuse.nodes import NodeEncoder

SLOW = 0.1  # times the learning rate, for the tuned blocks of pretrained encoders


def parameter_groups(module: nn.Module, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """The trained parameters as an optimiser's groups.

    Only weight matrices of linear and convolution layers decay. Tuned blocks of pretrained encoders have groups of
    their own, the last two, which are left out where nothing is tuned.

    Example:
        >>> groups = parameter_groups(nn.Linear(2, 1), 0.1, 0.01)
        >>> [(len(group["params"]), group["lr"], group["weight_decay"]) for group in groups]
        [(1, 0.1, 0.01), (1, 0.1, 0.0)]
    """
    matrices = {id(layer.weight) for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)}
    slow = {id(each) for part in module.modules() if isinstance(part, NodeEncoder) for each in part.slow()}
    found: dict[tuple[bool, bool], list[nn.Parameter]] = {(False, True): [], (False, False): []}
    found |= {(True, True): [], (True, False): []} if slow else {}
    for each in module.parameters():
        if each.requires_grad:
            found[id(each) in slow, id(each) in matrices].append(each)
    return [
        {
            "params": parameters,
            "lr": learning_rate * (SLOW if slowly else 1.0),
            "weight_decay": weight_decay if decays else 0.0,
        }
        for (slowly, decays), parameters in found.items()
    ]
