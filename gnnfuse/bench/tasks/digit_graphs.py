"""Graphs for pictures and recordings of digits and questions about them."""

from gnnfuse.bench.tasks.words import train_tokenizer
from gnnfuse.data import Dataset
from gnnfuse.edges import Complete, Grid, Window
from gnnfuse.nodes import AudioFrames, Hub, ImagePatches, LogMelFrames, NodeType, TextTokens
from gnnfuse.sample import read_text

EDGE_RULES = (Grid(), Window(size=2), Complete(dst="hub", name="to_hub"), Complete(src="hub", name="from_hub"))


def node_types(dataset: Dataset, *, patch: int, stride: int, hop: float) -> tuple[NodeType, ...]:
    """Overlapping patches of a grey picture, overlapping frames at 8 kHz, a hub, and the question's words if any.

    Args:
        dataset: the data set whose training texts the tokenizer is made from.
        patch: side of a patch in pixels.
        stride: pixels between patches.
        hop: seconds between frames; a frame lasts two hops.
    """
    frames = AudioFrames(sample_rate=8000, hop=hop, window=2 * hop, encoding=LogMelFrames(mels=32), max_nodes=64)
    read: tuple[NodeType, ...] = (ImagePatches(patch=patch, stride=stride, channels=1), frames, Hub())
    texts = [text for sample in dataset.train if (text := read_text(sample, "text")) is not None]
    if not texts:
        return read
    return (*read, TextTokens(tokenizer=train_tokenizer(texts), max_nodes=64))
