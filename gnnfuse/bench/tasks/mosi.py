"""Sentiment of spoken utterances, from a folder."""

from pathlib import Path

from gnnfuse.bench.bench_task import BenchTask
from gnnfuse.bench.data import mosi_utterances as mosi_dataset
from gnnfuse.edges import Complete, Window
from gnnfuse.nodes import Features, Hub, TextTokens
from gnnfuse.train import FitConfig


def mosi_utterances(root: Path | None, quick: bool) -> BenchTask:
    """Positive or negative, from the transcript's bytes and the recording's feature vector.

    Args:
        root: folder that holds `mosi_utterances`.
        quick: fewer epochs.
    """
    return BenchTask(
        dataset=mosi_dataset(root),
        node_types=(TextTokens(max_nodes=256), Features(signal="audio", width=73), Hub(count=4)),
        edge_rules=(Window(size=3), Complete(dst="hub", name="to_hub"), Complete(src="hub", name="from_hub")),
        config=FitConfig(epochs=2 if quick else 20, patience=8, weight_decay=0.1),
        dropout=0.2,
    )
