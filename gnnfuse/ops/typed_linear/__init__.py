"""One linear map per type, over rows ordered by type."""

from gnnfuse.ops.typed_linear.typed_linear import typed_linear

__all__ = ["typed_linear"]
