import numpy as np
import pytest
import torch

from gnnfuse.sample import Rows, Sample, SignalError, TensorRows, read_rows


def read(value: object, width: int | None = None) -> TensorRows:
    rows = read_rows(Sample({"sensor": value}, id="seven"), "sensor", width=width)
    assert rows is not None
    return rows


def refused(value: object, *, found: str, expected: str = "", width: int | None = None) -> None:
    message = rf"sample 'seven', signal 'sensor': found .*{found}.*, expected .*{expected}"
    with pytest.raises(SignalError, match=message):
        read(value, width)


def test_absent_rows_are_none() -> None:
    assert read_rows(Sample({}), "sensor") is None


def test_every_way_to_give_the_same_rows_gives_the_same_tensor() -> None:
    values = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    ways: list[object] = [
        values,
        values.double(),
        values.long(),
        values.numpy(),
        values.numpy().astype(">f8"),
        values.tolist(),
        Rows(values),
        {"values": values.tolist()},
        [np.array(row) for row in values.tolist()],
    ]
    for value in ways:
        rows = read(value, width=2)
        assert rows.values.dtype == torch.float32
        assert torch.equal(rows.values, values)
        assert rows.time is None
        assert rows.position is None


def test_a_single_row_may_come_flat() -> None:
    assert torch.equal(read([1.0, 2.0]).values, torch.tensor([[1.0, 2.0]]))


def test_no_rows_are_rows() -> None:
    assert read(np.zeros((0, 3)), width=3).values.shape == (0, 3)


def test_moments_become_spans_without_length() -> None:
    rows = read(Rows(torch.zeros(2, 1), time=np.array([0.5, 2.0])))
    assert rows.time is not None
    assert rows.time.tolist() == [[0.5, 0.5], [2.0, 2.0]]


def test_spans_and_positions_stay() -> None:
    time, position = [[0.0, 1.0], [0.5, 0.5]], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    rows = read({"values": [[1.0], [2.0]], "time": time, "position": position})
    assert rows.time is not None
    assert rows.position is not None
    assert rows.time.tolist() == time
    assert rows.position.tolist() == position


def test_rows_that_were_read_can_be_read_again() -> None:
    rows = read(Rows(torch.zeros(2, 1), time=torch.tensor([0.5, 2.0]), position=torch.ones(2, 3)))
    again = read(Rows(rows.values, time=rows.time, position=rows.position))
    assert again.time is not None
    assert rows.time is not None
    assert torch.equal(again.time, rows.time)


@pytest.mark.parametrize(
    "value", ["abc", b"abc", object(), ["a"], [[1.0], [1.0, 2.0]], {"vals": [1.0]}, np.zeros(2, dtype=complex)]
)
def test_what_is_no_rows_of_numbers_is_refused(value: object) -> None:
    refused(value, found="values (as|of)", expected="rows of numbers")


@pytest.mark.parametrize("shape", [(), (2, 3, 4)])
def test_another_number_of_axes_is_refused(shape: tuple[int, ...]) -> None:
    refused(torch.zeros(shape), found="values of shape", expected=r"\[nodes, features\]")


def test_another_width_is_refused() -> None:
    refused(torch.zeros(2, 3), found=r"values of shape \(2, 3\)", expected=r"\[nodes, 4\]", width=4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("field", ["values", "time", "position"])
def test_nan_and_infinity_are_counted_and_refused(field: str, bad: float) -> None:
    fields: dict[str, object] = {"values": np.zeros((2, 2)), field: np.array([[0.0, bad], [bad, 0.0]])}
    refused(fields, found=f"2 entries of {field} that are NaN or infinite", expected="finite")


def test_times_and_positions_for_another_number_of_rows_are_refused() -> None:
    values = torch.zeros(3, 1)
    refused(Rows(values, time=torch.zeros(2)), found=r"time of shape \(2, 2\)", expected=r"\[3, 2\] or \[3\]")
    refused(Rows(values, time=torch.zeros(3, 3)), found=r"time of shape \(3, 3\)", expected=r"\[3, 2\]")
    refused(Rows(values, position=torch.zeros(2, 1)), found=r"position of shape \(2, 1\)", expected=r"\[3, coordin")
    refused(Rows(values, position=torch.zeros(3)), found=r"position of shape \(3,\)", expected=r"\[3, coordin")


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    refused(Rows(torch.zeros(1, 1), time=torch.tensor([[1.0, 0.5]])), found="ends before it starts", expected="start")


def test_reading_changes_nothing_and_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    values = np.ones((2, 2), dtype=np.float32)
    values.flags.writeable = False
    read(values)
    assert np.array_equal(values, np.ones((2, 2)))
    assert not [str(warning.message) for warning in recwarn]
