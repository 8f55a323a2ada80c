"""What can be described is built again as it was; what cannot says why."""

import json
from functools import partial

import pytest
import torch
from torch import nn

from gnnfuse.edges import Relation, Window
from gnnfuse.message_passing import RelationAttention
from gnnfuse.nodes import ImageFlip, ImagePatches, ImageShift, InTurn
from gnnfuse.saving import build, describe
from gnnfuse.saving.describe import Json


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        0.1,
        float("inf"),
        "text",
        (1, (2.5, "a")),
        [1, (2,)],
        {"a": (1, None)},
        frozenset({"x", "y"}),
        Relation("text", "window", "text"),
        Window(size=3),
        ImagePatches(patch=8, augmentation=InTurn((ImageShift(2), ImageFlip()))),
        RelationAttention,
    ],
)
def test_described_and_built_again(value: object) -> None:
    found = build(json.loads(json.dumps(describe(value), allow_nan=False)))
    assert found == value
    assert type(found) is type(value)


def test_a_partial_is_built_again() -> None:
    found = build(json.loads(json.dumps(describe(partial(RelationAttention, 8, heads=2)))))
    assert isinstance(found, partial)
    assert (found.func, found.args, found.keywords) == (RelationAttention, (8,), {"heads": 2})


class Forgetful:
    def __init__(self, size: int) -> None:
        pass


class Collecting:
    def __init__(self, *sizes: int) -> None:
        self.sizes = sizes


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Forgetful(3), "does not keep its argument 'size'"),
        (Collecting(3), r"takes \*sizes"),
        ((1, torch.zeros(2)), r"tuple\[1\]: found a Tensor"),
        (print, "found function <built-in function print>"),
        (partial(print, 1), "expected a partial of a class"),
        ({1: "a"}, "expected strings as keys"),
        (nn.Linear(2, 2), "does not keep its argument 'device'"),
    ],
)
def test_what_cannot_be_described(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        describe(value)


@pytest.mark.parametrize(
    "place",
    [
        "os:system",
        "builtins:eval",
        "torch.nn.modules.linear:Linear",
        "gnnfuse.nodes.node_type:check_nodes",
        "gnnfuse.nodes.image_patches:F",
        "gnnfuse.saving.build:build",
        "gnnfuse.catalog:import_module",
        "tests.saving.test_describe:Forgetful",
        "nonsense",
    ],
)
def test_only_known_classes_are_built(place: str) -> None:
    cases: list[Json] = [{"class": place}, {"class": place, "arguments": {}}, {"partial": place, "arguments": {}}]
    for described in cases:
        with pytest.raises(ValueError, match="is not listed in the catalogue"):
            build(described)


def test_classes_of_the_caller() -> None:
    described: Json = {"class": f"{Collecting.__module__}:Collecting", "arguments": {}}
    assert isinstance(build(described, classes=[Collecting]), Collecting)


class Elsewhere:
    class Collecting:
        """Another class of that name."""


def collecting(*modules: str) -> Json:
    return [{"class": f"{module}:Collecting", "arguments": {}} for module in modules]


def test_a_class_that_has_moved_is_the_only_one_of_its_name_that_is_passed() -> None:
    here = Collecting.__module__
    for module in ("__main__", "old_place.of_mine"):
        found = build(collecting(module), classes=[Collecting, Forgetful])
        assert isinstance(found, tuple)
        assert [type(each) for each in found] == [Collecting]
    for described, classes in (
        (collecting("__main__"), [Forgetful]),
        (collecting("__main__"), [Collecting, Elsewhere.Collecting]),  # which of them?
        (collecting("__main__", here), [Collecting]),  # two classes were saved
        (collecting("__main__", "old_place"), [Collecting]),
        (collecting("gnnfuse.nodes.features"), [Collecting]),
    ):
        with pytest.raises(ValueError, match=rf":Collecting is not listed in the catalogue; .* \(found there: {here}:"):
            build(described, classes=classes)
    assert build(describe(Window()), classes=[type("Window", (), {})]) == Window()  # ours stays ours


def test_arguments_that_a_class_does_not_take() -> None:
    described: Json = {"class": "gnnfuse.edges.window:Window", "arguments": {"width": 3}}
    with pytest.raises(ValueError, match=r"gnnfuse.edges.window:Window cannot be built from the arguments width"):
        build(described)


def test_what_is_no_description() -> None:
    with pytest.raises(ValueError, match=r"expected a description from gnnfuse.saving.describe"):
        build({"call": "print"})


@pytest.mark.usefixtures("unchecked")
def test_names_in_place_of_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="found 'a:B' in classes=, expected classes: import it and pass the class"):
        build(describe(Window()), classes=["a:B"])  # type: ignore[list-item]
