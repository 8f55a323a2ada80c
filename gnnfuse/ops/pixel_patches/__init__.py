"""Cuts pictures of bytes into patches of floats."""

from gnnfuse.ops.pixel_patches.pixel_patches import pixel_patches

__all__ = ["pixel_patches"]
