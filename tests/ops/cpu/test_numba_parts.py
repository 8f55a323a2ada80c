"""Parts of kernels are compiled into them, and not for themselves."""

from typing import Any

import numpy as np
import pytest

numba_compile = pytest.importorskip("gnnfuse.ops.cpu.numba_compile")


def doubled(row: Any, place: Any) -> Any:
    return 2 * row[place]


def kernel_over(part: Any) -> Any:
    def total_kernel(row: Any) -> Any:
        total = 0.0
        for place in range(len(row)):
            total += part(row, place)
        return total

    return numba_compile.compiled(total_kernel)


def test_a_kernel_computes_with_its_parts() -> None:
    kernel = kernel_over(numba_compile.inlined(doubled))
    assert kernel(np.arange(5.0)) == 20.0
    assert kernel(np.arange(5)) == 20  # other types are compiled anew


def test_a_part_has_no_machine_code_of_its_own() -> None:
    part = numba_compile.inlined(doubled)
    kernel = kernel_over(part)
    kernel(np.arange(5.0))
    (compiled,) = part.overloads.values()
    (whole,) = kernel.overloads.values()
    assert not compiled.library._codegen._engine.is_symbol_defined(compiled.fndesc.llvm_func_name)
    assert whole.library._codegen._engine.is_symbol_defined(whole.fndesc.llvm_func_name)


def test_python_cannot_call_a_part() -> None:
    part = numba_compile.inlined(doubled)
    with pytest.raises(SystemError, match="without setting an exception"):
        part(np.arange(5.0), 1)
