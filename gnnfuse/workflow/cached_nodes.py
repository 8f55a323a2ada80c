"""Frozen encoders run once over a table and replaced by their features."""

from collections.abc import Sequence

from gnnfuse.data import SampleStream
from gnnfuse.data.rejects import OnError
from gnnfuse.encoders import Encoders
from gnnfuse.nodes import NodeType, PretrainedNodes
from gnnfuse.observer import Observer
from gnnfuse.reading.cache_samples import cache_samples
from gnnfuse.sample import Sample
from gnnfuse.train import FitConfig


def cached_nodes(
    node_types: Sequence[NodeType],
    samples: Sequence[Sample] | SampleStream,
    encoders: Encoders,
    *,
    on_error: OnError,
    config: FitConfig,
    observer: Observer,
) -> tuple[NodeType, ...]:
    """Make the features that a cache lacks; returns node types that read from it in place of pretrained ones.

    Features do not change at random in training. Of several training processes, one makes them and the others wait.

    Args:
        node_types: of a table; those of other kinds are returned unchanged.
        samples: all samples of the table.
        encoders: name the cache.
        on_error: as `cache_samples` takes it.
        config: where encoders run, and how many processes read.
        observer: receives progress and results.

    Raises:
        FileNotFoundError: an encoder's weights are not on this machine.
        ValueError: a signal cannot be read and `on_error` is "stop", or another command is writing the same features.
    """
    assert encoders.cache is not None
    reports = cache_samples(
        samples,
        [node_type.without_augmentation() for node_type in node_types if isinstance(node_type, PretrainedNodes)],
        encoders.cache,
        dtype=encoders.cache_dtype,
        workers=config.workers,
        device=config.device,
        on_error=on_error,
        wait=config.processes > 1,
        observer=observer,
    )
    found = iter(reports)
    return tuple(next(found).node_type if isinstance(each, PretrainedNodes) else each for each in node_types)
