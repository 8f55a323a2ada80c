"""Small samples of three modalities, and a builder for them."""

from collections.abc import Callable, Mapping

import torch

from gnnfuse.edges import Aligned, Complete, Grid, Window
from gnnfuse.graph import GraphBuilder, TargetEncoding
from gnnfuse.nodes import AudioFrames, Hub, ImagePatches, LogMelFrames, TextTokens
from gnnfuse.sample import Audio, Sample

Draw = Callable[[torch.Generator], object]
"""Makes one random signal, or target, from a generator."""

RATE = 800
LETTERS = "abcdefgh"


def example_builder(*, target: TargetEncoding | None = None) -> GraphBuilder:
    """A small builder for samples of `example_signals`: pictures, recordings, texts and a hub, all joined.

    Example:
        >>> str(example_builder().relations[0])
        'audio-aligned-text'
    """
    node_types = [
        ImagePatches(patch=4, channels=1),
        AudioFrames(sample_rate=RATE, hop=0.05, encoding=LogMelFrames(mels=4, columns=2, width=2)),
        TextTokens(),
        Hub(),
    ]
    rules = [
        Grid(),
        Window(),
        Aligned(by="order"),
        Complete(name="to_hub", dst="hub"),
        Complete(name="of_hub", src="hub"),
    ]
    return GraphBuilder(node_types, [*rules], target=target)


def example_signals() -> Mapping[str, Draw]:
    """The signals that `example_builder` reads: pictures, recordings and texts of different sizes."""
    return {"image": _image, "audio": _audio, "text": _text}


def random_samples(
    generator: torch.Generator, signals: Mapping[str, Draw] | None = None, *, target: Draw | None = None
) -> list[Sample]:
    """Two samples with all signals; for each signal, one without it and one with only it; and one without signals.

    Args:
        generator: the source of all random numbers.
        signals: signal name -> how to draw one; `example_signals()` by default.
        target: how to draw a target; no targets by default.

    Example:
        >>> samples = random_samples(torch.Generator().manual_seed(0))
        >>> [len(sample.signals) for sample in samples]
        [3, 3, 2, 1, 2, 1, 2, 1, 0]
    """
    signals = example_signals() if signals is None else signals
    every = frozenset(signals)
    held = [every, every, *(names for name in signals for names in (every - {name}, frozenset({name}))), frozenset()]
    return [
        Sample(
            {name: draw(generator) for name, draw in signals.items() if name in names},
            target=None if target is None else target(generator),
            id=f"sample {place}",
        )
        for place, names in enumerate(held)
    ]


def _image(generator: torch.Generator) -> object:
    rows, columns = torch.randint(2, 5, (2,), generator=generator).tolist()
    return torch.rand(1, 4 * rows, 4 * columns, generator=generator)


def _audio(generator: torch.Generator) -> object:
    frames = int(torch.randint(3, 8, (), generator=generator))
    return Audio(torch.rand(40 * frames, generator=generator) * 2 - 1, RATE)


def _text(generator: torch.Generator) -> object:
    length = int(torch.randint(2, 10, (), generator=generator))
    return "".join(LETTERS[i] for i in torch.randint(len(LETTERS), (length,), generator=generator).tolist())
