"""A table of your own: open it, see what its columns were taken for, split it, and find out what cannot be read."""

import tempfile
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

import gnnfuse as gf
from gnnfuse.data import write_rejects
from gnnfuse.reading import survey
from gnnfuse.tables import TableSamples, guess_columns, open_table, split_rows, target_kind


def write_table(folder: Path) -> Path:
    """A picture, a recording, a text and a number per row; some are missing, one picture is damaged."""
    rng = np.random.default_rng(0)
    lines = ["id,photo,clip,caption,weight,species,owner"]
    for number in range(60):
        species = ("cat", "dog")[number % 2]
        pixels = rng.integers(0, 100, (32, 32, 3)) + (100 if species == "cat" else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
        soundfile.write(folder / f"{number}.wav", rng.uniform(-0.1, 0.1, 4000), 8000)
        clip = f"{number}.wav" if number % 3 else ""
        weight = f"{rng.normal(4 if species == 'cat' else 20):.1f}" if number % 5 else ""
        lines.append(f"pet {number},{number}.png,{clip},seen on day {number},{weight},{species},owner {number // 3}")
    (folder / "7.png").write_bytes(b"this is no picture")
    (folder / "pets.csv").write_text("\n".join(lines) + "\n")
    return folder / "pets.csv"


def main(folder: Path) -> None:
    table = open_table(write_table(folder))
    guess = guess_columns(table, gf.ColumnOptions(target="species", group="owner"))
    print(guess)
    target = target_kind(table, guess.columns)
    print(f"{target.kind}: {target.reason}")
    splits = split_rows(table, guess.columns, target, seed=1)
    print({name: len(rows) for name, rows in splits.named.items()}, splits.rule)

    node_types = [
        gf.ImagePatches(signal="photo", patch=16),
        gf.AudioFrames(signal="clip", sample_rate=8000, hop=0.1),
        gf.TextTokens(signal="caption"),
        gf.Features(signal="features", width=1, blanks=True),
        gf.Hub(),
    ]
    builder = gf.GraphBuilder(
        node_types,
        [gf.Complete(src=("hub",)), gf.Complete(dst=("hub",), name="to_hub")],
        target=gf.ClassTarget(("cat", "dog")),
    )
    samples = TableSamples(table, guess.columns, target)
    found = survey(builder, samples, on_error="missing", splits=splits.named, target_column="species")
    write_rejects(folder / "rejects.csv", found.rejects)
    print((folder / "rejects.csv").read_text().strip())
    print("training rows with", dict(found.present["train"]))

    train, valid = found.usable.among(splits.train), found.usable.among(splits.valid)
    builder = builder.fit(train)  # the scale of the weight, from training rows alone
    task = gf.Classification(gf.GraphFusion(builder.node_types, builder.relations, dim=16, depth=1), builder)
    report = gf.fit_task(task, train, valid, gf.FitConfig(epochs=5, progress=False, device="cpu"))
    print(report.best)
    print([prediction.label for prediction in task.predict(samples[:4])])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
