import numpy as np
import pytest

from gnnfuse.tables import guess_columns, open_table
from gnnfuse.tables.dates_in_cells import are_days, is_date

DATES = [
    *("2024-01-15", "2024-01-15T10:30:00Z", "2024-01-15 10:30:00.123+02:00", "2024/01/15", "2024.01.15", "15-01-2024"),
    *("15.01.2024", "1/15/2024", "15/1/24", "01/15/2024 10:30 PM", "Jan 15, 2024", "January 15th, 2024", "15 Jan 2024"),
    *(
        "15-Jan-24",
        "Mon, 15 Jan 2024 10:30:00 +0000",
        "Mon Jan 15 10:30:00 2024",
        "Monday, January 15, 2024",
        "Jan 2024",
    ),
    *(
        "2024-Jan-15",
        "10:30",
        "10:30:05",
        "10:30 PM",
        "10:30pm",
        "10:30 a.m.",
        "2024-01-15 at",
        "Sept. 3, 2021 at 4:05 pm",
    ),
]
OTHERS = [
    "2024",
    "1.5",
    "1.45.99",
    "99/99/99",
    "15 cats",
    "may",
    "march on",
    "10:30 at night",
    "1-2",
    "12345",
    "",
    "a b",
]


@pytest.mark.parametrize("text", [text for text in DATES if text != "2024-01-15 at"])
def test_dates_and_times_are_recognised_by_how_they_are_written(text: str) -> None:
    assert is_date(text)


@pytest.mark.parametrize("text", [*OTHERS, "2024-01-15 at", "2024-13-15", "the 15 Jan 2024", "2024-01-15 is a Monday"])
def test_what_only_resembles_a_date_is_none(text: str) -> None:
    assert not is_date(text)


@pytest.mark.parametrize(
    "written",
    [
        "2024/01/{:02d}",
        "{:02d}-01-2024",
        "Jan {}, 2024",
        "Mon, {} Jan 2024 10:30:00 +0000",
        "{}:30 PM",
        "2024-01-{:02d}",
    ],
)
def test_columns_of_dates_are_unused_with_advice(written: str) -> None:
    found = guess_columns(open_table([{"when": written.format(n % 12 + 1)} for n in range(60)]))
    assert (found.columns.text, found.columns.features) == ((), ())
    example = written.format(1)
    expected = (
        f"dates or times, such as '{example}'; convert them to numbers (days since a date, hour, weekday) to use them"
    )
    assert found.account[0].reason == expected


def test_moments_of_the_table_itself_are_dates_too() -> None:
    days = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-02-01"))
    found = guess_columns(open_table([{"when": day.item()} for day in days]))
    assert found.account[0].reason.startswith("dates or times, such as '2024-01-01'; convert them")


@pytest.mark.parametrize("as_text", [False, True])
def test_whole_numbers_that_read_as_days_are_used_with_a_caution(as_text: bool) -> None:
    days = [20240101 + n % 28 + 100 * (n % 12) for n in range(60)]
    found = guess_columns(open_table([{"day": str(day) if as_text else day} for day in days]))
    assert found.columns.features == ("day",)
    assert "; they look like dates (yyyymmdd), not as far apart as the numbers" in found.account[0].reason


def test_numbers_that_are_no_days_have_no_caution() -> None:
    assert are_days(np.array([19991231.0, 20000101.0]))
    for other in ([20240101.5, 20240102.0], [20240132.0, 20240101.0], [20241301.0, 20240101.0], [1e8, 20240101.0], []):
        assert not are_days(np.array(other))
