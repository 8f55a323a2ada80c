"""The default benchmark: questions about a handwritten and a spoken digit, inside the package."""

from pathlib import Path

from gnnfuse.bench.bench_task import BenchTask
from gnnfuse.bench.tasks.digit_graphs import EDGE_RULES, node_types
from gnnfuse.data import digits as digits_dataset
from gnnfuse.train import FitConfig


def digits(root: Path | None, quick: bool) -> BenchTask:
    """The task: about five minutes on two cores, or (quick) one.

    Every run has the same number of epochs, so that results do not depend on the machine.

    Args:
        root: unused; the data come with the package.
        quick: half the samples, fewer epochs.
    """
    dataset = digits_dataset(train=3000, valid=500, test=1000) if quick else digits_dataset()
    return BenchTask(
        dataset=dataset,
        node_types=node_types(dataset, patch=4, stride=2, hop=0.04),
        edge_rules=EDGE_RULES,
        config=FitConfig(epochs=4 if quick else 8, patience=None, learning_rate=3e-3),
        group="operation",
    )
