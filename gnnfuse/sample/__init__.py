"""The first stage: makes samples from files, arrays and texts, and reads their signals."""

from gnnfuse.sample.audio import Audio, read_audio
from gnnfuse.sample.class_name import class_name
from gnnfuse.sample.content import media_digest, text_digest
from gnnfuse.sample.edge_list import EdgeList
from gnnfuse.sample.image import read_image
from gnnfuse.sample.rows import Rows, TensorRows, read_rows
from gnnfuse.sample.sample import Sample, SignalError
from gnnfuse.sample.text import TextFile, read_text
from gnnfuse.sample.unreadable import Unreadable, signal_of, with_rest_of

__all__ = [
    "Audio",
    "EdgeList",
    "Rows",
    "Sample",
    "SignalError",
    "TensorRows",
    "TextFile",
    "Unreadable",
    "class_name",
    "media_digest",
    "read_audio",
    "read_image",
    "read_rows",
    "read_text",
    "signal_of",
    "text_digest",
    "with_rest_of",
]
