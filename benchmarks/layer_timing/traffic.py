"""Bytes that PyTorch's operators read and write."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

UNWRITTEN = ("empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided")  # memory is taken, not written


class Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own hook has no types
    """Counts, for every operator within, each of its tensors once: operands as read, results as written.

    So a fused kernel counts what it cannot avoid, and a chain of small operators all that it hands on. Views count
    nothing, an operand changed in place counts twice, an expanded one as much as is stored of it. What caches save or
    what a kernel reads again is not seen, nor is what a library's operator does inside.

    Attributes:
        bytes: the sum so far.

    Example:
        >>> with Traffic() as traffic:
        ...     _ = torch.ones(10) + torch.ones(10)
        >>> traffic.bytes  # two tensors are written, then read, and a third one written
        200
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and call."""
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in UNWRITTEN:
            return result
        operands = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        results = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        stored = {tensor.untyped_storage().data_ptr() for tensor in operands}
        same = [tensor.untyped_storage().data_ptr() in stored for tensor in results]
        if results and all(same) and not func._schema.is_mutable:
            return result  # a view
        self.bytes += sum(stored_bytes(tensor) for tensor in (*operands, *results))
        return result


def stored_bytes(tensor: Tensor) -> int:
    """Of the different numbers in a tensor."""
    count = tensor.itemsize
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        count *= size if stride or not size else 1
    return count


def count_bytes(forward: Callable[[], Any], backward: Callable[[Any], Any]) -> tuple[int, int]:
    """Of the forward pass, and of both."""
    with Traffic() as traffic:
        outputs = forward()
        before = traffic.bytes
        backward(outputs)
    return before, traffic.bytes
