"""How pictures and recordings of digits and questions about them become graphs."""

from gnnfuse.edges import Complete, Grid, Window
from gnnfuse.nodes import AudioFrames, Hub, ImagePatches, LogMelFrames, NodeType, TextTokens

EDGE_RULES = (Grid(), Window(size=2), Complete(dst="hub", name="to_hub"), Complete(src="hub", name="from_hub"))


def node_types(*, patch: int, stride: int, hop: float, text: bool = True) -> tuple[NodeType, ...]:
    """Overlapping patches of a grey picture, overlapping frames at 8 kHz, the question's bytes, and hubs.

    Args:
        patch: side of a patch in pixels.
        stride: pixels between patches.
        hop: seconds between frames; a frame lasts two hops.
        text: whether there is a question.
    """
    read: tuple[NodeType, ...] = (
        ImagePatches(patch=patch, stride=stride, channels=1),
        AudioFrames(sample_rate=8000, hop=hop, window=2 * hop, encoding=LogMelFrames(mels=32, width=16), max_nodes=64),
        Hub(),
    )
    return (*read, TextTokens(max_nodes=96)) if text else read
