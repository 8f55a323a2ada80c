"""The batches of one training process: its share of every step, from any position in an epoch."""

import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from gnnfuse.data import SampleStream
from gnnfuse.graph import GraphBatch, GraphBuilder, SampleGraph
from gnnfuse.reading.worker import Loading, worker_context, worker_start
from gnnfuse.sample import Sample
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.graphs import EpochSampler, GraphDataset, GraphParts, Key
from gnnfuse.train.plan import EpochPlan, indexed_plan, part_size, streamed_plan, worker_turns
from gnnfuse.train.streamed import EpochReading, StreamedParts, share_sizes

Samples = Sequence[Sample] | Sequence[SampleGraph] | SampleStream


class Batches:
    """Batches of samples for one process; shuffled for training and, if so configured, augmented.

    Every sample occurs once per epoch, in one process. All processes have equally many batches, some of them empty
    (`EpochPlan`). The content of a batch depends only on the seed, the epoch and the batch's number, so a checkpoint
    needs only `epoch` and `done`.

    Args:
        builder: makes the graphs.
        samples: a sequence of samples or prepared graphs, or a stream.
        config: how to train.
        training: for training rather than evaluation.
        pin_memory: in page-locked memory, for copies to CUDA.

    Attributes:
        epoch: number of the pass over the samples.
        done: batches of the epoch that have been trained on; set by the training loop, because fetched batches are not
            yet trained on.

    Raises:
        ValueError: no samples.
    """

    def __init__(
        self, builder: GraphBuilder, samples: Samples, config: FitConfig, *, training: bool, pin_memory: bool = False
    ) -> None:
        self.builder = builder
        self.samples = samples
        self.config = config
        self.training = training
        self.pin_memory = pin_memory
        self.epoch = 0
        self.done = 0
        self.rank, self.processes = 0, 1
        self._plan: EpochPlan | None = None
        augment_seed = config.seed if training and config.augment else None
        self._seed = config.seed if training else None
        self._source: _Indexed | _Streamed = (
            _Streamed(self, samples, augment_seed)
            if isinstance(samples, SampleStream)
            else _Indexed(self, samples, augment_seed)
        )

    @property
    def accumulate(self) -> int:
        """Batches of this process per step."""
        return self.config.accumulate if self.training else 1

    @property
    def plan(self) -> EpochPlan:
        """How many samples each process takes in each step."""
        if self._plan is None:
            self._plan = self._source.plan()
            if not self._plan.sizes.any():
                kind = "training" if self.training else "evaluation"
                raise ValueError(f"found no {kind} samples, expected at least one")
        return self._plan

    def for_process(self, rank: int, processes: int) -> None:
        """Set this process's rank and the number of processes, before anything is read."""
        if processes != self.processes:
            self._plan = None
        self.rank, self.processes = rank, processes

    def weight(self, number: int) -> float:
        """The weight of the mean loss of this epoch's batch `number`."""
        return self.plan.weight(number, rank=self.rank)

    def set_epoch(self, epoch: int) -> None:
        """Called before each epoch; in a checkpoint's epoch, reading continues where the checkpoint was written."""
        if epoch != self.epoch:
            self.epoch, self.done = epoch, 0

    def __len__(self) -> int:
        return len(self.plan)

    def __iter__(self) -> Iterator[GraphBatch]:
        # Lightning requests the iterator before it sets the epoch: nothing is read before the first batch.
        sizes = self.plan.sizes[:, self.rank].tolist()
        found = self._source.batches()
        for number in range(self.done, len(sizes)):
            batch = next(found, None) if sizes[number] else self.builder.no_samples()
            self._check_count(number, batch, sizes[number])
            if number == len(sizes) - 1:  # nothing is requested afterwards
                self._check_count(number + 1, next(found, None), 0)
            assert batch is not None
            yield batch

    def _check_count(self, number: int, batch: GraphBatch | None, expected: int) -> None:
        count = 0 if batch is None else len(batch)
        if count != expected:
            raise ValueError(
                f"epoch {self.epoch}, batch {number}: found {count} samples, expected {expected}: the size that "
                "the samples report is wrong"
            )

    def state_dict(self) -> dict[str, Any]:
        """The position in the data, which Lightning keeps in checkpoints."""
        return {"epoch": self.epoch, "done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at a position in the data."""
        self.epoch, self.done = state["epoch"], state["done"]

    def close(self) -> None:
        """Let the worker processes end."""
        self._source.close()

    def loader(self, dataset: Any, **options: Any) -> DataLoader[GraphBatch]:
        """A torch `DataLoader` over a data set, with the config's workers."""
        made: DataLoader[GraphBatch] = DataLoader(
            dataset,
            num_workers=self.config.workers,
            pin_memory=self.pin_memory,
            generator=torch.Generator().manual_seed(self.config.seed),
            worker_init_fn=worker_start(),
            multiprocessing_context=worker_context(self.config.workers),
            **options,
        )
        return made


class _Indexed:
    """Batches of a sequence, from a loader that is kept from one epoch to the next."""

    def __init__(
        self, batches: Batches, samples: Sequence[Sample] | Sequence[SampleGraph], augment_seed: int | None
    ) -> None:
        self.of: Batches = weakref.proxy(batches)  # dropping the batches ends their workers at once
        self.dataset = GraphDataset(batches.builder, samples, augment_seed=augment_seed)
        self._loader: DataLoader[GraphBatch] | None = None
        self._loading: Loading[GraphBatch] | None = None

    def plan(self) -> EpochPlan:
        of = self.of
        return indexed_plan(
            len(self.dataset), batch_size=of.config.batch_size, processes=of.processes, accumulate=of.accumulate
        )

    def batches(self) -> Iterator[GraphBatch]:
        if self._loader is None:
            workers = self.of.config.workers > 0
            turns = _Turns(self.of, len(self.dataset))
            self._loader = self.of.loader(
                GraphParts(self.dataset), sampler=turns, batch_size=None, persistent_workers=workers
            )
        self._loading = Loading(self._loader)
        yield from self._loading

    def close(self) -> None:
        self._loader = self._loading = None


class _Turns:
    """An order over all samples; each part of a step takes every n-th of the step's samples."""

    def __init__(self, batches: Batches, count: int) -> None:
        self.of = batches
        self.sampler = EpochSampler(count, seed=batches._seed)

    def __iter__(self) -> Iterator[list[Key]]:
        """The keys of each remaining part that has any."""
        of = self.of
        self.sampler.set_epoch(of.epoch)
        order, seats = self.sampler.order(), of.processes * of.accumulate
        for number in range(of.done, len(of.plan)):
            step, part = divmod(number, of.accumulate)
            of_step = order[step * of.config.batch_size : (step + 1) * of.config.batch_size]
            mine = of_step[part * of.processes + of.rank :: seats].tolist()
            if mine:
                yield [(of.epoch, index) for index in mine]


class _Streamed:
    """Batches of a stream: workers read shares of it and take turns."""

    def __init__(self, batches: Batches, stream: SampleStream, augment_seed: int | None) -> None:
        self.of: Batches = weakref.proxy(batches)
        self.stream = stream
        self.augment_seed = augment_seed
        self._shares: np.ndarray[Any, np.dtype[np.int64]] | None = None

    @property
    def part_size(self) -> int:
        of = self.of
        return part_size(of.config.batch_size, of.processes * of.accumulate, training=of.training)

    def plan(self) -> EpochPlan:
        of = self.of
        self._shares = share_sizes(self.stream, of.processes * max(1, of.config.workers))
        return streamed_plan(self._shares, part_size=self.part_size, processes=of.processes, accumulate=of.accumulate)

    def batches(self) -> Iterator[GraphBatch]:
        """From a new loader for each epoch: its workers receive the epoch and the number of parts already done."""
        of = self.of
        reading = EpochReading(
            epoch=of.epoch,
            rank=of.rank,
            processes=of.processes,
            workers=self._workers(),
            part_size=self.part_size,
            shuffle=None if of._seed is None else (of._seed, of.config.shuffle_buffer),
            augment_seed=self.augment_seed,
        )
        yield from Loading(of.loader(StreamedParts(of.builder, self.stream, reading), batch_size=None))

    def _workers(self) -> tuple[tuple[int, int], ...]:
        """Per worker its share and how many of its parts are done, beginning with the worker whose turn is next."""
        of = self.of
        assert self._shares is not None, "the plan is made before anything is read"
        turns = worker_turns(self._shares[of.rank :: of.processes], self.part_size)
        over, coming = turns[: of.done], turns[of.done :]
        order = list(dict.fromkeys(worker for _, worker in coming))
        order += [worker for worker in range(max(1, of.config.workers)) if worker not in order]
        return tuple((worker, sum(other == worker for _, other in over)) for worker in order)

    def close(self) -> None:
        """Workers end with their epoch."""
