import pytest

from gnnfuse.tables import guess_columns, open_table

THOUSANDS = "thousands separators, such as {!r}; remove the separators"


def reason_of(*cells: str) -> str:
    found = guess_columns(open_table([{"x": cells[n % len(cells)]} for n in range(40)]))
    assert found.columns.features == ()
    assert found.columns.text == ()
    return found.account[0].reason


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("1,037,000", "2,000,000"), THOUSANDS.format("1,037,000")),
        (("1,037", "1,037,000", "12"), THOUSANDS.format("1,037,000")),
        (("1,037.25", "12.5"), THOUSANDS.format("1,037.25")),
        (("1,037", "950.5"), THOUSANDS.format("1,037")),
        (("1 037 000", "950"), THOUSANDS.format("1 037 000")),
        (("1'037", "950"), THOUSANDS.format("1'037")),
        (("1.037.000", "2.000.000"), THOUSANDS.format("1.037.000")),
        (("1,5", "2,037"), "a decimal comma, such as '1,5'; write a point to use"),
        (("0,125", "0,250"), "a decimal comma, such as '0,125'; write a point to use"),
        (("1.037,5", "2,25"), "a decimal comma, such as '1.037,5'; write a point, and no thousands separators, to use"),
        (("1,037,000", "2,5"), "contradictory separators, such as '1,037,000' and '2,5'"),
        (("1,037", "-2,500"), "three digits behind the comma, such as '1,037': is that 1037 or 1.037? write the one"),
        (("1,037", "950"), "three digits behind the comma, such as '1,037': is that 1037 or 1.037? write the one"),
    ],
)
def test_separators_in_numbers_are_explained_or_asked_about(cells: tuple[str, ...], expected: str) -> None:
    assert expected in reason_of(*cells)
