import pickle
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from gnnfuse.edges import Grid, Window
from gnnfuse.graph import BatchMemory, GraphBatch, GraphBuilder
from gnnfuse.nodes import AudioFrames, ImagePatches, NewValues, NodeSet, TextTokens, WaveformFrames, new_values
from gnnfuse.sample import Sample, SignalError
from tests.graph.graphs import EDGE_RULES, NODE_TYPES, random_samples

SIDE = 96  # such a picture's floats are 108 KiB: three of them are memory that is kept for later


def builder() -> GraphBuilder:
    frames = AudioFrames(sample_rate=1000, hop=0.1, encoding=WaveformFrames(), max_nodes=40)
    return GraphBuilder([ImagePatches(patch=16), frames, TextTokens()], [Grid(), Window()])


def files(folder: Path, sizes: Sequence[tuple[int, int]]) -> list[Sample]:
    """Pictures of so many pixels to a side and recordings of so many frames; 0 for none."""
    draw, found = np.random.default_rng(0), []
    for number, (side, frames) in enumerate(sizes):
        signals: dict[str, object] = {"text": "abc"}
        if side:
            signals["image"] = folder / f"{number}.png"
            Image.fromarray(draw.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(folder / f"{number}.png")
        if frames:
            signals["audio"] = folder / f"{number}.wav"
            soundfile.write(folder / f"{number}.wav", draw.uniform(-1, 1, frames), 1000)
        found.append(Sample(signals, id=str(number)))
    return found


def copied(made: GraphBuilder, samples: Sequence[Sample]) -> GraphBatch:
    return made.collate([made.graph(sample) for sample in samples])


SIZES = [
    [(SIDE, 2000)] * 4,
    [(SIDE, 2000)],
    [(0, 0), (SIDE, 2000), (0, 2000), (SIDE, 0)],
    [(SIDE, 2000), (200, 3950), (50, 1), (SIDE, 999)],  # more than the first had; less; whole frames and parts
    [(16, 1), (SIDE, 4000), (SIDE, 4000)],  # there is no room for what comes after the first
    [(SIDE, 5000), (SIDE, 300)],  # truncated
    [(0, 0), (0, 0)],
]


@pytest.mark.parametrize("sizes", SIZES)
def test_a_batch_is_the_same_wherever_its_values_were_written(tmp_path: Path, sizes: list[tuple[int, int]]) -> None:
    samples = files(tmp_path, sizes)
    expected = copied(builder(), samples)
    made = builder()
    assert made(samples) == expected
    assert made(samples) == expected  # now it knows how many nodes come
    assert made(samples[::-1]) == copied(made, samples[::-1])


def test_random_samples_give_the_same_batches() -> None:
    made = GraphBuilder(NODE_TYPES, EDGE_RULES)
    for seed in range(30):
        samples = random_samples(seed)
        named = [sample.named(place) for place, sample in enumerate(samples)]
        assert made(samples, empty=True) == copied(made, named)


def test_values_that_were_written_into_the_batch_are_not_copied(tmp_path: Path) -> None:
    made, samples = builder(), files(tmp_path, [(SIDE, 2000)] * 3)
    memory = made.batch_memory(3)
    graphs = [made.graph(sample, memory=memory) for sample in samples]
    batch = made.collate(graphs, memory=memory)
    for name in ("image", "audio"):
        nodes = graphs[0].nodes[name]
        assert nodes is not None
        assert nodes.values.data_ptr() == batch.values[name].data_ptr()
        assert not batch.values[name]._is_view()


def test_a_batch_keeps_its_values_while_others_come_and_go(tmp_path: Path) -> None:
    made, samples = builder(), files(tmp_path, [(SIDE, 2000)] * 6)
    first, second = made(samples[:3]), made(samples[3:])
    for _ in range(5):
        made(samples)
        made(samples[1:4])
    assert first == copied(made, samples[:3])
    assert second == copied(made, samples[3:])
    values = first.values["image"]
    del first, second
    made(samples[3:])
    assert torch.equal(values, copied(made, samples[:3]).values["image"])


def test_a_large_batch_is_forgotten(tmp_path: Path) -> None:
    made, (large, small) = builder(), files(tmp_path, [(SIDE, 0), (16, 0)])
    made([large])
    for _ in range(30):
        made([small])
    assert made.batch_memory(1).usual["image"] == 1  # patches per picture
    made([large])
    assert made.batch_memory(1).usual["image"] == 36


def test_a_pickled_batch_carries_its_own_values_and_no_more(tmp_path: Path) -> None:
    samples = files(tmp_path, [(SIDE, 2000), (16, 100), (16, 100), (16, 100)])
    made = builder()
    batch = made(samples)
    assert batch.values["image"].untyped_storage().nbytes() == batch.values["image"].nbytes
    assert pickle.loads(pickle.dumps(batch)) == batch
    assert len(pickle.dumps(batch)) < 1.2 * len(pickle.dumps(copied(made, samples)))


def test_graphs_in_another_order_or_number_are_copied(tmp_path: Path) -> None:
    made, samples = builder(), files(tmp_path, [(SIDE, 2000)] * 3)
    memory = made.batch_memory(3)
    graphs = [made.graph(sample, memory=memory) for sample in samples]
    for order in ([2, 1, 0], [0, 1], [0, 0, 1, 2], [1], [0, 1, 2, 2]):
        found = made.collate([graphs[place] for place in order], memory=memory)
        assert found == copied(made, [samples[place] for place in order])


def test_a_sample_that_cannot_be_read_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    made, samples = builder(), files(tmp_path, [(SIDE, 2000)] * 3)
    broken = Sample({**samples[1].signals, "audio": tmp_path / "none.wav"}, id="broken")
    memory = made.batch_memory(4)
    graphs = []
    for sample in (samples[0], broken, *samples[1:]):
        try:
            graphs.append(made.graph(sample, memory=memory))
        except SignalError:
            assert sample is broken
    assert made.collate(graphs, memory=memory) == copied(made, samples)


class Careless(TextTokens):
    """Asks for other memory than it returns, or for too much, by the first letter."""

    def nodes(self, sample: Sample, *, new: NewValues = new_values) -> NodeSet | None:
        ids = self.token_ids(str(sample.signals["text"]))
        letter = str(sample.signals["text"])[0]
        if letter == "t":
            new((len(ids),), ids.dtype)
        if letter == "f":
            new((len(ids), 7), torch.float32)
        longer = len(ids) + (50 if letter == "l" else 0)
        values = new((longer,), ids.dtype)
        values = values[: len(ids)] if letter == "l" else values
        return NodeSet(values.copy_(ids), (len(ids),))


@pytest.mark.parametrize("texts", list(product(["plain", "twice", "float", "long"], repeat=3)))
def test_a_node_type_may_ask_for_what_it_does_not_return(texts: tuple[str, ...]) -> None:
    samples = [Sample({"text": text}) for text in texts]
    made, expected = GraphBuilder([Careless()]), GraphBuilder([TextTokens()])(samples)
    assert made(samples) == expected
    assert made(samples) == expected


def test_values_given_twice_are_in_the_batch_twice() -> None:
    memory = BatchMemory(2, {})
    values = memory.of("image")((2, 3), torch.float32)
    for _ in range(2):
        memory.place("image", values)
    assert memory.joined("image", [values, values]) is None


def test_more_than_a_gigabyte_is_not_asked_for() -> None:
    memory = BatchMemory(1 << 20, {})
    values = memory.of("image")((1024, 3, 2, 2), torch.float32)
    memory.place("image", values)
    assert values.untyped_storage().nbytes() == values.nbytes
    assert memory.joined("image", [values]) is None
