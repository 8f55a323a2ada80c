"""Options of calls on tables: what is no option is refused where it is given."""

from pathlib import Path
from typing import Any

import pytest

import gnnfuse as gf
from gnnfuse.observer import Observer, or_silent

ROWS = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}] * 10

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"target": "label"}}, r"columns: found a dict, expected ColumnOptions\(...\)"),
        ({"columns": gf.ColumnOptions}, r"columns: found the class ColumnOptions, expected ColumnOptions\(...\)"),
        ({"opening": "streaming"}, r"opening: found a str, expected OpenOptions\(...\)"),
        ({"options": {}}, r"options: found a dict, expected FitOptions\(...\)"),
        ({"config": {"epochs": 2}}, r"config: found a dict, expected FitConfig\(...\)"),
        ({"observer": print}, "observer: found a builtin_function_or_method, expected an Observer object"),
        ({"observer": gf.Terminal}, "observer: found the class Terminal, expected an Observer object"),
    ],
)
def test_arguments_of_fit(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        gf.fit(ROWS, out=tmp_path / "model", **options)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: gf.ColumnOptions(text=3), "text: found 3, expected names of columns in a list"),  # type: ignore[arg-type]
        (lambda: gf.ColumnOptions(text=["a", None]), r"text: found \['a', None\], expected names of columns in a list"),  # type: ignore[list-item]
        (lambda: gf.ColumnOptions(id=["a"]), r"id: found \['a'\], expected the name of a column"),  # type: ignore[arg-type]
        (lambda: gf.OpenOptions(streaming="no"), "streaming: found 'no', expected True or False"),  # type: ignore[arg-type]
        (lambda: gf.FitOptions(encoders="x"), r"encoders: found a str, expected Encoders\(...\)"),  # type: ignore[arg-type]
        (lambda: gf.FitOptions(dim="a"), "dim: found 'a', expected a whole number of at least 1"),  # type: ignore[arg-type]
        (lambda: gf.FitOptions(depth=0), "depth: found 0, expected a whole number of at least 1"),
    ],
)
def test_values_of_options(made: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made()


def test_an_object_with_the_methods_of_an_observer_is_one() -> None:
    class Counting:
        says = begins = Observer.says

    assert isinstance(or_silent(Counting()), Counting)  # type: ignore[arg-type]
    assert type(or_silent(None)) is Observer
