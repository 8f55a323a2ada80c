"""A picture, a spoken word and a written word of one concept, from a folder."""

from pathlib import Path

from gnnfuse.bench.bench_task import BenchTask
from gnnfuse.bench.data import picture_words as picture_words_dataset
from gnnfuse.edges import Complete, Grid, Window
from gnnfuse.nodes import AudioFrames, ConvPatches, Hub, ImagePatches, LogMelFrames, TextTokens
from gnnfuse.train import FitConfig


def picture_words(root: Path | None, quick: bool) -> BenchTask:
    """The category of a concept, over all eight languages; new concepts at test time.

    Args:
        root: folder that holds `picture_words`.
        quick: fewer epochs.
    """
    return BenchTask(
        dataset=picture_words_dataset(root, language=None),
        node_types=(
            ImagePatches(patch=16, encoding=ConvPatches(width=16)),
            AudioFrames(sample_rate=8000, hop=0.06, window=0.12, encoding=LogMelFrames(mels=32), max_nodes=48),
            TextTokens(max_nodes=48),
            Hub(),
        ),
        edge_rules=(Grid(), Window(size=2), Complete(dst="hub", name="to_hub"), Complete(src="hub", name="from_hub")),
        config=FitConfig(epochs=2 if quick else 12, patience=None, weight_decay=0.1),
        dropout=0.2,
        group="language",
    )
