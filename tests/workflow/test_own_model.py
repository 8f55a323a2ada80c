"""Models of one's own by name, whatever sizes they take."""

from collections.abc import Mapping, Sequence

import pytest
from torch import Tensor

from gnnfuse import catalog
from gnnfuse.fusion import FusionModel
from gnnfuse.fusion.fusion_model import Family
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import NodeType, TextTokens
from gnnfuse.ops import segment_reduce
from gnnfuse.readout import Fused
from gnnfuse.workflow.models import ModelName, make_model


class Summed(FusionModel):
    """Has no depth."""

    family: Family = "classical"  # type: ignore[misc]  # of the class

    def __init__(self, node_types: Sequence[NodeType], dim: int = 16) -> None:
        super().__init__(node_types, dim)

    def fuse(self, states: Mapping[str, Tensor], batch: GraphBatch) -> Fused:
        layout = batch.layout["text"]
        return Fused(segment_reduce(states["text"], layout.graph_id, len(batch)))


def test_a_model_without_depth_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "load", lambda kind, name: Summed)
    model = make_model(ModelName("summed"), GraphBuilder([TextTokens()]), dim=8, depth=3, seed=0)
    assert isinstance(model, Summed)
    assert model.dim == 8
