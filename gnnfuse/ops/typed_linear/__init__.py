"""One linear map per type, over rows that lie type by type."""

from gnnfuse.ops.typed_linear.typed_linear import typed_linear

__all__ = ["typed_linear"]
