"""A table of a million rows with cached features trains for one epoch: how much memory that takes.

The table (a Parquet file: a text of two words and a class) and the features (two nodes of 16 numbers per text, drawn
from a seed, written by the cache's own writer under the fingerprint of a small text encoder) are made on disk in a
process of their own. Another opens the table, reads features by content and trains for one epoch through
`gnnfuse.fit_task`. Its memory is looked at every 50 milliseconds; what counts is its highest, less what it had when
libraries were imported and the model was built and had taken one step. Mapped pages of the files are part of it.

    python benchmarks/million_rows.py --out benchmarks/results/million-rows-cpu.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH, NODES, CLASSES, VALID = 16, 2, ("even", "odd"), 1000
WORDS = 1500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to make the files; a temporary folder by default")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--part", choices=["make", "train"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps({"make": make, "train": train}[given.part](given)), flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        given.folder = given.folder or Path(folder)
        report = {"rows": given.rows, **run(given, "make"), **run(given, "train")}
    show(report)
    if given.out is not None:
        from layer_timing.environment import environment

        given.out.write_text(json.dumps({"environment": environment("cpu"), "result": report}, indent=2) + "\n")


def run(given: argparse.Namespace, part: str) -> dict[str, Any]:
    """One part in a process of its own; what it printed last."""
    words = ["--rows", given.rows, "--batch-size", given.batch_size, "--workers", given.workers]
    command = [sys.executable, __file__, "--part", part, "--folder", given.folder, *words]
    finished = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return found


def text_of(number: int) -> str:
    return f"w{number // WORDS} v{number % WORDS}"


def encoder(folder: Path) -> Any:
    """A text encoder with random weights: its features are not computed here, but its fingerprint is."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models

    from gnnfuse.nodes import PretrainedText

    path, hugging = folder / "encoder", transformers
    if not path.exists():
        torch.manual_seed(0)
        config = hugging.BertConfig(
            hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=8
        )
        hugging.BertModel(config).save_pretrained(path)
        made = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1, "[PAD]": 2}, unk_token="[UNK]"))
        fast: Any = hugging.PreTrainedTokenizerFast
        fast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(path)
    return PretrainedText(model=str(path), tokenizer=str(path))


def make(given: argparse.Namespace) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as parquet
    import torch

    from gnnfuse.nodes import CachedNodes, NodeSet
    from gnnfuse.nodes.cached import FeatureFolder, FeatureWriter
    from gnnfuse.sample import Sample

    begin, folder = time.perf_counter(), given.folder
    numbers = range(given.rows)
    texts, labels = [text_of(n) for n in numbers], [CLASSES[n % 2] for n in numbers]
    parquet.write_table(pa.table({"text": texts, "label": labels}), folder / "table.parquet")
    cached = CachedNodes(of=encoder(folder), folder=str(folder / "features"))
    place = FeatureFolder(folder / "features", cached.fingerprint, "float32", cached.command)
    generator = torch.Generator().manual_seed(0)
    with FeatureWriter(place, {}) as writer:
        for number in numbers:
            values = torch.randn(NODES, WIDTH, generator=generator)
            values[:, 0] += number % 2  # something to learn
            key = cached.of.content(Sample({"text": texts[number]}))
            assert key is not None
            writer.add(key, NodeSet(values, (NODES,)))
    size = sum(path.stat().st_size for path in (folder / "features").rglob("*") if path.is_file())
    return {"made_in_seconds": round(time.perf_counter() - begin, 1), "cache_megabytes": round(size / 1e6)}


class Watch(threading.Thread):
    """The highest resident memory of this process and its children, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest = 0
        self.over = threading.Event()

    def look(self) -> int:
        """What it is now."""
        import psutil  # type: ignore[import-untyped]

        own = psutil.Process()
        found = int(own.memory_info().rss)
        for child in own.children(recursive=True):
            try:
                found += int(child.memory_info().rss)
            except psutil.NoSuchProcess:
                continue
        self.highest = max(self.highest, found)
        return found

    def run(self) -> None:
        """Until it is told that all is over."""
        while not self.over.wait(0.05):
            self.look()


def train(given: argparse.Namespace) -> dict[str, Any]:
    import torch

    import gnnfuse as gf
    from gnnfuse.tables import Columns, TableSamples, open_table, target_kind

    torch.set_num_threads(1)
    torch.manual_seed(0)
    cached = gf.CachedNodes(of=encoder(given.folder), folder=str(given.folder / "features"))
    builder = gf.GraphBuilder(
        [cached, gf.Hub()], [gf.Window(size=1), gf.Complete(dst="hub")], target=gf.ClassTarget(CLASSES)
    )
    model = gf.GraphFusion(builder.node_types, builder.relations, dim=16, depth=1)
    task = gf.Classification(model, builder)
    first = [gf.Sample({"text": text_of(n)}, target=CLASSES[n % 2], id=str(n)) for n in range(64)]
    config = gf.FitConfig(epochs=1, batch_size=32, progress=False, device="cpu")
    gf.fit_task(task, first, first, config)  # what libraries and kernels take once
    watch = Watch()
    before = watch.look()
    watch.start()
    table = open_table(given.folder / "table.parquet", cache=given.folder / "tables")
    columns = Columns(text=("text",), target=("label",))
    samples = TableSamples(table, columns, target_kind(table, columns))
    valid = samples[:VALID]
    config = gf.FitConfig(epochs=1, batch_size=given.batch_size, progress=False, device="cpu", workers=given.workers)
    begin, cpu = time.perf_counter(), time.process_time()
    report = gf.fit_task(task, samples, valid, config)
    seconds = time.perf_counter() - begin
    busy = (time.process_time() - cpu) / seconds
    watch.over.set()
    return {
        "samples": report.samples,
        "train_seconds": round(seconds, 1),
        "samples_per_second": round(report.samples / seconds),
        "resident_megabytes_before": round(before / 1e6),
        "resident_megabytes_beyond_the_model": round((watch.highest - before) / 1e6),
        "share_of_time_on_a_core": round(busy, 3),
        "valid": {name: round(value, 4) for name, value in report.best.items()},
        "workers": given.workers,
        "batch_size": given.batch_size,
    }


def show(report: dict[str, Any]) -> None:
    table = Table("what", "found", title="One epoch over a table with cached features")
    for name, found in report.items():
        table.add_row(name.replace("_", " "), f"{found:,}" if isinstance(found, int) else str(found))
    Console().print(table)


if __name__ == "__main__":
    main()
