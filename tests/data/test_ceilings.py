from fractions import Fraction

import pytest

from gnnfuse.data.ceilings import Outcome, ceilings


def outcome(probability: Fraction, bit: int, question: str, answer: str) -> Outcome:
    return Outcome(probability, {"image": bit, "text": question}, answer, question)


def test_a_case_worked_out_on_paper() -> None:
    """A fair bit; one time in four the question is "always" (answer a), else "bit" (answer a for 0, b for 1).

    image: bit 0 -> a (all of 1/2); bit 1 -> b has 3/8, a has 1/8: pick b. All 7/8; always 1/2; bit 1.
    text: always -> a (1/4); bit -> a or b, 3/8 each: a tie, so half of 3/4. All 1/4 + 3/8 = 5/8; always 1; bit 1/2.
    """
    law = [
        outcome(Fraction(1, 8), 0, "always", "a"),
        outcome(Fraction(1, 8), 1, "always", "a"),
        outcome(Fraction(3, 8), 0, "bit", "a"),
        outcome(Fraction(3, 8), 1, "bit", "b"),
    ]
    assert ceilings(law) == {
        "image": {"all": 7 / 8, "always": 1 / 2, "bit": 1.0},
        "text": {"all": 5 / 8, "always": 1.0, "bit": 1 / 2},
        "image+text": {"all": 1.0, "always": 1.0, "bit": 1.0},
    }


def test_a_tie_is_shared_between_groups() -> None:
    """Nothing tells two equally likely answers apart, and each belongs to another group: a coin for both."""
    law = [Outcome(Fraction(1, 2), {"image": 0}, answer, answer) for answer in ("a", "b")]
    assert ceilings(law) == {"image": {"all": 0.5, "a": 0.5, "b": 0.5}}


def test_answers_that_stay_uncertain_lower_the_full_ceiling() -> None:
    law = [Outcome(Fraction(1, 4), {"image": 0}, "a", "g"), Outcome(Fraction(3, 4), {"image": 0}, "b", "g")]
    assert ceilings(law)["image"]["all"] == 0.75


def test_probabilities_sum_to_one() -> None:
    with pytest.raises(ValueError, match="sum to 1/2, expected 1"):
        ceilings([Outcome(Fraction(1, 2), {"image": 0}, "a", "g")])
