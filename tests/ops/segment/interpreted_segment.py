"""The segment operators with impl="triton" by Triton's interpreter; test_segment_triton.py runs this file."""

from typing import Any

import pytest
import torch

from gnnfuse.ops import segment_reduce, segment_softmax
from tests.ops.segment.cases import OPERATORS, TINY, assert_as_good_as_reference, make
from tests.ops.triton_checks import let_the_interpreter_count

let_the_interpreter_count()


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of more than three items are long ones."""
    monkeypatch.setattr("gnnfuse.ops.cuda.triton_reduce.PIECE", 3)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", TINY)
def test_against_reference(name: str, operator: str) -> None:
    assert_as_good_as_reference(TINY[name], operator, "triton", torch.float32)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("is_sorted", [True, False])
def test_long_segments(is_sorted: bool, operator: str) -> None:
    for case in (
        make(20, 2, segments=6, is_sorted=is_sorted),
        make(17, 2, segments=5, is_sorted=is_sorted, filled=1),
    ):
        assert_as_good_as_reference(case, operator, "triton", torch.float32)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("operator", OPERATORS)
def test_same_bits_in_memory_that_was_not_empty(operator: str) -> None:
    clean = TINY["random_unsorted"].results(operator, "triton", torch.float32)
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN
    try:
        poisoned = TINY["random_unsorted"].results(operator, "triton", torch.float32)
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(clean[key], poisoned[key]) for key in clean)


@pytest.mark.usefixtures("small_pieces")
def test_infinite_scores_and_nan() -> None:
    infinite = torch.inf
    scores = torch.tensor([-infinite, -infinite, -infinite, 0.0, infinite, torch.nan, 1.0])
    index: Any = torch.tensor([0, 0, 1, 1, 2, 4, 4])
    assert segment_softmax(scores, index, 5, impl="triton")[:4].tolist() == [0.0, 0.0, 0.0, 1.0]
    total = segment_reduce(scores, index, 5, reduce="logsumexp", impl="triton")
    assert total[:4].tolist() == [-infinite, 0.0, infinite, -infinite]
    assert total[4].isnan()
    assert segment_reduce(scores, index, 5, reduce="max", impl="triton")[4].isnan()


@pytest.mark.parametrize("operator", OPERATORS)
def test_opcheck(operator: str) -> None:
    case = TINY["random_unsorted"]
    values = case.values.float()
    ops = torch.ops.gnnfuse
    if operator == "softmax":
        inputs: tuple[Any, ...] = (case.index, False, case.num_segments)
        torch.library.opcheck(ops.segment_softmax_triton.default, (values.clone().requires_grad_(), *inputs))
        weights = ops.segment_softmax_triton.default(values, *inputs)
        torch.library.opcheck(ops.segment_softmax_triton_backward.default, (weights, weights, *inputs))
        return
    inputs = (case.index, False, case.num_segments, operator)
    torch.library.opcheck(ops.segment_reduce_triton.default, (values.clone().requires_grad_(), *inputs))
    out, found = ops.segment_reduce_triton.default(values, *inputs)
    backward = (torch.ones_like(out), values, out, found, case.index, False, len(values), operator)
    torch.library.opcheck(ops.segment_reduce_triton_backward.default, backward)
