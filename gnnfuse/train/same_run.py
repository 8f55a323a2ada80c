"""Whether a checkpoint belongs to the run to be resumed."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from gnnfuse.data import LazySamples, SampleStream
from gnnfuse.graph import SampleGraph
from gnnfuse.sample import Sample
from gnnfuse.saving.describe import describe
from gnnfuse.tasks import Task
from gnnfuse.train.batches import Batches, Samples
from gnnfuse.train.checkpoint_files import CheckpointError
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.frozen import digest_of_frozen, frozen_names

DIGEST = " (digest)"  # suffix of terms whose values are digests, which messages leave out
PARTS = "parts of the task"  # shown in messages; the digest decides
SHOWN, LONGEST = 3, 80  # differences in a message; characters of a value
LOOKED_AT = 1024  # samples of a data set that are compared
FREE = ("device", "progress", "out", "every_seconds", "logs", "resume", "devices", "num_nodes", "strategy", "workers")
Terms = Mapping[str, Any]


def terms_of(task: Task, train: Batches, valid: Batches | None, config: FitConfig) -> dict[str, Any]:
    """The terms that a run must match to continue to the same end, as plain values by name.

    The terms of the data are the number of samples and, for 1,024 of them (evenly spread; the first of a stream), the
    ids, targets, names of signals, and contents of signals that are texts or paths. Pixels, waveforms and rows are not
    compared.
    """
    terms: dict[str, Any] = {name: value for name, value in vars(config).items() if name not in FREE}
    terms["processes"] = config.processes
    if isinstance(train.samples, SampleStream):
        terms["workers"] = config.workers  # each worker reads its own share
    given = {"training": train} if valid is None else {"training": train, "validation": valid}
    for name, batches in given.items():
        terms[f"number of {name} samples"] = int(batches.plan.sizes.sum())
        terms[f"set of {name} samples{DIGEST}"] = _digest_of_samples(batches.samples)
    terms[f"task{DIGEST}"] = _digest(_construction(task))
    terms[PARTS] = dict(_plain(_construction(task)[0], ""))
    if frozen_names(task):  # checkpoints do not hold these
        terms[f"set of frozen weights{DIGEST}"] = digest_of_frozen(task)
    return terms


def check_same_run(found: Terms, expected: Terms, where: str) -> None:
    """Refuse to continue from another run's checkpoint.

    Args:
        found: the terms of the run to be resumed.
        expected: the terms of the checkpoint.
        where: names the checkpoint.

    Raises:
        CheckpointError: names what differs, with both values.

    Example:
        >>> check_same_run({"seed": 1}, {"seed": 0}, "runs")
        Traceback (most recent call last):
        ...
        gnnfuse.train.checkpoint_files.CheckpointError: runs belongs to another run: found seed 1, expected 0; ...
    """
    names = [name for name in {**expected, **found} if name != PARTS and found.get(name) != expected.get(name)]
    if names:
        shown = ", ".join(_differing(name, found.get(name), expected.get(name)) for name in names)
        if f"task{DIGEST}" in names:
            shown += _differing_parts(found.get(PARTS, {}), expected.get(PARTS, {}))
        raise CheckpointError(f"{where} belongs to another run: {shown}; resume with its settings, or write elsewhere")


def _differing(name: str, found: object, expected: object) -> str:
    if name.endswith(DIGEST):
        return f"found another {name.removesuffix(DIGEST)} than expected"
    return f"found {name} {'none' if found is None else found}, expected {'none' if expected is None else expected}"


def _differing_parts(found: Mapping[str, object], expected: Mapping[str, object]) -> str:
    """The differences between two tasks, in words; empty for checkpoints of older versions, which lack the parts."""
    names = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
    if not found or not expected or not names:
        return ""
    shown = "; ".join(_differing(name, found.get(name), expected.get(name)) for name in names[:SHOWN])
    return f" ({shown}{f'; and {len(names) - SHOWN} more' if len(names) > SHOWN else ''})"


def _plain(value: object, where: str) -> Iterator[tuple[str, object]]:
    """The short plain values of a description, by path, such as "model.dim"."""
    if isinstance(value, dict):
        for name, item in value.items():
            inner = name in ("arguments", "dict", "list", "set")
            yield from _plain(item, where if inner else f"{where}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _plain(item, f"{where}[{place}]")
    elif not isinstance(value, str) or len(value) <= LONGEST:
        yield where, value


def _construction(task: Task) -> tuple[object, object]:
    """The description of a task, if it has one (tasks that cannot be saved can be trained), and its tensors' shapes."""
    shapes = {name: list(tensor.shape) for name, tensor in task.state_dict().items()}
    try:
        return describe(task), shapes
    except ValueError:
        return type(task).__qualname__, shapes


def _digest_of_samples(samples: Samples) -> str:
    if isinstance(samples, SampleStream):
        return _digest([_words(sample) for _, sample in islice(samples.share(0, 1), LOOKED_AT)])
    places = np.unique(np.linspace(0, len(samples) - 1, num=min(len(samples), LOOKED_AT), dtype=np.int64)).tolist()
    if isinstance(samples, LazySamples):  # making a sample may read its media
        return _digest([(samples.ids[place], str(samples.targets[place])) for place in places])
    return _digest([_words(samples[place]) for place in places])


def _words(sample: Sample | SampleGraph) -> Sequence[object]:
    if isinstance(sample, SampleGraph):
        target = None if sample.target is None else sample.target.tolist()
        return sample.id, target, sample.sizes.tolist()
    signals = {
        name: str(signal) if isinstance(signal, str | os.PathLike) else type(signal).__name__
        for name, signal in sorted(sample.signals.items())
    }
    return sample.id, str(sample.target), signals


def _digest(value: object) -> str:
    text = json.dumps(value, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
