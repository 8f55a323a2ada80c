import math

import torch

from gnnfuse.nodes import PositionEncoding


def test_it_maps_sines_and_cosines_of_each_coordinate_at_geometrically_spaced_periods() -> None:
    encoding = PositionEncoding(6, coordinates=2, periods=(1.0, 8.0), frequencies=4)
    position = torch.rand(3, 2)
    expected = []
    for row in position.tolist():
        features = []
        for coordinate in row:
            angles = [2 * math.pi * coordinate / period for period in (8.0, 4.0, 2.0, 1.0)]
            features += [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
        expected.append(features)
    torch.testing.assert_close(encoding(position), torch.tensor(expected) @ encoding.linear.weight.T)


def test_nodes_at_one_place_are_encoded_alike_and_apart_from_others() -> None:
    encoding = PositionEncoding(8, coordinates=1)
    first, second, other = encoding(torch.tensor([[0.25], [0.25], [0.3]]))
    assert torch.equal(first, second)
    assert not torch.allclose(first, other)


def test_the_periods_are_no_parameters_and_are_not_saved() -> None:
    encoding = PositionEncoding(8, coordinates=1)
    assert set(encoding.state_dict()) == {"linear.weight"}


def test_whole_numbers_are_encoded_as_the_same_floats() -> None:
    encoding = PositionEncoding(8, coordinates=1, periods=(2.0, 2048.0))
    index = torch.arange(5).unsqueeze(1)
    assert torch.equal(encoding(index), encoding(index.float()))
