"""From a table with pictures, recordings, words and numbers, some missing, to a saved model and answers."""

import csv
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

import gnnfuse as gf

PLACES = ("on the sofa", "in the garden", "at night", "all day", "by the river", "under a tree", "when it rains")


def write_table(folder: Path) -> Path:
    """Forty pets; every fourth has no recording, every fifth no caption."""
    rng = np.random.default_rng(0)
    lines = ["name,photo,clip,caption,weight,species"]
    for number in range(40):
        species = ("cat", "dog")[number % 2]
        pixels = rng.integers(0, 90, (32, 32, 3)) + (140 if species == "cat" else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
        pitch = 700 if species == "cat" else 200
        tone = 0.3 * np.sin(2 * np.pi * pitch * np.arange(2400) / 8000) + rng.normal(0, 0.01, 2400)
        soundfile.write(folder / f"{number}.wav", tone, 8000)
        clip = "" if number % 4 == 0 else f"{number}.wav"
        does = ("purrs", "sleeps", "climbs") if species == "cat" else ("barks", "digs", "swims")
        caption = "" if number % 5 == 0 else f"it {does[number % 3]} {PLACES[number % len(PLACES)]}"
        weight = f"{rng.normal(4 if species == 'cat' else 20):.1f}"
        lines.append(f"pet {number},{number}.png,{clip},{caption},{weight},{species}")
    (folder / "pets.csv").write_text("\n".join(lines) + "\n")
    return folder / "pets.csv"


def main(folder: Path) -> None:
    table = write_table(folder)
    fitted = gf.fit(
        table,
        out=folder / "model",
        columns=gf.ColumnOptions(id="name", target="species"),
        options=gf.FitOptions(dim=32, depth=1),
        config=gf.default_config(epochs=6, batch_size=8, device="cpu"),
        observer=gf.Terminal(),
    )
    print(fitted.metrics["test"])

    # The same rows without recordings: a whole column may be gone.
    rows = list(csv.DictReader(table.open()))
    silent = [{name: cell for name, cell in row.items() if name not in ("clip", "species")} for row in rows]
    answers = gf.predict(
        folder / "model", silent, out=folder / "answers.csv", opening=gf.OpenOptions(media=folder), device="cpu"
    )
    print((folder / "answers.csv").read_text().splitlines()[:3], answers.rows)

    gf.embed(folder / "model", table, out=folder / "vectors.npy", device="cpu")
    print("vectors for search:", np.load(folder / "vectors.npy").shape)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
