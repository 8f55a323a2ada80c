"""The width of a model by its number of parameters, and models made from a builder."""

import pytest
import torch

from gnnfuse import catalog
from gnnfuse.fusion import Concat, FusionModel, GraphFusion, Unimodal
from gnnfuse.fusion.width import width_for
from gnnfuse.message_passing import HGT
from gnnfuse.testing import example_builder


def trainable(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@pytest.mark.parametrize("name", catalog.names("model"))
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
    with pytest.raises(ValueError, match=r"found parameters=10, expected .* the nearest are [\d,]+ \(dim=4\)"):
        Concat.of(example_builder(), depth=1, parameters=10)
    with pytest.raises(ValueError, match="found dim=8 and parameters=60000, expected one of them"):
        Concat.of(example_builder(), dim=8, parameters=60_000)


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
