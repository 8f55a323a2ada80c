"""The machine room of the CPU kernels: memory, threads, and what is shared between numba kernels."""
