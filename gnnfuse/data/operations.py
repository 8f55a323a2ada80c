"""The questions of the default task: the answer, frequency and wording of each."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from gnnfuse.data.wordings import WORDINGS


@dataclass(frozen=True)
class Operation:
    """One question about a handwritten and a spoken digit.

    Args:
        name: name under which it is reported.
        answer: (handwritten digit, spoken digit) -> the right answer.
        needs: the modalities that a right answer requires, joined by "+".
        share: its frequency relative to the other operations.
        law: (handwritten digit, spoken digit) -> relative probability of this pair of digits.
    """

    name: str
    answer: Callable[[int, int], str]
    needs: str
    share: int
    law: Callable[[int, int], int] = lambda image, audio: 1

    @property
    def wordings(self) -> tuple[str, ...]:
        """The wordings of the question, all equally likely."""
        return WORDINGS[self.name]

    def pairs(self) -> dict[tuple[int, int], Fraction]:
        """Every possible pair of digits for this question, with its exact probability."""
        weights = {(image, audio): self.law(image, audio) for image in range(10) for audio in range(10)}
        total = sum(weights.values())
        return {pair: Fraction(weight, total) for pair, weight in weights.items() if weight}


def yes_no(condition: bool) -> str:
    """The answer to a yes-or-no question."""
    return "yes" if condition else "no"


ALL_THREE = "image+audio+text"

# Each single digit is uniform under every law here; the two laws other than 1 make yes as likely as no.
OPERATIONS = (
    Operation("sum", lambda image, audio: str(image + audio), ALL_THREE, share=3),
    Operation("difference", lambda image, audio: str(abs(image - audio)), ALL_THREE, share=3),
    Operation("larger", lambda image, audio: str(max(image, audio)), ALL_THREE, share=3),
    Operation("smaller", lambda image, audio: str(min(image, audio)), ALL_THREE, share=3),
    Operation(
        "spoken_larger",
        lambda image, audio: yes_no(audio > image),
        ALL_THREE,
        share=3,
        law=lambda image, audio: int(image != audio),
    ),
    Operation(
        "same",
        lambda image, audio: yes_no(image == audio),
        ALL_THREE,
        share=3,
        law=lambda image, audio: 9 if image == audio else 1,
    ),
    Operation("sum_even", lambda image, audio: yes_no((image + audio) % 2 == 0), ALL_THREE, share=3),
    Operation("handwritten", lambda image, audio: str(image), "image+text", share=4),
    Operation("spoken", lambda image, audio: str(audio), "audio+text", share=4),
    Operation("handwritten_even", lambda image, audio: yes_no(image % 2 == 0), "image+text", share=3),
    Operation("spoken_even", lambda image, audio: yes_no(audio % 2 == 0), "audio+text", share=3),
)
