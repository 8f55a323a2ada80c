"""Real pictures (MNIST) and real recordings of digits, from a folder."""

from pathlib import Path

from gnnfuse.bench.bench_task import BenchTask
from gnnfuse.bench.data import av_digits_pairs as pairs_dataset
from gnnfuse.bench.data import av_digits_questions as questions_dataset
from gnnfuse.bench.tasks.digit_graphs import EDGE_RULES, node_types
from gnnfuse.data import Dataset
from gnnfuse.train import FitConfig


def av_digits_questions(root: Path | None, quick: bool) -> BenchTask:
    """Questions about a picture and a recording of independent digits.

    Args:
        root: folder that holds `av_digits`.
        quick: fewer epochs.
    """
    return _task(questions_dataset(root), quick)


def av_digits_pairs(root: Path | None, quick: bool) -> BenchTask:
    """Picture and recording of the same digit, as stored.

    Args:
        root: folder that holds `av_digits`.
        quick: fewer epochs.
    """
    return _task(pairs_dataset(root), quick)


def av_digits_pairs_hard(root: Path | None, quick: bool) -> BenchTask:
    """Picture and recording of the same digit, both degraded after AV-MNIST.

    Args:
        root: folder that holds `av_digits`.
        quick: fewer epochs.
    """
    return _task(pairs_dataset(root, hard=True), quick)


def _task(dataset: Dataset, quick: bool) -> BenchTask:
    return BenchTask(
        dataset=dataset,
        node_types=node_types(dataset, patch=7, stride=7, hop=0.05),
        edge_rules=EDGE_RULES,
        config=FitConfig(epochs=2 if quick else 12, patience=None, learning_rate=3e-3),
        group="operation" if "operation" in dataset.groups else None,
    )
