"""The command `gnnfuse cache` and its Python call."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gnnfuse
from gnnfuse.tables import Columns, TableSamples, open_table
from tests.conftest import Run
from tests.nodes.cached.kinds import MAKE
from tests.nodes.pretrained.conftest import _offline as _offline
from tests.nodes.pretrained.conftest import tiny as tiny
from tests.nodes.pretrained.tiny_models import transformers_image


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Five rows with two different pictures and one empty cell each."""
    for seed in (0, 1):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{seed}.png")
    lines = [
        "photo,caption,label",
        "0.png,a cat sat,x",
        "1.png,two dogs,y",
        "0.png,bad head,x",
        ",fed cafe,y",
        "1.png,,x",
    ]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "table.csv"


def test_the_command_encodes_columns_once_and_training_reads_them(tiny: Path, table: Path, run: Run) -> None:
    text, out = MAKE["text"](tiny), table.parent / "features"
    words = [table, "--text-encoder", text.model, "--out", out, "--workers", 0, "--text", "caption", "--device", "cpu"]
    code, shown, told = run("cache", *words)
    assert code == 0, told
    assert re.search(r"^photo +image, not encoded +4 of 4 cells end like pictures", shown, flags=re.MULTILINE)
    assert re.search(rf"^caption +text, by {re.escape(text.model)[:20]}", shown, flags=re.MULTILINE)
    assert counts(shown, "caption") == [4, 0, 1, 0]
    code, shown, _ = run("cache", *words, "--streaming")
    assert (code, counts(shown, "caption")) == (0, [0, 4, 1, 0])
    model = transformers_image(tiny, "vit").model
    encoders, columns = gnnfuse.Encoders(image=model), gnnfuse.ColumnOptions(image="photo")
    [report] = gnnfuse.cache(table, out, encoders=encoders, columns=columns, device="cpu")
    assert (report.made, report.found, report.absent) == (2, 2, 1)
    cached = gnnfuse.CachedNodes(of=MAKE["text"](tiny, signal="caption"), folder=str(out))
    found = [cached.nodes(sample) for sample in rows(table)]
    assert [nodes is None for nodes in found] == [False, False, False, False, True]


def rows(table: Path) -> TableSamples:
    return TableSamples(open_table(table), Columns(image=("photo",), text=("caption",)))


def counts(shown: str, column: str) -> list[int]:
    """How many features of a column were made, were there already, are of empty cells and of unreadable ones."""
    [line] = re.findall(rf"^{column}: features of .*: (.*), in ", shown, flags=re.MULTILINE)
    return [int(number) for number in re.findall(r"\d+", line)]


def test_wrong_input_is_one_line(table: Path, run: Run, tiny: Path) -> None:
    text = MAKE["text"](tiny).model
    for words, part in (
        ((table,), "found no encoder"),
        (
            (table, "--text-encoder", text, "--image", "photo"),
            "found a column for image (photo) without an",
        ),
        ((table, "--text-encoder", text, "--text", "captoin"), "did you mean 'caption'"),
        ((table, "--audio-encoder", "torchaudio/TINY_WAV2VEC2"), "found no audio column"),
    ):
        code, _, told = run("cache", *words, "--out", table.parent / "features", "--device", "cpu")
        assert (code, len(told.strip().splitlines())) == (2, 1), told
        assert part in told


def test_what_cannot_be_read_stops_or_is_listed(tiny: Path, table: Path, run: Run) -> None:
    table.write_bytes(table.read_bytes() + b"0.png,caf\xe9,x\n")
    words = [table, "--text-encoder", MAKE["text"](tiny).model, "--out", table.parent / "features", "--device", "cpu"]
    words += ["--workers", 0, "--text", "caption"]
    code, _, told = run("cache", *words)
    assert code == 2
    assert "row 6" in told
    assert "not UTF-8" in told
    code, shown, _ = run("cache", *words, "--on-error", "skip")
    assert (code, counts(shown, "caption")) == (0, [4, 0, 1, 1])
    assert "not UTF-8" in (table.parent / "features" / "rejects.csv").read_text()
    table.write_bytes(table.read_bytes().replace(b"caf\xe9", b"cafe"))
    assert run("cache", *words, "--on-error", "skip")[0] == 0
    assert (table.parent / "features" / "rejects.csv").read_text() == "row,id,column,reason,left_out\n"
