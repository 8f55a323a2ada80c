from typing import Any

import numpy as np
import pytest
import torch

from gnnfuse.nodes import Features, NodeSet
from gnnfuse.sample import Rows, Sample, SignalError

RANDOM = np.random.default_rng(0)


def nodes_of(node_type: Features, value: object) -> NodeSet:
    nodes = node_type.nodes(Sample({"sensor": value}, id="seven"))
    assert nodes is not None
    return nodes


def refused(node_type: Features, value: object, message: str) -> None:
    with pytest.raises(SignalError, match=rf"sample 'seven', signal 'sensor': found {message}"):
        nodes_of(node_type, value)


def test_rows_become_nodes_and_absent_rows_no_node_set() -> None:
    rows = torch.rand(4, 3)
    nodes = nodes_of(Features(signal="sensor", width=3), rows)
    assert torch.equal(nodes.values, rows)
    assert (nodes.shape, nodes.position, nodes.time) == ((4,), None, None)
    assert Features(signal="sensor", width=3).nodes(Sample({})) is None


def test_it_provides_what_its_arguments_say() -> None:
    assert Features(signal="sensor", width=3).provides == {"features"}
    everything = Features(signal="sensor", width=3, ordered=True, timed=True, coordinates=2)
    assert everything.provides == {"features", "order", "time", "position"}


def test_fitting_learns_mean_and_scale_of_each_feature_over_all_rows() -> None:
    tables = [RANDOM.normal(5, 3, (count, 2)) for count in (1, 4, 2)]
    samples = [Sample({"sensor": table}) for table in tables]
    fitted = Features(signal="sensor", width=2).fit([*samples, Sample({})])
    rows = np.concatenate(tables).astype(np.float32)
    assert fitted.mean is not None
    assert fitted.scale is not None
    np.testing.assert_allclose(fitted.mean, rows.astype(np.float64).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(fitted.scale, rows.astype(np.float64).std(axis=0), rtol=1e-6)
    scaled = torch.cat([nodes_of(fitted, table).values for table in tables])
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(2), rtol=0, atol=1e-5)
    torch.testing.assert_close(scaled.std(dim=0, correction=0), torch.ones(2), rtol=0, atol=1e-5)


def test_a_constant_feature_is_centred_and_left_unscaled() -> None:
    for constant in (0.0, 3.7, 1e6):
        fitted = Features(signal="sensor", width=1).fit([Sample({"sensor": np.full((5, 1), constant)})])
        assert fitted.scale == (1.0,)
        assert not nodes_of(fitted, np.full((2, 1), constant)).values.any()


def test_fitting_changes_the_copy_only() -> None:
    features = Features(signal="sensor", width=1)
    assert features.fit([Sample({"sensor": [[1.0], [2.0]]})]) is not features
    assert features.mean is None
    untouched = Features(signal="sensor", width=1, standardise=False)
    assert untouched.fit([Sample({})]) is untouched


def test_fitting_on_nothing_is_refused() -> None:
    for samples in ([], [Sample({})], [Sample({"sensor": np.zeros((0, 2))})]):
        with pytest.raises(ValueError, match=r"node type 'sensor': no training sample has signal 'sensor'"):
            Features(signal="sensor", width=2).fit(samples)


def test_mean_and_scale_may_be_given_alone() -> None:
    assert nodes_of(Features(signal="sensor", width=1, mean=(1.0,)), [[3.0]]).values.tolist() == [[2.0]]
    assert nodes_of(Features(signal="sensor", width=1, scale=(2.0,)), [[3.0]]).values.tolist() == [[1.5]]


def test_rows_that_lack_what_was_promised_are_refused() -> None:
    values = torch.zeros(2, 1)
    timed = Features(signal="sensor", width=1, timed=True)
    placed = Features(signal="sensor", width=1, coordinates=2)
    refused(timed, values, "rows without a time, expected a time for every row")
    refused(placed, values, "rows without a position, expected a position for every row")
    refused(placed, Rows(values, position=torch.zeros(2, 3)), r"position of shape \(2, 3\), expected \[2, 2\]")


def test_rows_with_more_than_was_promised_are_refused() -> None:
    plain = Features(signal="sensor", width=1)
    refused(plain, Rows(torch.zeros(2, 1), time=torch.zeros(2)), "rows with a time, expected none")
    refused(plain, Rows(torch.zeros(2, 1), position=torch.zeros(2, 2)), "rows with a position, expected none")


def test_rows_of_another_width_are_refused() -> None:
    refused(Features(signal="sensor", width=2), torch.zeros(2, 3), r"values of shape \(2, 3\), expected \[nodes, 2\]")


def test_truncating_keeps_the_first_rows_with_their_times_and_positions() -> None:
    rows = Rows(torch.arange(5.0).reshape(5, 1), time=torch.arange(5.0), position=torch.arange(10.0).reshape(5, 2))
    nodes = nodes_of(Features(signal="sensor", width=1, timed=True, coordinates=2, max_nodes=2), rows)
    assert (nodes.values.flatten().tolist(), nodes.dropped) == ([0.0, 1.0], 3)
    assert nodes.time is not None
    assert nodes.position is not None
    assert nodes.time.tolist() == [[0.0, 0.0], [1.0, 1.0]]
    assert nodes.position.tolist() == [[0.0, 1.0], [2.0, 3.0]]


def test_pooled_rows_span_all_their_times_in_any_order() -> None:
    rows = Rows(torch.arange(3.0).reshape(3, 1), time=torch.tensor([[4.0, 9.0], [0.0, 1.0], [7.0, 8.0]]))
    nodes = nodes_of(Features(signal="sensor", width=1, timed=True, max_nodes=2, overflow="pool"), rows)
    assert nodes.values.flatten().tolist() == [0.5, 2.0]
    assert nodes.time is not None
    assert nodes.time.tolist() == [[0.0, 9.0], [7.0, 8.0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "width must be at least 1"),
        ({"width": 1, "coordinates": -1}, "coordinates at least 0"),
        ({"width": 2, "mean": (1.0,)}, "mean has 1 numbers, expected 2"),
        ({"width": 1, "scale": (1.0, 2.0)}, "scale has 2 numbers, expected 1"),
        ({"width": 1, "scale": (0.0,)}, "scale must be above 0, found 0"),
        ({"width": 1, "max_nodes": 0}, "max_nodes must be at least 1"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Features(signal="sensor", **arguments)


def test_noise_is_in_units_of_the_scaled_features_and_leaves_times_and_positions() -> None:
    rows = Rows(torch.zeros(2000, 1), time=torch.arange(2000.0), position=torch.ones(2000, 2))
    features = Features(signal="sensor", width=1, timed=True, coordinates=2, scale=(10.0,), noise=0.5, max_nodes=None)
    sample = features.augment(Sample({"sensor": rows}), torch.Generator().manual_seed(0))
    plain, noisy = nodes_of(features, rows), features.nodes(sample)
    assert noisy is not None
    assert abs(float((noisy.values - plain.values).std()) - 0.5) < 0.05
    assert plain.time is not None
    assert noisy.time is not None
    assert torch.equal(noisy.time, plain.time)
    assert plain.position is not None
    assert noisy.position is not None
    assert torch.equal(noisy.position, plain.position)


def test_noise_on_numbers_with_an_offset_is_the_noise_without_it() -> None:
    plain = [Sample({"sensor": [[float(n * 7 % 60)]]}) for n in range(50)]
    moved = [Sample({"sensor": np.array([[1.7e9 + n * 7 % 60]])}) for n in range(50)]
    noisy = Features(signal="sensor", width=1, noise=0.1)
    found = []
    for samples in (plain, moved):
        fitted = noisy.fit(samples)
        generator = torch.Generator().manual_seed(0)
        found.append(
            torch.cat([nodes_of(fitted, fitted.augment(s, generator).signals["sensor"]).values for s in samples])
        )
    torch.testing.assert_close(found[1], found[0], rtol=1e-6, atol=1e-6)
