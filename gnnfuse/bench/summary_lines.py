"""A benchmark's summary table, line by line as models are finished."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from gnnfuse.bench.results import Results, columns, summary

WORDS = 2  # columns of words; numbers are right-aligned


class SummaryLines:
    """Pads the lines of a table whose later lines are not known yet.

    Args:
        results: which the benchmark fills.
        models: names of all its models.
    """

    def __init__(self, results: Results, models: Sequence[object]) -> None:
        self.results = results
        self.width = max(18, *(len(str(model)) for model in models))
        self._widths: list[int] = []

    def of(self, model: str) -> Iterator[object]:
        """A model's line; before the first one, the line of headings, which need a finished run."""
        if not self._widths:
            heads, tests = columns(self.results), 1 + len(self.results.other_tests())
            room = [self.width, 9, *[13] * tests, 10, 7, 9, 7, 6]
            self._widths = [max(len(head), width) for head, width in zip(heads, room, strict=True)]
            yield Text(self._line(heads), style="bold")
        yield self._line(summary(self.results, model))

    def _line(self, cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if place < WORDS else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, self._widths, strict=True))
        ]
        return "  ".join(padded)
