"""Vectors inside numba kernels, or single numbers instead if numba cannot be extended by vectors."""

from gnnfuse.ops.cpu.numba_compile import PLAIN

if PLAIN:
    from gnnfuse.ops.cpu.numba_scalars import all_lanes, inverted, larger, put, repeated, summed, vector_at
else:
    from gnnfuse.ops.cpu.numba_vectors import all_lanes, inverted, larger, put, repeated, summed, vector_at

__all__ = ["PLAIN", "all_lanes", "inverted", "larger", "put", "repeated", "summed", "vector_at"]
