import pytest
import torch

from gnnfuse.graph import Relation
from gnnfuse.message_passing import RGCN

RELATIONS = [Relation("text", name, "text") for name in "abcdefg"]


def test_relations_share_the_bases() -> None:
    sizes = {
        bases: sum(p.numel() for p in RGCN(8, ["text"], RELATIONS, num_bases=bases).parameters()) for bases in (1, 3)
    }
    assert sizes[3] - sizes[1] == 2 * (8 * 8 + len(RELATIONS))
    assert RGCN(8, ["text"], RELATIONS).neighbours.shape == (7, 8, 8)


def test_without_relations_there_is_the_node_itself() -> None:
    layer = RGCN(8, ["text"], [], num_bases=2)
    assert layer.shares is not None
    assert layer.shares.shape == (0, 2)
    assert all(bool(parameter.isfinite().all()) for parameter in layer.parameters() if parameter.numel())
    assert torch.is_tensor(RGCN(8, ["text"], []).neighbours)


def test_no_bases_are_too_few() -> None:
    with pytest.raises(ValueError, match="num_bases must be at least 1 or None, found 0"):
        RGCN(8, ["text"], RELATIONS, num_bases=0)
