from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from gnnfuse.data import SampleStream
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import TextTokens
from gnnfuse.sample import Sample
from gnnfuse.testing import example_builder
from gnnfuse.train import Batches, FitConfig
from gnnfuse.train.batches import Samples

BUILDER = GraphBuilder([TextTokens(word_dropout=0.5)], target=ClassTarget(("no", "yes")))


def sample(number: int) -> Sample:
    return Sample({"text": f"sample number {number}"}, target=("no", "yes")[number % 2], id=str(number))


@dataclass(frozen=True)
class Stream(SampleStream):
    """Numbered samples; with gaps in the numbers where `leaves_out` says so, and perhaps a wrong size."""

    count: int
    said: int | None = None
    leaves_out: int = 0

    def share(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
        for number in range(index, self.count, count):
            if not self.leaves_out or number % self.leaves_out:
                yield number, sample(number)

    def size(self) -> int | None:
        return self.said


def sources(count: int) -> list[Samples]:
    return [[sample(number) for number in range(count)], Stream(count, said=count), Stream(count)]


def config(**other: Any) -> FitConfig:
    return FitConfig(**{"batch_size": 4, "device": "cpu", "seed": 5, "shuffle_buffer": 6, "augment": True, **other})


def made(samples: Samples, config: FitConfig, *, epoch: int = 0, done: int = 0, rank: int = 0) -> Batches:
    batches = Batches(BUILDER, samples, config, training=True)
    batches.for_process(rank, config.processes)
    batches.load_state_dict({"epoch": epoch, "done": done})
    return batches


def ids(batches: Sequence[Any]) -> list[str]:
    return [name for batch in batches for name in batch.ids]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("source", [0, 1, 2])
def test_reading_goes_on_anywhere_with_the_same_batches(source: int, workers: int) -> None:
    samples, how = sources(22)[source], config(workers=workers)
    whole = list(made(samples, how, epoch=1))
    assert sorted(ids(whole), key=int) == [str(number) for number in range(22)]
    for done in (1, 4, len(whole) - 1, len(whole)):
        rest = list(made(samples, how, epoch=1, done=done))
        assert rest == whole[done:]  # tensors too: what augmentation draws follows from seed, epoch and number


@pytest.mark.parametrize("source", [0, 1, 2])
@pytest.mark.parametrize(("devices", "accumulate", "workers"), [(2, 1, 0), (2, 2, 0), (4, 1, 2)])
def test_processes_share_out_every_sample_once_with_equally_many_batches(
    source: int, devices: int, accumulate: int, workers: int
) -> None:
    how = config(devices=devices, accumulate=accumulate, workers=workers)
    found = [list(made(sources(21)[source], how, rank=rank)) for rank in range(devices)]
    assert sorted(ids([batch for of_rank in found for batch in of_rank]), key=int) == [str(n) for n in range(21)]
    assert len({len(of_rank) for of_rank in found}) == 1
    assert len(found[0]) == len(made(sources(21)[source], how))
    assert len(found[0]) % accumulate == 0


def test_a_step_of_a_sequence_has_the_same_samples_on_any_number_of_devices() -> None:
    alone = list(made(sources(21)[0], config()))
    pair = [list(made(sources(21)[0], config(devices=2, accumulate=2), rank=rank)) for rank in range(2)]
    for step, batch in enumerate(alone):
        parts = [of_rank[2 * step + part] for of_rank in pair for part in range(2)]
        assert sorted(ids(parts)) == sorted(batch.ids)


@pytest.mark.parametrize("source", [0, 1])
def test_the_order_is_new_in_every_epoch_and_the_same_for_one_seed(source: int) -> None:
    orders = [
        ids(list(made(sources(22)[source], config(seed=s), epoch=e))) for s, e in ((5, 0), (5, 0), (5, 1), (6, 0))
    ]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3


def test_a_stream_that_leaves_rows_out_is_read_whole() -> None:
    found = list(made(Stream(22, leaves_out=5), config(workers=2)))
    assert sorted(ids(found), key=int) == [str(number) for number in range(22) if number % 5]


@pytest.mark.parametrize("said", [20, 25])
def test_a_stream_that_says_a_wrong_size_is_told(said: int) -> None:
    with pytest.raises(ValueError, match="the size that the samples report is wrong"):
        list(made(Stream(22, said=said), config()))


def test_a_stream_that_repeats_a_sample_is_told() -> None:
    class Twice(Stream):
        def share(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
            yield from ((0, sample(0)) for _ in range(2))

    with pytest.raises(ValueError, match="found sample number 0 after 0"):
        list(made(Twice(2, said=2), config()))


def test_a_stream_is_dealt_out_in_equal_parts_only() -> None:
    with pytest.raises(ValueError, match=r"batch_size=4 for 3 parts"):
        len(made(sources(9)[1], config(devices=3)))


def test_a_batch_of_no_sample_is_a_batch() -> None:

    for builder in (BUILDER, example_builder()):
        nothing = builder.no_samples()
        assert (len(nothing), nothing.num_nodes, nothing.ids, nothing.edges.num_edges) == (0, 0, (), 0)
        assert nothing.relations == builder.relations
        assert set(nothing.values) == {node_type.name for node_type in builder.node_types}
        assert nothing.to("cpu") == nothing
        assert torch.equal(nothing.edges.offsets, torch.zeros(1, dtype=torch.int64))


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_sequence_of_samples_is_refused() -> None:
    samples = [sample(0), sample(1)]
    batch: Any = BUILDER(samples)
    strangers: list[Any] = [iter(samples), batch, {"a": 1}, samples[0]]
    for stranger, kind in zip(strangers, ("list_iterator", "GraphBatch", "dict", "Sample"), strict=True):
        with pytest.raises(
            ValueError, match=f"found a {kind} as samples, expected a sequence of Sample objects, such as"
        ):
            made(stranger, config())
    for augment in (False, True):
        with pytest.raises(
            ValueError, match="found a GraphBatch among the samples, expected Sample objects; a batch is"
        ):
            list(made([batch], config(augment=augment)))
