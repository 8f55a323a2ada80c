"""The functions of `numba_vectors` for vectors of one lane, which are numbers."""

from typing import Any

from gnnfuse.ops.cpu.numba_compile import inlined


@inlined
def vector_at(array: Any, index: Any, lanes: Any) -> Any:
    """The number at an index."""
    return array[index]


@inlined
def put(array: Any, index: Any, number: Any) -> None:
    """Write a number."""
    array[index] = number


@inlined
def all_lanes(number: Any, lanes: Any) -> Any:
    """The number."""
    return number


@inlined
def repeated(number: Any, times: Any) -> Any:
    """The number."""
    return number


@inlined
def summed(number: Any, length: Any) -> Any:
    """The number."""
    return number


@inlined
def larger(left: Any, right: Any) -> Any:
    """The left number if it is larger, else the right one."""
    return left if left > right else right


@inlined
def inverted(number: Any) -> Any:
    """1 over the number, and 0 for 0."""
    return 1 / number if number != 0 else 0.0
