from typing import Any

import numpy as np
import pytest
import torch

from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NumberTarget, TargetEncoding
from gnnfuse.nodes import TextTokens
from gnnfuse.sample import Sample, class_name


def sample(target: object) -> Sample:
    return Sample({"text": "a"}, target=target, id="seven")


def refused(encoding: TargetEncoding, target: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"sample 'seven': found target .*{message}"):
        encoding.encode(sample(target))


def test_a_class_is_its_place_among_the_class_names() -> None:
    encoding = ClassTarget(("cat", "dog", "owl"))
    for target in ("owl", 2, np.int64(2), torch.tensor(2), np.str_("owl")):
        encoded = encoding.encode(sample(target))
        assert (encoded.dtype, encoded.shape, int(encoded)) == (torch.int64, (), 2)


def test_names_that_are_numbers_are_names() -> None:
    encoding = ClassTarget(("10", "2", "7"))
    assert int(encoding.encode(sample(10))) == 0
    assert int(encoding.encode(sample("2"))) == 1
    assert int(encoding.encode(sample(torch.tensor(7)))) == 2
    refused(encoding, 1, "expected one of the classes 10, 2, 7")


def test_without_classes_every_target_is_refused() -> None:
    refused(ClassTarget.fit([sample(float("nan"))]), float("nan"), "but there are no classes: no training sample has")


@pytest.mark.parametrize("target", ["cow", 3, -1, 0.0, "0", None, ["cat"], torch.tensor([0, 1]), True], ids=repr)
def test_what_names_no_class_is_refused_with_the_classes(target: object) -> None:
    refused(ClassTarget(("cat", "dog", "owl")), target, "expected one of the classes cat, dog, owl")


LARGE = 9007199254740993  # 2**53 + 1, which no float64 is
BY_VALUE: list[tuple[list[Any], tuple[str, ...]]] = [
    ([torch.tensor(k) for k in range(12)], tuple(map(str, range(12)))),
    ([torch.tensor([k]) for k in (10, 9)], ("9", "10")),
    ([np.int64(3), 3, 3.0, "3", "3.0", np.array([3]), torch.tensor(3.0)], ("3",)),
    ([True, np.False_, torch.tensor(True)], ("False", "True")),
    ([LARGE, np.int64(LARGE - 1), torch.tensor(LARGE)], (str(LARGE - 1), str(LARGE))),
    (["b", "a", np.str_("b"), None, float("nan")], ("a", "b")),
    (["10", "9", "007"], ("007", "10", "9")),
]


@pytest.mark.parametrize(("targets", "classes"), BY_VALUE, ids=[str(classes[:2]) for _, classes in BY_VALUE])
def test_classes_are_read_by_value_when_fitted_and_when_encoded(targets: list[Any], classes: tuple[str, ...]) -> None:
    encoding = ClassTarget.fit(map(sample, targets))
    assert encoding.classes == classes
    for target in targets:
        if target is not None and target == target:
            number = int(encoding.encode(sample(target)))
            assert classes[number] == class_name(target) == encoding.named(sample(target))


def test_classes_fitted_on_tensors_are_answered_by_their_own_names() -> None:
    samples = [sample(torch.tensor(k % 12)) for k in range(24)]
    encoding = ClassTarget.fit(samples)
    assert [encoding.classes[int(encoding.encode(each))] for each in samples] == [str(k % 12) for k in range(24)]


def test_classes_of_older_models_keep_their_order_and_are_found_by_value() -> None:
    old = ClassTarget(("0.0", "1.0", "10.0", "2.0"))  # sorted as texts, spelled as floats
    assert [int(old.encode(sample(target))) for target in ("10.0", 10.0, 10, "2", torch.tensor(1.0))] == [2, 2, 2, 3, 1]
    truths = ClassTarget(("false", "true"))
    assert [int(truths.encode(sample(target))) for target in (True, np.False_, "true")] == [1, 0, 1]


def test_a_collection_is_no_class() -> None:
    for target in (["cat"], torch.tensor([0, 1]), {"cat"}):
        with pytest.raises(
            ValueError, match=r"sample 'seven': target: found .*, expected one text, number or truth value"
        ):
            ClassTarget.fit([sample(target)])


def test_a_long_list_of_classes_is_cut_in_the_message() -> None:
    classes = tuple(f"c{number}" for number in range(50))
    refused(ClassTarget(classes), "d", r"c9, \.\.\. \(50 in all\)")


def test_classes_are_fitted_sorted_and_once() -> None:
    samples = [sample(target) for target in ("owl", "cat", None, "owl", "dog")]
    assert ClassTarget.fit(samples) == ClassTarget(("cat", "dog", "owl"))
    assert MultiLabelTarget.fit([sample(["owl", "cat"]), sample(()), sample(None)]).classes == ("cat", "owl")


@pytest.mark.parametrize("encoding", [ClassTarget, MultiLabelTarget])
def test_a_class_named_twice_is_refused(encoding: type[ClassTarget]) -> None:
    with pytest.raises(ValueError, match=r"class names must differ, found twice: \['cat'\]"):
        encoding(("cat", "dog", "cat"))


def test_several_classes_are_ones_at_their_places() -> None:
    encoding = MultiLabelTarget(("cat", "dog", "owl"))
    for target in (["owl", "cat"], ("cat", "owl"), {"owl", "cat"}, frozenset({0, 2}), ["cat", "cat", 2]):
        assert encoding.encode(sample(target)).tolist() == [1.0, 0.0, 1.0]
    assert encoding.encode(sample([])).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("target", ["cat", 1, None])
def test_several_classes_come_as_a_collection(target: object) -> None:
    refused(MultiLabelTarget(("cat", "dog")), target, "expected a list of class names")
    refused(MultiLabelTarget(("cat", "dog")), ["cat", "cow"], "expected one of the classes cat, dog")


@pytest.mark.parametrize("target", [[0, 1, 0], (0, 1, 0), [False, True, False], np.array([0.0, 1.0, 0.0])], ids=repr)
def test_multi_hot_lists_are_read_by_place(target: Any) -> None:
    for each in (target, torch.tensor(target)):
        encoding = MultiLabelTarget.fit([sample(each), sample([1, 1, 0]), sample(None)])
        assert encoding.classes == ("[0]", "[1]", "[2]")
        assert encoding.encode(sample(each)).tolist() == [0.0, 1.0, 0.0]
        assert encoding.named(sample(each)) == ("[1]",)
        named = MultiLabelTarget(("cat", "dog", "owl"))
        assert named.encode(sample(each)).tolist() == [0.0, 1.0, 0.0]
        assert named.named(sample(each)) == ("dog",)


def test_lists_of_class_numbers_are_read_by_value() -> None:
    for kind in (list, np.array, torch.tensor):
        encoding = MultiLabelTarget.fit([sample(kind(numbers)) for numbers in ([0, 10], [2], [10, 2, 0])])
        assert encoding.classes == ("0", "2", "10")
        assert encoding.encode(sample(kind([10, 0]))).tolist() == [1.0, 0.0, 1.0]
    scalars = MultiLabelTarget.fit([sample([torch.tensor(3), torch.tensor(12)]), sample([torch.tensor(4)])])
    assert scalars.classes == ("3", "4", "12")
    ragged = MultiLabelTarget.fit([sample([0, 1]), sample([1])])
    assert ragged.classes == ("0", "1")
    assert ragged.encode(sample([0, 1])).tolist() == [1.0, 1.0]


def test_texts_and_sets_are_names() -> None:
    encoding = MultiLabelTarget.fit([sample(["0", "1"]), sample(["1", "0"])])
    assert encoding.classes == ("0", "1")
    assert encoding.encode(sample(["1", "0"])).tolist() == [1.0, 1.0]
    assert MultiLabelTarget(("cat", "dog")).encode(sample({0, 1})).tolist() == [1.0, 1.0]


def test_a_list_that_may_be_either_is_refused_with_the_question() -> None:
    for target in ([0, 1], (1, 0), torch.tensor([0, 1])):
        refused(
            MultiLabelTarget(("cat", "dog")), target, r"which may be .*; expected names \(cat, dog\), or True or False"
        )
    assert MultiLabelTarget(("cat", "dog")).encode(sample([True, False])).tolist() == [1.0, 0.0]
    assert MultiLabelTarget(("cat", "dog")).encode(sample([1, 1])).tolist() == [1.0, 1.0]
    assert MultiLabelTarget.fit([sample([0, 1]), sample([1, 0])]).encode(sample([0, 1])).tolist() == [0.0, 1.0]


def test_a_multi_hot_list_holds_all_places_and_knows_them_all() -> None:
    fitted = MultiLabelTarget.fit([sample([0, 1, 0])])
    refused(fitted, [0, 1], "expected 0 or 1 for each of the 3 classes")
    refused(fitted, [0, 2, 1], "expected 0 or 1 for each of the 3 classes")
    refused(fitted, [0.0, float("nan"), 1.0], "expected 0 or 1 for each of the 3 classes")
    assert fitted.encode(sample([])).tolist() == [0.0, 0.0, 0.0]


def test_numbers_are_scaled_as_fitted() -> None:
    samples = [sample(float(number)) for number in (1, 3, 5)] + [sample(None)]
    fitted = NumberTarget.fit(samples)
    assert fitted.mean == (3.0,)
    encoded = torch.cat([fitted.encode(one) for one in samples[:3]])
    torch.testing.assert_close(encoded, torch.tensor([-(1.5**0.5), 0.0, 1.5**0.5]))
    pairs = NumberTarget.fit([sample([0.0, 5.0]), sample((2.0, 5.0))], size=2)
    assert pairs.mean == (1.0, 5.0)
    assert pairs.scale == (1.0, 1.0)  # a constant is left unscaled


def test_numbers_come_as_numbers_lists_arrays_or_tensors() -> None:
    for target in (5, 5.0, [5], np.float32(5), np.array([5.0]), torch.tensor(5)):
        assert NumberTarget().encode(sample(target)).tolist() == [5.0]
    assert NumberTarget(2).encode(sample([1, 2])).tolist() == [1.0, 2.0]
    assert NumberTarget(2, mean=(1.0,), scale=(2.0,)).encode(sample([1, 3])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    "target",
    ["five", None, [1.0, 2.0], [], float("nan"), float("inf"), {"a": 1}, 10**309],
    ids=["text", "none", "two", "empty", "nan", "inf", "mapping", "huge"],
)
def test_what_is_no_finite_number_is_refused(target: object) -> None:
    refused(NumberTarget(), target, "expected 1 finite numbers")


def test_fitting_numbers_on_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no training sample has a target"):
        NumberTarget.fit([sample(None)])


@pytest.mark.parametrize("arguments", [{"size": 0}, {"size": 2, "mean": (1.0, 2.0, 3.0)}, {"size": 1, "scale": ()}])
def test_sizes_that_disagree_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="size must be at least 1, with as many means and scales"):
        NumberTarget(**arguments)


def test_a_batch_stacks_its_targets() -> None:
    samples = [Sample({"text": "a"}, target="cat"), Sample({"text": "a"}, target="owl")]
    types = [TextTokens()]
    classes = GraphBuilder(types, target=ClassTarget(("cat", "owl")))(samples).target
    assert isinstance(classes, torch.Tensor)
    assert (classes.dtype, classes.tolist()) == (torch.int64, [0, 1])
    labels = GraphBuilder(types, target=MultiLabelTarget(("cat", "owl")))(
        [Sample({"text": "a"}, target=["owl"])]
    ).target
    assert isinstance(labels, torch.Tensor)
    assert labels.tolist() == [[0.0, 1.0]]
    numbers = GraphBuilder(types, target=NumberTarget(2))(
        [Sample({"text": "a"}, target=[1, 2]), Sample({"text": "a"}, target=[3, 4])]
    ).target
    assert isinstance(numbers, torch.Tensor)
    assert numbers.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_batch_has_targets_for_all_samples_or_for_none() -> None:
    builder = GraphBuilder([TextTokens()], target=ClassTarget(("cat",)))
    assert builder([Sample({"text": "a"}), Sample({"text": "a"})], empty=True).target is None
    assert GraphBuilder([TextTokens()])([Sample({"text": "a"}, target="cat")]).target is None
    with pytest.raises(ValueError, match=r"sample 'b': found no target, expected one"):
        builder([Sample({"text": "a"}, target="cat", id="a"), Sample({"text": "a"}, id="b")])


@pytest.mark.parametrize("offset", [1.7e9, 1.7e12])
def test_an_offset_changes_nothing(offset: float) -> None:
    """At 1.7e9 float32 counts by 128, at 1.7e12 by 131,072."""
    plain, far = ([sample(start + 10 * k) for k in range(9)] for start in (0, offset))
    scale, shifted = NumberTarget.fit(plain), NumberTarget.fit(far)
    assert shifted.mean == (offset + 40,)
    assert shifted.scale == scale.scale
    encoded = torch.stack([shifted.encode(one) for one in far])
    assert torch.equal(encoded, torch.stack([scale.encode(one) for one in plain]))
    decoded = shifted.decode(encoded)
    assert decoded.dtype == torch.float64
    largest = 40 * torch.finfo(torch.float32).eps + offset * torch.finfo(torch.float64).eps
    assert (decoded[:, 0] - torch.tensor([one.target for one in far], dtype=torch.float64)).abs().max() <= largest


def test_numbers_of_very_different_size_are_scaled_each_by_its_own() -> None:
    fitted = NumberTarget.fit([sample([1e12 + k, k * 1e-9]) for k in (-1, 1)], size=2)
    encoded = fitted.encode(sample([1e12 + 1, 1e-9]))
    torch.testing.assert_close(encoded, torch.ones(2), rtol=2**-23, atol=0)


def test_numbers_have_names() -> None:
    assert NumberTarget.fit([sample([1, 2])], size=2, names=("a", "b")).labels == ("a", "b")
    assert NumberTarget(2).labels == ("0", "1")
    for names in (("a",), ("a", "a")):
        with pytest.raises(ValueError, match="names must be 2 different ones"):
            NumberTarget(2, names=names)
