"""Names in figures: as they stand, in fonts that have their letters, or by code points."""

import warnings
from io import BytesIO
from types import SimpleNamespace

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gnnfuse.draw import lettering as module
from gnnfuse.draw.lettering import Lettering, lettering, missing_note

NOWHERE = "\U0010ff00"  # a private letter, which no font has
NAMES = ("$5 & under", "$10_$20", r"\frac{", "中国", "\N{PILE OF POO}\N{VARIATION SELECTOR-16}", "\ud800", "a" * 400)


def test_names_are_drawn_as_they_stand_without_a_warning() -> None:
    letters = lettering(NAMES)
    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xticks(range(len(NAMES)), letters.names(NAMES))
    axes.set_yscale("log")
    axes.plot([0, 6], [1, 100], label=letters.name(NAMES[0]))
    axes.legend()
    letters.set(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(BytesIO())
    shown = [text.get_text() for text in axes.get_xticklabels()]
    assert shown[:3] == list(NAMES[:3])
    assert not any(text.get_parse_math() for text in axes.get_xticklabels())
    assert all(text.get_parse_math() for text in axes.get_yticklabels())  # powers of ten, which matplotlib writes
    assert len(shown[-1]) == module.MOST


def test_letters_that_no_font_has_are_their_code_points() -> None:
    letters = lettering([f"a{NOWHERE}{NOWHERE} b"])
    assert letters.name(f"a{NOWHERE}{NOWHERE} b") == "a<10FF00 10FF00> b"
    note = missing_note(letters.missing)
    assert note == "no installed font has 1 letter of the names in plots (U+10FF00): it is shown by its code point"
    assert missing_note(frozenset("\ufe0f")) is None
    assert Lettering((), frozenset("\ufe0f")).name("a\ufe0fb") == "ab"


def test_an_installed_font_that_has_them_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts = [
        ("Last Resort High-Efficiency", "all.ttf"),
        ("Broken", "broken.ttf"),
        ("Wide", "wide.ttf"),
        ("Never", "never.ttf"),
    ]
    entries = [SimpleNamespace(name=name, fname=path, style="normal", weight=400) for name, path in fonts]
    monkeypatch.setattr(module, "fontManager", SimpleNamespace(ttflist=entries))

    def font(path: str) -> SimpleNamespace:
        if path == "broken.ttf":
            raise RuntimeError("outlines only")
        letters = {"all.ttf": NOWHERE, "wide.ttf": NOWHERE}.get(path, "ab")
        return SimpleNamespace(get_charmap=lambda: {ord(letter): 1 for letter in letters})

    monkeypatch.setattr(module, "get_font", font)
    for cached in (module._found, module._installed, module._letters):
        cached.cache_clear()
    try:
        assert lettering([f"a{NOWHERE}"]) == Lettering(("DejaVu Sans", "Wide"), frozenset())
        assert lettering(["ab"]).families == ("DejaVu Sans",)
    finally:
        for cached in (module._found, module._installed, module._letters):
            cached.cache_clear()


def test_long_names_that_would_look_alike_are_numbered() -> None:
    names = ["a" * 200 + "x" + "b" * 200, "a" * 200 + "y" + "b" * 200]
    shown = lettering(names).names(names)
    assert len(set(shown)) == 2
    assert all("…" in name for name in shown)
