"""TypedLinear against one product per node."""

import torch

from gnnfuse.message_passing.typed_linear import TypedLinear


def test_every_node_goes_through_the_map_of_its_type() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        linear = TypedLinear(3, 2, ["image", "text"]).double()
        states = torch.randn(5, 3, dtype=torch.float64)
    kinds = ["image", "image", "text", "text", "text"]
    maps = {kind: linear.linears.get_submodule(kind) for kind in kinds}
    with torch.no_grad():
        found = linear(states, {"image": slice(0, 2), "text": slice(2, 5)})
        for row, state, kind in zip(found, states, kinds, strict=True):
            expected = maps[kind](state)
            assert torch.allclose(row, expected, rtol=1e-12, atol=1e-12)


def test_a_type_without_nodes_still_depends_on_its_parameters() -> None:
    linear = TypedLinear(3, 2, ["image", "text"])
    linear(torch.ones(4, 3), {"image": slice(0, 0), "text": slice(0, 4)}).sum().backward()
    gradient = linear.linears.get_parameter("image.weight").grad
    assert gradient is not None
    assert not gradient.any()
