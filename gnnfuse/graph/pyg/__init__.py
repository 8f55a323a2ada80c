"""PyTorch Geometric: the only folder that uses `HeteroData` and `Data`."""

from gnnfuse.graph.pyg.batches import from_pyg, to_pyg
from gnnfuse.graph.pyg.samples import samples_of

__all__ = ["from_pyg", "samples_of", "to_pyg"]
