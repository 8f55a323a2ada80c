import math
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import segment_reduce, segment_softmax
from gnnfuse.ops.choose import INSTALLED
from gnnfuse.ops.segment.segment import choose

Reduce = Literal["sum", "mean", "min", "max", "logsumexp"]
Impl = Literal["reference", "torch_scatter"]

REDUCTIONS: list[Reduce] = ["sum", "mean", "min", "max", "logsumexp"]
without_torch_scatter = pytest.mark.skipif(
    not INSTALLED["torch_scatter"], reason="torch-scatter, an optional extra, is not installed"
)
IMPLS = [
    pytest.param("reference"),
    pytest.param("torch_scatter", marks=without_torch_scatter),
]


def by_hand(values: Tensor, index: Tensor, num_segments: int, reduce: Reduce) -> Tensor:
    """One segment and one column after the other, in Python's floats."""
    empty = -torch.inf if reduce == "logsumexp" else 0.0
    out = torch.full((num_segments, values.shape[1]), empty, dtype=torch.float64)
    for segment in range(num_segments):
        for column in range(values.shape[1]):
            items = [float(v[column]) for v, i in zip(values, index.tolist(), strict=True) if i == segment]
            if items:
                total = math.fsum(items)
                out[segment, column] = {
                    "sum": total,
                    "mean": total / len(items),
                    "min": min(items),
                    "max": max(items),
                    "logsumexp": math.log(math.fsum(map(math.exp, items))),
                }[reduce]
    return out


def example(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, int]:
    """Values of the shape, an unsorted index and a number of segments of which some stay empty."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)
    return values, torch.randint(0, 7, shape[:1], generator=generator) * 2, 15


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_reduce_by_hand(reduce: Reduce, impl: Impl) -> None:
    values, index, num_segments = example(40, 3)
    out = segment_reduce(values, index, num_segments, reduce=reduce, impl=impl)
    torch.testing.assert_close(out, by_hand(values, index, num_segments, reduce), rtol=1e-14, atol=1e-14)
    assert torch.equal(segment_reduce(values, index.int(), num_segments, reduce=reduce, impl=impl), out)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_reduce_of_sorted_items_by_hand(reduce: Reduce, impl: Impl) -> None:
    values, index, num_segments = example(40, 3)
    index = index.sort().values
    offsets = torch.searchsorted(index, torch.arange(num_segments + 1))
    out = segment_reduce(values, offsets=offsets, reduce=reduce, impl=impl)
    torch.testing.assert_close(out, by_hand(values, index, num_segments, reduce), rtol=1e-14, atol=1e-14)
    weights = segment_softmax(values, offsets=offsets, impl=impl)
    torch.testing.assert_close(weights, segment_softmax(values, index, num_segments), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_empty_segments_are_zero_even_among_negative_values(reduce: Reduce, impl: Impl) -> None:
    out = segment_reduce(torch.tensor([-3.0]), torch.tensor([1]), 3, reduce=reduce, impl=impl)
    empty = -torch.inf if reduce == "logsumexp" else 0.0
    assert out.tolist() == [empty, -3.0, empty]


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("num_segments", [0, 4])
def test_no_items(num_segments: int, reduce: Reduce, impl: Impl) -> None:
    values, index = torch.empty(0, 2), torch.empty(0, dtype=torch.int64)
    out = segment_reduce(values, index, num_segments, reduce=reduce, impl=impl)
    assert torch.equal(out, torch.full((num_segments, 2), -torch.inf if reduce == "logsumexp" else 0.0))
    assert segment_softmax(values, index, num_segments, impl=impl).shape == (0, 2)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("shape", [(30,), (30, 5), (30, 2, 3)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_shapes_and_dtypes(shape: tuple[int, ...], dtype: torch.dtype, impl: Impl) -> None:
    values, index, num_segments = example(*shape, dtype=dtype)
    out = segment_reduce(values, index, num_segments, reduce="mean", impl=impl)
    weights = segment_softmax(values, index, num_segments, impl=impl)
    assert (out.dtype, out.shape) == (dtype, (num_segments, *shape[1:]))
    assert (weights.dtype, weights.shape) == (dtype, shape)
    exact = segment_reduce(values.double(), index, num_segments, reduce="mean")
    # Summed in float32 or better and rounded once: within half a step of the dtype, plus float32's own.
    step = torch.finfo(dtype).eps + 32 * torch.finfo(torch.float32).eps
    assert ((out.double() - exact).abs() <= step * values.double().abs().max()).all()


@pytest.mark.parametrize("impl", IMPLS)
def test_softmax_by_hand(impl: Impl) -> None:
    scores, index, num_segments = example(40, 3)
    weights = segment_softmax(scores, index, num_segments, impl=impl)
    for item, segment in enumerate(index.tolist()):
        for column in range(3):
            members = [float(s[column]) for s, i in zip(scores, index.tolist(), strict=True) if i == segment]
            total = math.fsum(math.exp(score) for score in members)
            expected = math.exp(float(scores[item, column])) / total
            assert float(weights[item, column]) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("impl", IMPLS)
def test_softmax_of_huge_scores_is_finite(impl: Impl) -> None:
    weights = segment_softmax(torch.tensor([1e30, 1e30, -1e30]), torch.tensor([0, 0, 1]), 2, impl=impl)
    assert weights.tolist() == [0.5, 0.5, 1.0]


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_gradients_of_reduce(reduce: Reduce, impl: Impl) -> None:
    values, index, num_segments = example(20, 2)
    values.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda v: segment_reduce(v, index, num_segments, reduce=reduce, impl=impl)[index], (values,)
    )


@pytest.mark.parametrize("impl", IMPLS)
def test_gradients_of_softmax(impl: Impl) -> None:
    scores, index, num_segments = example(20, 2)
    scores.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: segment_softmax(s, index, num_segments, impl=impl), (scores,))


@pytest.mark.parametrize("reduce", ["min", "max"])
def test_the_first_of_equal_extremes_gets_the_gradient(reduce: Reduce) -> None:
    for extreme in (2.0, torch.inf if reduce == "min" else -torch.inf):
        values = torch.tensor([extreme, extreme, extreme], requires_grad=True)
        out = segment_reduce(values, torch.tensor([1, 0, 0]), 2, reduce=reduce, impl="reference")
        (grad,) = torch.autograd.grad(out[0], values)
        assert grad.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("reduce", ["min", "max"])
def test_the_first_of_equal_sorted_extremes_gets_the_gradient(reduce: Reduce) -> None:
    """Two segments, of one and of seven equal items."""
    values = torch.full((8,), 3.0, requires_grad=True)
    out = segment_reduce(values, offsets=torch.tensor([0, 1, 8]), reduce=reduce, impl="reference")
    (grad,) = torch.autograd.grad(out.sum(), values)
    assert grad.tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_infinite_scores() -> None:
    scores = torch.tensor([-torch.inf, -torch.inf, -torch.inf, 0.0, torch.inf]).requires_grad_()
    index = torch.tensor([0, 0, 1, 1, 2])
    assert segment_softmax(scores, index, 3, impl="reference")[:4].tolist() == [0.0, 0.0, 0.0, 1.0]
    total = segment_reduce(scores, index, 4, reduce="logsumexp", impl="reference")
    assert total.tolist() == [-torch.inf, 0.0, torch.inf, -torch.inf]
    (grad,) = torch.autograd.grad(total[1], scores)
    assert grad[:4].tolist() == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_nan_stays_in_its_segment(reduce: Reduce, impl: Impl) -> None:
    if impl == "torch_scatter" and reduce in ("min", "max"):
        pytest.skip("torch-scatter's min and max compare, and a comparison with NaN is false")
    values = torch.tensor([torch.nan, 1.0, 2.0])
    out = segment_reduce(values, torch.tensor([0, 0, 1]), 2, reduce=reduce, impl=impl)
    assert out.isnan().tolist() == [True, False]


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("wrong", [-1, 3])
def test_index_out_of_range(wrong: int, impl: Impl) -> None:
    for call in (segment_reduce, segment_softmax):
        with pytest.raises(ValueError, match=r"index must lie in 0\.\.2, found"):
            call(torch.ones(2), torch.tensor([0, wrong]), 3, impl=impl)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("wrong", [[0, 2, 1, 2], [1, 2], [0, 3], [0, 1], [-1, 2]])
def test_offsets_that_do_not_divide_the_items(wrong: list[int], impl: Impl) -> None:
    for call in (segment_reduce, segment_softmax):
        with pytest.raises(ValueError, match="offsets must rise from 0 to 2"):
            call(torch.ones(2), offsets=torch.tensor(wrong), impl=impl)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": torch.ones(2, dtype=torch.int64)}, r"values must be floating .* torch.int64 \(2,\)"),
        ({"values": torch.ones(1, 2).expand(2, 2)}, r"values must not be expanded \(stride 0\)"),
        ({"index": torch.tensor([0])}, r"index must be int64 or int32 \[2\], .* torch.int64 \(1,\)"),
        ({"index": torch.tensor([0, 1], dtype=torch.int16)}, r"index must be int64 or int32 .* torch.int16"),
        ({"index": torch.tensor([0, 1], device="meta")}, "index must be on cpu as values, found meta"),
        ({"index": None}, "exactly one of index and offsets must be given, found neither"),
        ({"offsets": torch.tensor([0, 2])}, "exactly one of index and offsets must be given, found both"),
        ({"index": None, "offsets": torch.tensor([0, 2])}, "num_segments must be 1 as in offsets, or None; found 2"),
        ({"index": None, "offsets": torch.tensor([], dtype=torch.int64)}, r"offsets must be int64 \[segments \+ 1\]"),
        ({"index": None, "offsets": torch.tensor([0, 2]).int()}, r"offsets must be int64 .* found torch.int32 \(2,\)"),
        ({"num_segments": -1}, "num_segments must be 0 or more, .* found -1"),
        ({"num_segments": None}, "num_segments must be 0 or more, .* found None"),
        ({"reduce": "median"}, "reduce must be 'sum', .* found 'median'"),
        ({"impl": "numba"}, "impl must be one of .auto., .reference., .torch_scatter., .triton.; found .numba."),
    ],
)
def test_bad_inputs(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"values": torch.ones(2), "index": torch.tensor([0, 1]), "num_segments": 2}
    with pytest.raises(ValueError, match=message):
        segment_reduce(**(good | change))


def test_auto_follows_from_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose("auto", torch.empty(3)) == choose("auto", torch.empty(3, device="meta")) == "reference"

    class OnCuda:
        device = torch.device("cuda")

    on_cuda: Any = OnCuda()
    for installed, expected in ((True, "triton"), (False, "reference")):
        monkeypatch.setitem(INSTALLED, "triton", installed)
        assert choose("auto", on_cuda) == expected


def test_forcing_torch_scatter_without_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(INSTALLED, "torch_scatter", False)
    with pytest.raises(RuntimeError, match="pip install --no-build-isolation torch-scatter"):
        segment_softmax(torch.ones(1), torch.tensor([0]), 1, impl="torch_scatter")
