"""Undocumented names of numba and llvmlite that the CPU kernels need and that another release may drop.

If one is missing, the kernels are compiled by `numba.njit` alone, with a warning: they run slower and are recompiled in
every process.
"""

from collections.abc import Iterable
from importlib import import_module
from operator import attrgetter

PRIVATE_NAMES = {
    "numba.core.caching:FunctionCache.load_overload": "machine code on disk that may be damaged",
    "numba.core.caching:FunctionCache.save_overload": "machine code on a disk that may be full",
    "numba.core.caching:FunctionCache.flush": "an empty index over a damaged one",
    "numba.core.caching:FunctionCache.disable": "leaving a disk alone that cannot be used",
    "numba.core.caching:FunctionCache.cache_path": "naming the folder",
    "numba.core.caching:IndexDataCacheFile": "machine code shared between checkouts of the same source",
    "numba.core.codegen:JITCodeLibrary.enable_object_caching": "keeping kernels with such parts",
    "numba.core.codegen:JITCodeLibrary.get_pointer_to_function": "the address that OpenMP's threads call",
    "numba.core.codegen:JITCodeLibrary._optimize_final_module": "parts that are not optimised alone",
    "numba.core.codegen:JITCodeLibrary._finalize_final_module": "parts without machine code",
    "numba.core.codegen:JITCodeLibrary._finalize_dynamic_globals": "parts without machine code",
    "numba.core.compiler:CompilerBase.define_pipelines": "parts with a library of their own",
    "numba.core.compiler:DefaultPassBuilder.define_nopython_pipeline": "parts with a library of their own",
    "numba.core.compiler:Flags.no_cpython_wrapper": "kernels that only threads call",
    "numba.core.compiler:Flags.no_cfunc_wrapper": "kernels that C does not call",
    "numba.core.compiler:Flags.forceinline": "parts inside their kernels",
    "numba.core.compiler_machinery:LoweringPass": "parts with a library of their own",
    "numba.core.compiler_machinery:register_pass": "parts with a library of their own",
    "numba.core.compiler_machinery:PassManager.add_pass_after": "parts with a library of their own",
    "numba.core.typed_passes:IRLegalization": "the step before which a part's library is chosen",
    "numba.core.callconv:BaseCallConv._get_arg_packer": "calling a kernel from machine code",
    "numba.core.callconv:CPUCallConv.get_function_type": "calling a kernel from machine code",
    "numba.core.cgutils:alloca_once": "what threads share",
    "numba.core.cgutils:gep_inbounds": "what threads share",
    "numba.core.cgutils:unpack_tuple": "a kernel's arguments",
    "llvmlite.ir:IRBuilder.atomic_rmw": "threads that take turns",
    "llvmlite.ir:IRBuilder.shuffle_vector": "vectors",
    "llvmlite.ir:LiteralStructType": "what threads share",
    "llvmlite.ir:Type.as_pointer": "typed pointers, which LLVM has given up",
    "llvmlite.ir:VectorType": "vectors",
    "llvmlite.ir:Undefined": "vectors",
}


def missing_names(names: Iterable[str]) -> list[str]:
    """The names, written `module:path.of.attributes`, that do not exist.

    Example:
        >>> missing_names(["math:pi", "math:no.such", "no_such_module:name"])
        ['math:no.such', 'no_such_module:name']
    """
    return [name for name in names if not _is_there(name)]


def _is_there(name: str) -> bool:
    module, path = name.split(":")
    try:
        attrgetter(path)(import_module(module))
    except (ImportError, AttributeError):
        return False
    return True
