"""Loading: raw media to batches against the decoders alone, and how busy training on cached features keeps a processor.

Media are made from a seed in a temporary folder: 224x224 JPEG pictures, five seconds of speech-like sound at 16 kHz as
FLAC, WAV and MP3, captions. All contenders read the same files in turns, on one thread, and their process time counts:

    decoders            pillow to an RGB array, soundfile to a float array, the tokenizer, sample by sample: nothing of
                        this library
    decoders by kind    the same, of each batch all pictures, then all recordings, then all captions: faster, as a
                        processor is that goes on with what it did last
    readers             read_image, read_audio, read_text: what is found is checked, and comes as floats in 0..1
    nodes               patches, frames and tokens, sample by sample; a picture's bytes become patches in one pass
    batches, float32    nodes by kind, edges, samples collated, values written where the batch has them: all that a
                        loader does
    batches, uint8      the same with `ImagePatches(dtype="uint8")`, of which the encoder makes the same floats

The second part trains on features in a cache, loading in the training process (0 workers) or beside it (1), and says
which share of an epoch, from its first batch on, it spent in training steps, and which share the training thread was on
a core or, where other programs had both, waiting for one (from Linux's scheduler; the rest it slept, for the disk or
for a worker).

    python benchmarks/loading.py --out benchmarks/results/loading-cpu.json
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile
import torch
import transformers
from lightning.pytorch.callbacks import Callback
from PIL import Image
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torchvision.models import resnet18

import gnnfuse as gf
from gnnfuse.nodes import WaveformFrames
from gnnfuse.sample import Sample, read_audio, read_image, read_text
from layer_timing.environment import environment, installed

RATE, SECONDS, SIDE = 16_000, 5, 224
WORDS = (
    "the",
    "old",
    "red",
    "small",
    "man",
    "woman",
    "dog",
    "bird",
    "stands",
    "runs",
    "sings",
    "near",
    "under",
    "house",
)
PACKAGES = ("pillow", "soundfile", "tokenizers", "transformers", "pyarrow")


def picture(draw: np.random.Generator) -> Image.Image:
    """Smooth colours with edges and a little noise: a JPEG of some 20 kB, as photos of this size are."""
    coarse = Image.fromarray(draw.integers(0, 256, (14, 14, 3), dtype=np.uint8)).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC
    )
    edges = np.kron(draw.integers(0, 64, (28, 28, 1)), np.ones((8, 8, 3), dtype=np.int64))
    pixels = np.asarray(coarse, dtype=np.int64) + edges + draw.normal(0, 4, (SIDE, SIDE, 3)).astype(np.int64)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def speech(draw: np.random.Generator) -> np.ndarray:
    """A buzz of harmonics that comes and goes, and hiss."""
    moment = np.arange(RATE * SECONDS) / RATE
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * moment)) / RATE
    buzz = sum(np.sin(k * pitch) / k for k in range(1, 20))
    envelope = np.clip(np.sin(2 * np.pi * draw.uniform(2, 4) * moment + draw.uniform(0, 6)), 0, 1)
    return (0.2 * buzz * envelope + 0.01 * draw.normal(size=len(moment))).astype(np.float32)


def media(folder: Path, count: int, sound: str) -> list[Sample]:
    draw, found = np.random.default_rng(0), []
    for number in range(count):
        picture(draw).save(folder / f"{number}.jpg", quality=85)
        soundfile.write(folder / f"{number}.{sound}", speech(draw), RATE)
        caption = " ".join(draw.choice(WORDS, 12))
        signals = {"image": folder / f"{number}.jpg", "audio": folder / f"{number}.{sound}", "text": caption}
        found.append(Sample(signals, id=str(number)))
    return found


def tokenizer(texts: Sequence[str]) -> Any:
    made = Tokenizer(models.BPE(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=200, special_tokens=["[UNK]"], show_progress=False))
    fast: Any = transformers.PreTrainedTokenizerFast
    return fast(tokenizer_object=made, unk_token="[UNK]")


def builder(tokens: Any, dtype: Literal["float32", "uint8"] = "float32") -> gf.GraphBuilder:
    types = [
        gf.ImagePatches(patch=16, dtype=dtype),
        gf.AudioFrames(sample_rate=RATE, hop=0.02, encoding=WaveformFrames()),
        gf.TextTokens(tokenizer=tokens),
        gf.Hub(),
    ]
    rules = [
        gf.Grid(),
        gf.Window(size=2),
        gf.Complete(dst="hub", name="to_hub"),
        gf.Complete(src="hub", name="from_hub"),
    ]
    return gf.GraphBuilder(types, rules)


def contenders(samples: Sequence[Sample], batch_size: int) -> dict[str, Callable[[], None]]:
    """Each reads all samples once."""
    tokens = tokenizer([str(sample.signals["text"]) for sample in samples])
    made = {"float32": builder(tokens), "uint8": builder(tokens, "uint8")}
    _agree(made, samples[:batch_size])
    parts = [samples[start : start + batch_size] for start in range(0, len(samples), batch_size)]

    def picture(sample: Sample) -> None:
        with Image.open(str(sample.signals["image"])) as image:
            np.asarray(image.convert("RGB"))

    def recording(sample: Sample) -> None:
        soundfile.read(str(sample.signals["audio"]), dtype="float32")

    def caption(sample: Sample) -> None:
        tokens.encode(sample.signals["text"])

    def decoders() -> None:
        for sample in samples:
            picture(sample)
            recording(sample)
            caption(sample)

    def decoders_by_kind() -> None:
        for part in parts:
            for decode in (picture, recording, caption):
                for sample in part:
                    decode(sample)

    def readers() -> None:
        for sample in samples:
            read_image(sample, "image")
            read_audio(sample, "audio", sample_rate=RATE)
            tokens.encode(read_text(sample, "text"))

    def nodes() -> None:
        for sample in samples:
            for node_type in made["float32"].node_types:
                node_type.nodes(sample)

    def batches(dtype: str) -> None:
        for part in parts:
            made[dtype](part)

    return {
        "decoders": decoders,
        "decoders by kind": decoders_by_kind,
        "readers": readers,
        "nodes": nodes,
        "batches, float32": partial(batches, "float32"),
        "batches, uint8": partial(batches, "uint8"),
    }


def _agree(made: Mapping[str, gf.GraphBuilder], samples: Sequence[Sample]) -> None:
    """Refuses to go on where bytes give a model other states than floats."""
    states = []
    for of_dtype in made.values():
        batch = of_dtype(samples)
        torch.manual_seed(0)
        image = next(node_type for node_type in of_dtype.node_types if node_type.name == "image")
        states.append(image.encoder(8)(batch.values["image"], batch.layout["image"]))
    if not torch.equal(*states):
        raise SystemExit("uint8 and float32 disagree: no figures")


def loading(count: int, batch_size: int, rounds: int, sound: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        samples = media(Path(folder), count, sound)
        calls = contenders(samples, batch_size)
        found: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(rounds + 1):
            for name, call in calls.items():
                begin = time.process_time()
                call()
                if turn:  # the first warms up
                    found[name].append((time.process_time() - begin) / count)

    def rate(name: str, seconds: list[float]) -> float:
        return round(statistics.median(alone / each for alone, each in zip(found[name], seconds, strict=True)), 3)

    return [
        {
            "work": f"{SIDE}x{SIDE} JPEG + {SECONDS} s {sound.upper()} + caption, batches of {batch_size}",
            "name": name,
            "milliseconds_per_sample": round(1000 * statistics.median(seconds), 3),
            "samples_per_second": round(1 / statistics.median(seconds)),
            "rate_of_decoders": rate("decoders", seconds),
            "rate_of_decoders_by_kind": rate("decoders by kind", seconds),
        }
        for name, seconds in found.items()
    ]


def cached_types(folder: Path, samples: Sequence[Sample]) -> list[gf.CachedNodes]:
    """ResNet-18 (7 x 7 nodes of 512) and a small BERT, with random weights: training does not ask for better ones."""
    path = folder / "resnet18.pth"
    torch.manual_seed(0)
    torch.save(resnet18().state_dict(), path)
    config = transformers.BertConfig(hidden_size=256, num_hidden_layers=2, num_attention_heads=4, vocab_size=200)
    transformers.BertModel(config).save_pretrained(folder / "bert")
    tokenizer([str(sample.signals["text"]) for sample in samples]).save_pretrained(folder / "bert")
    types = [
        gf.PretrainedImage(model="torchvision/resnet18", weights=str(path)),
        gf.PretrainedText(model=str(folder / "bert")),
    ]
    return [report.node_type for report in gf.cache_samples(samples, types, folder / "cache", device="cpu")]


def runnable() -> float:
    """Seconds that this thread was on a core or waiting for one."""
    on_core, waiting, _ = Path("/proc/thread-self/schedstat").read_text().split()
    return (int(on_core) + int(waiting)) / 1e9


class Steps(Callback):
    """Seconds within training steps; the rest of an epoch is waiting for batches."""

    def __init__(self) -> None:
        self.within = self.began = self.first = self.last = 0.0
        self.cpu = self.ran = 0.0

    def on_train_batch_start(self, *_: object) -> None:
        """A batch is there."""
        self.began = time.perf_counter()
        if not self.first:
            self.first, self.ran = self.began, runnable()

    def on_train_batch_end(self, *_: object) -> None:
        """It was learnt from."""
        self.last = time.perf_counter()
        self.within += self.last - self.began
        self.cpu = runnable() - self.ran


def training(count: int, rounds: int) -> list[dict[str, Any]]:
    """Epochs of training on cached features, with and without a loader process."""
    found: dict[int, list[tuple[float, float, float]]] = {0: [], 1: []}
    with tempfile.TemporaryDirectory() as folder:
        samples = [
            replace(sample, target="ab"[number % 2]) for number, sample in enumerate(media(Path(folder), count, "wav"))
        ]
        rules = [gf.Grid(), gf.Window(size=2), gf.Complete(dst="hub", name="to_hub")]
        types = cached_types(Path(folder), samples)
        made = gf.GraphBuilder([*types, gf.Hub()], rules, target=gf.ClassTarget(("a", "b")), extra="ignore")
        for turn in range(rounds + 1):
            for workers, shares in found.items():
                torch.manual_seed(0)
                task = gf.Classification(gf.GraphFusion(made.node_types, made.relations, dim=96, depth=3), made)
                steps = Steps()
                config = gf.FitConfig(epochs=1, batch_size=32, progress=False, device="cpu", workers=workers)
                gf.fit_task(task, samples, samples[:8], config, callbacks=[steps])
                wall = steps.last - steps.first
                if turn:
                    shares.append((steps.within / wall, steps.cpu / wall, count / wall))
    return [
        {
            "work": f"{count} samples of 49 x 512 and 12 x 256 features, dim 96, 3 layers, batches of 32",
            "workers": workers,
            "share_in_steps": round(statistics.median(share for share, _, _ in shares), 3),
            "share_runnable": round(statistics.median(share for _, share, _ in shares), 3),
            "samples_per_second": round(statistics.median(rate for _, _, rate in shares)),
        }
        for workers, shares in found.items()
    ]


def show(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sounds", nargs="+", default=["flac", "wav", "mp3"])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for sound in given.sounds for row in loading(given.samples, given.batch_size, given.rounds, sound)]
    show(rows, "Raw media to batches: medians of one thread's process time")
    trained = training(4 * given.samples, max(1, given.rounds // 3))
    show(trained, "Training on cached features: one epoch, medians")
    if given.out is not None:
        known = environment("cpu")
        known["packages"] |= {name: installed(name) for name in PACKAGES}
        given.out.write_text(json.dumps({"environment": known, "loading": rows, "training": trained}, indent=2) + "\n")


if __name__ == "__main__":
    main()
