from fractions import Fraction

import pytest

from gnnfuse.data.operations import OPERATIONS, Operation
from gnnfuse.data.wordings import WORDINGS


def test_every_operation_is_asked_in_many_words_of_its_own() -> None:
    assert {operation.name for operation in OPERATIONS} == set(WORDINGS)
    assert min(map(len, WORDINGS.values())) >= 8
    texts = [text for wordings in WORDINGS.values() for text in wordings]
    assert len({text.lower() for text in texts}) == len(texts)


def test_six_in_ten_questions_need_all_three_modalities() -> None:
    total = sum(operation.share for operation in OPERATIONS)
    three = sum(operation.share for operation in OPERATIONS if operation.needs == "image+audio+text")
    assert Fraction(three, total) == Fraction(6, 10)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_each_digit_is_uniform(operation: Operation) -> None:
    pairs = operation.pairs()
    assert sum(pairs.values()) == 1
    for digit in range(10):
        assert sum(p for (image, _), p in pairs.items() if image == digit) == Fraction(1, 10)
        assert sum(p for (_, audio), p in pairs.items() if audio == digit) == Fraction(1, 10)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_what_it_needs_is_what_changes_the_answer(operation: Operation) -> None:
    image_matters = any(operation.answer(0, a) != operation.answer(i, a) for i in range(10) for a in range(10))
    audio_matters = any(operation.answer(i, 0) != operation.answer(i, a) for i in range(10) for a in range(10))
    matters = [("image", image_matters), ("audio", audio_matters), ("text", True)]
    assert operation.needs == "+".join(name for name, matter in matters if matter)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_yes_is_as_likely_as_no(operation: Operation) -> None:
    answers = {operation.answer(*pair) for pair in operation.pairs()}
    yes = sum(p for pair, p in operation.pairs().items() if operation.answer(*pair) == "yes")
    assert yes == (Fraction(1, 2) if answers == {"yes", "no"} else 0)
