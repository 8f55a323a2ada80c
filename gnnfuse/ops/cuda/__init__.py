"""Code shared by several Triton kernels."""
