"""Runs kernels on PyTorch's OpenMP threads without Python in between.

A kernel that Python calls on every thread waits for the interpreter's lock: two threads took 0.04 ms to start, a
quarter of the time for summing 6 MB. Here OpenMP calls machine code that takes shares of the work by itself.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils as untyped
from numba.extending import intrinsic

from gnnfuse.ops.cpu.numba_compile import compiled

cgutils: Any = untyped
ADDRESSES: dict[Any, int] = {}
INT64, BYTES = ir.IntType(64), ir.IntType(8).as_pointer()


def run_on_team(context: Any, team: Any, kernel: Any, threads: Any, turns: Any, chunks: Any, arguments: Any) -> Any:
    """Call `kernel(first, last, *arguments)` over all chunks in turns; returns whether a call failed.

    `team` is the address of GOMP_parallel, 0 for the calling thread alone, and `kernel` that of a compiled kernel for
    these arguments.
    """
    kinds = (types.int64, types.int64, *arguments.types)
    signature = types.boolean(team, kernel, threads, turns, chunks, arguments)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        team, kernel, _, turns, chunks, packed = values
        convention = context.call_conv
        callee = convention.get_function_type(types.none, kinds).as_pointer()
        # Shared by the threads: the next turn, whether a call failed, turns, chunks, the kernel, its arguments.
        shared = ir.LiteralStructType([INT64, INT64, INT64, INT64, callee, packed.type])
        place = cgutils.alloca_once(builder, shared)
        zero = ir.Constant(INT64, 0)
        parts = zero, zero, turns, chunks, builder.inttoptr(kernel, callee), packed
        for number, part in enumerate(parts):
            builder.store(part, cgutils.gep_inbounds(builder, place, 0, number))
        serve = serving(context, builder.module, shared, kinds)
        start = ir.FunctionType(ir.VoidType(), [serve.type, BYTES, ir.IntType(32), ir.IntType(32)])
        threads = builder.trunc(values[2], ir.IntType(32))
        data = builder.bitcast(place, BYTES)
        with builder.if_else(builder.icmp_signed("==", team, zero)) as (alone, together):
            with alone:
                builder.call(serve, [data])
            with together:
                flags = ir.Constant(ir.IntType(32), 0)
                builder.call(builder.inttoptr(team, start.as_pointer()), [serve, data, threads, flags])
        failed = builder.load(cgutils.gep_inbounds(builder, place, 0, 1))
        return builder.icmp_signed("!=", failed, zero)

    return signature, generate


def serving(context: Any, module: Any, shared: Any, kinds: Any) -> Any:
    """The function that every thread calls: it takes turns until none is left."""
    name = f"serve_{len(module.functions)}"
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [BYTES]), module.get_unique_name(name))
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    place = builder.bitcast(function.args[0], shared.as_pointer())
    counter, failed = (cgutils.gep_inbounds(builder, place, 0, number) for number in range(2))
    turns, chunks, kernel, packed = (
        builder.load(cgutils.gep_inbounds(builder, place, 0, number)) for number in range(2, 6)
    )
    result = builder.alloca(ir.IntType(8).as_pointer())
    error = builder.alloca(context.call_conv.get_function_type(types.none, kinds).args[1].pointee)
    arguments = cgutils.unpack_tuple(builder, packed)
    take, call, done = (function.append_basic_block(name) for name in ("take", "call", "done"))
    builder.branch(take)
    builder.position_at_end(take)
    turn = builder.atomic_rmw("add", counter, ir.Constant(INT64, 1), "monotonic")
    builder.cbranch(builder.icmp_signed("<", turn, turns), call, done)
    builder.position_at_end(call)
    after = builder.add(turn, ir.Constant(INT64, 1))
    first, last = (builder.sdiv(builder.mul(chunks, number), turns) for number in (turn, after))
    packer = context.call_conv._get_arg_packer(kinds)
    code = builder.call(kernel, [result, error, *packer.as_arguments(builder, [first, last, *arguments])])
    with builder.if_then(builder.icmp_signed("!=", code, ir.Constant(code.type, 0)), likely=False):
        builder.store(ir.Constant(INT64, 1), failed)
    builder.branch(take)
    builder.position_at_end(done)
    builder.ret_void()
    return function


on_team: Any = intrinsic(run_on_team)


@compiled
def team_kernel(team: int, kernel: int, threads: int, turns: int, chunks: int, *arguments: Any) -> bool:
    """As `run_on_team`."""
    return bool(on_team(team, kernel, threads, turns, chunks, arguments))


def call_on_team(team: int, kernel: Any, threads: int, turns: int, chunks: int, *arguments: Any) -> None:
    """Call a compiled kernel as `kernel(first, last, *arguments)` over all chunks, on several threads.

    Args:
        team: address of `GOMP_parallel`, or 0 for the calling thread alone.
        kernel: a result of `compiled`.
        threads: number of threads, including the calling one.
        turns: number of shares in which the chunks are taken.
        chunks: number of chunks.
        arguments: the kernel's other arguments.

    Raises:
        MemoryError: the kernel could not allocate its scratch memory.
    """
    # The machine code is looked up again only if these differ.
    address = address_of(kernel, tuple([kind_of(argument) for argument in arguments]), arguments)
    if team_kernel(team, address, threads, turns, chunks, *arguments):
        raise MemoryError(f"{kernel.__name__} found no memory for its scratch rows")


def kind_of(argument: Any) -> object:
    """A key that differs for arguments that need different machine code."""
    if type(argument) is np.ndarray:
        return argument.dtype, argument.ndim, argument.flags.num
    return type(argument)


def address_of(kernel: Any, kinds: object, arguments: tuple[Any, ...]) -> int:
    """The address of the kernel's machine code for such arguments, compiled now if it was not before.

    `kinds` are the arguments' keys; calls with equal keys get the machine code of the first.
    """
    address = ADDRESSES.get((kernel, kinds))
    if address is None:
        signature = tuple(map(numba.typeof, (0, 0, *arguments)))
        kernel.compile(signature)
        machine = kernel.overloads[signature]
        address = int(machine.library.get_pointer_to_function(machine.fndesc.llvm_func_name))
        ADDRESSES[kernel, kinds] = address
    return address
