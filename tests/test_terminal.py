"""Progress as it is seen: bars in a terminal, names as they stand."""

from io import StringIO

import pytest
from rich.console import Console

from gnnfuse.observer import Observer
from gnnfuse.tables import guess_columns, open_table
from gnnfuse.terminal import Terminal


@pytest.fixture
def console() -> Console:
    return Console(file=StringIO(), force_terminal=True, width=100, color_system=None)


def shown(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_work_within_work_is_shown_below_it_and_leaves_nothing(console: Console) -> None:
    terminal = Terminal(console)
    for _ in range(2):  # also after all bars were gone
        with terminal.begins("runs [/]", 2) as finished:
            for run in range(2):
                with terminal.begins(f"epoch {run}", 4) as advance:
                    advance(3, note="valid 0.5")
                    terminal.says("a line [/b]")
                    terminal._bars.refresh()
                    assert [(bar.description, bar.completed) for bar in terminal._bars.tasks] == [
                        ("runs [/]", run),
                        (f"epoch {run}", 3),
                    ]
                finished()
        assert not terminal._bars.tasks
    for part in ("runs [/]", "epoch 1", "3/4", "valid 0.5", "a line [/b]\n"):
        assert part in shown(console)


def test_work_that_fails_leaves_no_bar(console: Console) -> None:
    terminal = Terminal(console)
    with pytest.raises(ValueError, match="damaged"), terminal.begins("reading", None):
        raise ValueError("damaged")
    assert not terminal._bars.tasks
    with terminal.begins("reading", 1) as advance:
        advance()


def test_columns_are_a_table_with_names_as_they_stand(console: Console) -> None:
    guess = guess_columns(open_table([{"[/i]": f"text {n} [red]", "label": "ab"[n % 2]} for n in range(9)]))
    Terminal(console).says(guess)
    heads, *rows = shown(console).splitlines()
    assert heads.split() == ["column", "role", "reason", "empty", "example"]
    assert [row.split()[:2] for row in rows] == [["[/i]", "text"], ["label", "target"]]
    assert "0%" in rows[0]
    assert "[red]" in rows[0]


def test_an_observer_needs_no_method() -> None:
    observer = Observer()
    observer.says("a line")
    with observer.begins("reading", 2) as advance:
        advance()
        advance(0, note="a note")
