"""The width of a model by its number of parameters, and models made from a builder."""

import resource
from functools import partial

import pytest
import torch
from torch_geometric.nn import SAGEConv

from gnnfuse import catalog
from gnnfuse.fusion import Concat, FusionModel, GraphFusion, PooledStates, Unimodal
from gnnfuse.fusion.width import width_for
from gnnfuse.message_passing import HGT, NearestStates, PyGLayer, RelationAttention
from gnnfuse.readout import AttentionReadout, MeanReadout
from gnnfuse.testing import example_builder


def trainable(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


SIZED = [name for name in catalog.names("model") if name != "pooled"]


def test_a_model_that_learns_nothing_has_no_size_to_choose() -> None:
    for size in ("dim", "depth", "parameters"):
        with pytest.raises(ValueError, match=f"PooledStates has no {size} to choose, found {size}=8, expected none"):
            PooledStates.of(example_builder(), **{size: 8})


@pytest.mark.parametrize("name", SIZED)
def test_every_model_has_about_as_many_parameters_as_asked_for(name: str) -> None:
    kind = catalog.load("model", name)
    assert isinstance(kind, type)
    assert issubclass(kind, FusionModel)
    builder = example_builder()
    options = next(iter(kind.variants(builder.modalities).values()), {})
    model = kind.of(builder, depth=1, parameters=300_000, **options)
    off = abs(trainable(model) - 300_000)
    assert off <= 15_000
    for other in (model.dim - kind.width_step({}), model.dim + kind.width_step({})):
        assert abs(trainable(kind.of(builder, depth=1, dim=other, **options)) - 300_000) >= off


def test_the_width_is_the_best_of_all_multiples() -> None:
    for step in (1, 4, 8):
        for parameters in (2_000, 50_000, 1_234_567):
            sizes = {width: 3 * width * width + 100 * width + 50 for width in range(step, 2000, step)}
            best = min(sizes, key=lambda width: abs(sizes[width] - parameters))
            if abs(sizes[best] - parameters) <= 0.05 * parameters:
                assert width_for(parameters, sizes.__getitem__, step=step) == best


def test_few_models_are_made_on_the_way() -> None:
    made: list[int] = []

    def count(width: int) -> int:
        made.append(width)
        return 12 * width * width + 1000 * width

    width_for(100_000_000, count, step=8)
    assert len(made) <= 15


def test_what_no_width_meets_is_refused_with_the_nearest_sizes() -> None:
    with pytest.raises(ValueError, match=r"found parameters=10, expected .* the nearest are [\d,]+ \(dim=4\) and"):
        Concat.of(example_builder(), depth=1, parameters=10)
    with pytest.raises(ValueError, match="found dim=8 and parameters=60000, expected one of them"):
        Concat.of(example_builder(), dim=8, parameters=60_000)


@pytest.mark.usefixtures("unchecked")  # which would refuse what is no int first
@pytest.mark.parametrize("parameters", [0, -5, float("nan"), float("inf")])
def test_what_is_no_number_of_parameters_is_refused(parameters: int) -> None:
    with pytest.raises(ValueError, match=f"found parameters={parameters}, expected a positive number"):
        Concat.of(example_builder(), depth=1, parameters=parameters)


def test_a_number_beyond_all_widths_is_refused_and_takes_no_memory() -> None:
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"the nearest are [\d,]+ \(dim=16380\) and [\d,]+ \(dim=16384\)"):
        GraphFusion.of(example_builder(), depth=2, parameters=10**12)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - largest < 200_000  # KiB


def test_a_model_that_does_not_grow_with_its_width_ends_the_search() -> None:
    with pytest.raises(ValueError, match=r"nearest are 7 \(dim=16383\) and 7 \(dim=16384\)"):
        width_for(1000, lambda width: 7, step=1)


def test_the_two_nearest_sizes_are_named_at_the_lower_end_too() -> None:
    with pytest.raises(ValueError, match=r"nearest are 16 \(dim=4\) and 64 \(dim=8\)"):
        width_for(3, lambda width: width * width, step=4)


def test_the_heads_within_a_layer_divide_the_width() -> None:
    layer = partial(NearestStates, layer=partial(RelationAttention, heads=6))
    model = GraphFusion.of(example_builder(), depth=1, parameters=1_000_000, layer=layer)
    assert model.dim % 6 == 0


def test_what_has_a_size_of_its_own_is_named() -> None:
    builder = example_builder()
    message = (
        r"found readout=AttentionReadout\(...\) of size 64, which cannot vary with the width, expected dim= instead"
    )
    with pytest.raises(ValueError, match=message):
        GraphFusion.of(builder, parameters=300_000, readout=AttentionReadout(64))
    layer = partial(PyGLayer, conv=partial(SAGEConv, (8, 8), 8))
    with pytest.raises(ValueError, match=r"found that dim=\d+ fails \(conv=SAGEConv.* fails on states of size"):
        GraphFusion.of(builder, depth=1, parameters=300_000, layer=layer)
    assert GraphFusion.of(builder, depth=1, parameters=300_000, readout=MeanReadout()).dim > 8


def test_the_seed_alone_draws_the_weights() -> None:
    torch.manual_seed(0)
    found = GraphFusion.of(example_builder(), depth=1, parameters=300_000)
    torch.manual_seed(0)
    expected = GraphFusion.of(example_builder(), depth=1, dim=found.dim)
    assert all(torch.equal(found.state_dict()[name], tensor) for name, tensor in expected.state_dict().items())


def test_options_are_passed_on() -> None:
    builder = example_builder()
    assert isinstance(GraphFusion.of(builder, dim=8, depth=2, layer=HGT).layers[1], HGT)
    assert Unimodal.of(builder, dim=8, modality="text").depth == 3
