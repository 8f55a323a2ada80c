"""Checks arguments that should be samples."""

from collections.abc import Iterable, Mapping

from gnnfuse.graph.graph_batch import GraphBatch
from gnnfuse.sample import Sample


def listed_samples(found: object) -> list[Sample]:
    """One sample or several as a list.

    Raises:
        ValueError: names the type of the first that is no sample.
    """
    if isinstance(found, Sample):
        return [found]
    if isinstance(found, str | Mapping) or not isinstance(found, Iterable):
        return [checked_sample(found)]
    return [checked_sample(each) for each in found]


def checked_sample(found: object) -> Sample:
    """Return the argument if it is a sample.

    Raises:
        ValueError: names its type.
    """
    if not isinstance(found, Sample):
        hint = "; a batch is what a model or a task takes: model(batch)" if isinstance(found, GraphBatch) else ""
        raise ValueError(f"found a {type(found).__name__} among the samples, expected Sample objects{hint}")
    return found
