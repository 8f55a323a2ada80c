"""Samples in sequences and streams, reports of unreadable samples, and the data set inside the package."""

from typing import TYPE_CHECKING

from gnnfuse.data.ceilings import Outcome, ceilings
from gnnfuse.data.dataset import Dataset
from gnnfuse.data.digits import digits
from gnnfuse.data.held_out import HeldOut
from gnnfuse.data.lazy_samples import LazySamples
from gnnfuse.data.rejects import OnError, Reject, write_rejects
from gnnfuse.data.sample_stream import SampleStream
from gnnfuse.moved import moved

__all__ = [
    "Dataset",
    "HeldOut",
    "LazySamples",
    "OnError",
    "Outcome",
    "Reject",
    "SampleStream",
    "ceilings",
    "digits",
    "write_rejects",
]

if not TYPE_CHECKING:
    __getattr__ = moved(
        __name__,
        {
            "gnnfuse": "tables",
            "gnnfuse.tables": "Columns Splits StreamSplit Table TableError TableSamples TableStream TableTarget "
            "guess_columns open_table split_rows split_stream target_kind",
            "gnnfuse.bench.data": "DataError av_digits_pairs av_digits_questions mosi_utterances picture_words",
        },
    )
