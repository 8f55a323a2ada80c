"""Summaries side by side, scaled by the training rows that have them."""

import pytest
import torch
from torch import Tensor

from gnnfuse.fusion import PooledStates
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import Features, Hub, TextTokens
from gnnfuse.sample import Sample

BUILDER = GraphBuilder([Features(signal="a", width=2, standardise=False), TextTokens(name="b", signal="b"), Hub()])
ROWS = [
    Sample({"a": torch.tensor([[1.0, 5.0], [3.0, 5.0]]), "b": "one"}),
    Sample({"a": torch.tensor([[6.0, 5.0]])}),
    Sample({"b": "two"}),
]


def batch(*rows: Sample) -> GraphBatch:
    return BUILDER(rows or ROWS, empty=True)


def fitted() -> PooledStates:
    plain, model = PooledStates.of(BUILDER, standardised=False), PooledStates.of(BUILDER)
    columns, absent = torch.split(plain(batch()), [sum(plain.widths), 2], dim=1)
    model.fit(columns, absent == 0)
    return model


def test_before_it_is_fitted_the_vector_holds_the_summaries_and_the_absent_modalities() -> None:
    model = PooledStates.of(BUILDER)
    found = model(batch())
    assert found.shape == (3, model.dim)
    assert found[:, :2].tolist() == [[2.0, 5.0], [6.0, 5.0], [0.0, 0.0]]
    assert found[:, -2:].tolist() == [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]


def test_columns_have_mean_0_and_scale_1_over_the_rows_that_have_them() -> None:
    found = fitted()(batch())
    assert found[:2, 0].tolist() == [-1.0, 1.0]  # 2 and 6; the third row is not counted
    assert found[:2, 1].tolist() == [0.0, 0.0]  # constant


def test_an_absent_modality_stands_at_the_mean() -> None:
    found = fitted()(batch())
    assert not found[1, 2:-2].any()
    assert not found[2, :2].any()


def test_counts_of_runs_share_one_scale() -> None:
    model = fitted()
    scale: Tensor = model.scale[2:]
    assert torch.equal(scale, scale[:1].expand_as(scale))
    assert abs(float(model(batch())[[0, 2], 2:-2].var(dim=0, correction=0).mean()) - 1) < 1e-5


def test_without_standardising_fitting_changes_nothing() -> None:
    model = PooledStates.of(BUILDER, standardised=False)
    before = model(batch())
    model.fit(before[:, :-2], torch.ones(3, 2, dtype=torch.bool))
    assert torch.equal(model(batch()), before)


def test_node_types_without_a_summary_are_left_out_and_some_is_needed() -> None:
    assert PooledStates.of(BUILDER).modalities == ("a", "b")
    with pytest.raises(ValueError, match=r"no node type with a summary .* among none"):
        PooledStates([Hub()])
