"""The default benchmark: questions about a handwritten and a spoken digit, inside the package."""

from pathlib import Path

from gnnfuse.bench.bench_task import BenchTask
from gnnfuse.bench.tasks.digit_graphs import EDGE_RULES, node_types
from gnnfuse.data import digits as digits_dataset
from gnnfuse.train import FitConfig


def digits(root: Path | None, quick: bool) -> BenchTask:
    """The task, for five and a half minutes or (quick) one.

    Args:
        root: not needed; the data come with the package.
        quick: fewer samples and epochs.
    """
    return BenchTask(
        dataset=digits_dataset(train=3000, valid=500, test=1000) if quick else digits_dataset(),
        node_types=node_types(patch=4, stride=2, hop=0.04),
        edge_rules=EDGE_RULES,
        config=FitConfig(epochs=6 if quick else 10, patience=None),
        minutes=1.2 if quick else 5.5,
        group="operation",
    )
