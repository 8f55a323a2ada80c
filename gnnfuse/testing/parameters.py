"""Every parameter is registered, and every parameter gets a gradient."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn


def check_registered(name: str, module: nn.Module) -> None:
    """Refuse parameters and modules in plain lists, tuples, dicts and sets: no optimiser and no file would see them.

    Raises:
        AssertionError: names the attribute that holds one.

    Example:
        >>> linear = nn.Linear(2, 2)
        >>> linear.factors = [nn.Parameter(torch.zeros(3))]
        >>> check_registered("linear", linear)
        Traceback (most recent call last):
        ...
        AssertionError: linear: factors[0] holds a parameter that is not registered; use nn.ParameterList or ...
    """
    known = {id(parameter) for parameter in module.parameters()}
    for path, part in module.named_modules():
        for attribute, value in vars(part).items():
            if attribute.startswith("_") and attribute in vars(nn.Module()):
                continue
            for place, tensor in _tensors(".".join(filter(None, (path, attribute))), value):
                assert id(tensor) in known, (
                    f"{name}: {place} holds a parameter that is not registered; use nn.ParameterList or "
                    "nn.ModuleList (or their dicts) instead of a plain collection"
                )


def _tensors(place: str, value: object) -> Iterator[tuple[str, Tensor]]:
    match value:
        case Tensor() if value.requires_grad:
            yield place, value
        case nn.Module():
            for name, parameter in value.named_parameters():
                yield f"{place}.{name}", parameter
        case Mapping():
            for key, item in value.items():
                yield from _tensors(f"{place}[{key!r}]", item)
        case list() | tuple() | set() | frozenset():
            for number, item in enumerate(value):
                yield from _tensors(f"{place}[{number}]", item)


def check_gradients(name: str, module: nn.Module, output: Callable[[], Tensor], *, nonzero: bool = True) -> None:
    """Refuse a parameter that gets no gradient from a random weighted sum of the output.

    Args:
        name: for the message.
        module: the module whose parameters are checked.
        output: computes an output from them.
        nonzero: refuse a gradient of zeros too; otherwise it need only exist, as distributed training requires.

    Raises:
        AssertionError: names the parameter.
    """
    found = output()
    weights = torch.rand(found.shape, generator=torch.Generator().manual_seed(0)).to(found) + 0.5
    parameters = {key: tensor for key, tensor in module.named_parameters() if tensor.requires_grad}
    if not parameters:
        return
    assert found.requires_grad, f"{name}: the output depends on no parameter"
    gradients = torch.autograd.grad((found * weights).sum(), list(parameters.values()), allow_unused=True)
    for (key, tensor), gradient in zip(parameters.items(), gradients, strict=True):
        assert gradient is not None, f"{name}: parameter {key} gets no gradient, the output does not depend on it"
        assert bool(gradient.isfinite().all()), f"{name}: parameter {key} gets a gradient that is not finite"
        if nonzero and tensor.numel():
            assert bool(gradient.any()), f"{name}: the gradient of parameter {key} is all zero"
