"""The infrastructure of the CPU kernels: memory, threads, and code shared between numba kernels."""
