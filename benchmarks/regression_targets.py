"""How numeric targets are best learnt: scaled plainly, robustly or as logarithms, by squared error or Huber's loss.

Tables of numbers with targets of several shapes, split at random by the seed. Each variant fits the same small network
by the same steps, and is measured on test rows in the target's own unit: mean absolute and root mean squared error, and
the coverage of 90% intervals calibrated on the validation rows.

    python benchmarks/regression_targets.py --out benchmarks/results/regression-targets-cpu.json
"""

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_diabetes

from gnnfuse.fusion import Unimodal
from gnnfuse.graph import GraphBuilder, NumberTarget
from gnnfuse.graph.robust_scale import robust_scale
from gnnfuse.nodes import Features
from gnnfuse.sample import Sample
from gnnfuse.tasks import Huber, Intervals, Regression, SquaredError, TargetObjective
from gnnfuse.train import FitConfig, evaluate, fit_task

ROWS, WIDTH = 800, 8
SHAPES: Mapping[str, Callable[[Any, Any], Any]] = {  # of the signal and a generator
    "even": lambda f, rng: f + 0.5 * rng.normal(size=len(f)),
    "prices": lambda f, rng: 20 + 200 * np.exp(f + 0.5 * rng.normal(size=len(f))),
    "counts": lambda f, rng: rng.poisson(np.exp(1.2 * f - 0.5)),
    "marks": lambda f, rng: 100 - 5 * np.exp(f + 0.5 * rng.normal(size=len(f))),
    "heavy tails": lambda f, rng: f + 0.5 * rng.standard_t(1.5, size=len(f)),
}
TABLES = (*SHAPES, "diabetes")
METRICS = ("mean_absolute_error", "root_mean_squared_error", "interval_coverage")


def robust(samples: Sequence[Sample]) -> NumberTarget:
    """A robust scale without a logarithm."""
    centre, scale = robust_scale(torch.tensor([float(str(sample.target)) for sample in samples]).double())
    return NumberTarget(1, (centre,), (scale,))


ENCODINGS: Mapping[str, Callable[[Sequence[Sample]], NumberTarget]] = {
    "deviation": NumberTarget.fit,
    "robust": robust,
    "logarithm where skewed": NumberTarget.fit_robust,
}
OBJECTIVES: Mapping[str, Callable[[], TargetObjective]] = {"squared": SquaredError, "Huber": Huber}


def table(name: str, seed: int) -> list[list[Sample]]:
    """Training, validation and test samples."""
    rng = np.random.default_rng(seed)
    if name == "diabetes":
        found = load_diabetes()
        rows, target = found.data, found.target
    else:
        rows = rng.normal(size=(ROWS, WIDTH))
        target = SHAPES[name](rows[:, 0] + 0.7 * np.sin(2 * rows[:, 1]) + 0.5 * rows[:, 2] * rows[:, 3], rng)
    order = rng.permutation(len(rows))
    samples = [Sample({"row": rows[place].astype(np.float32)}, target=float(target[place])) for place in order]
    cuts = [int(0.6 * len(rows)), int(0.75 * len(rows))]
    return [samples[: cuts[0]], samples[cuts[0] : cuts[1]], samples[cuts[1] :]]


def fitted(name: str, encoding: str, objective: str, seed: int) -> dict[str, float]:
    """The test metrics of one variant."""
    train, valid, test = table(name, seed)
    width = len(np.asarray(train[0].signals["row"]))
    builder = GraphBuilder([Features(signal="row", width=width)], target=ENCODINGS[encoding](train)).fit(train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Unimodal(builder.node_types, dim=32, depth=1)
        task = Regression(model, builder, dropout=0.1, objectives=[OBJECTIVES[objective]()])
    config = FitConfig(epochs=20, batch_size=64, learning_rate=4e-3, seed=seed, select="loss", progress=False)
    fit_task(task, train, valid, config)
    batch = builder(valid)
    task.eval()
    with torch.no_grad():
        targets = task.target_of(batch)
        assert isinstance(targets, torch.Tensor)
        task.intervals = Intervals.fit(task(batch), targets)
    found = evaluate(task, test, device="cpu").metrics
    return {metric: found[metric] for metric in METRICS}


def measured(name: str, seeds: int) -> dict[str, dict[str, float]]:
    """The mean metrics of each variant over seeds."""
    found = {}
    for encoding in ENCODINGS:
        for objective in OBJECTIVES:
            runs = [fitted(name, encoding, objective, seed) for seed in range(seeds)]
            found[f"{encoding}, {objective}"] = {
                metric: round(statistics.mean(run[metric] for run in runs), 4) for metric in METRICS
            }
            print(name, encoding, objective, found[f"{encoding}, {objective}"], flush=True)
    return found


def main() -> None:
    """Measure all tables and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    results = {name: measured(name, given.seeds) for name in TABLES}
    given.out.write_text(json.dumps({"seeds": given.seeds, "tables": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
