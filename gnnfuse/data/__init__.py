"""Data sets: the default task, which works offline, and loaders for real data in a folder."""

from gnnfuse.data.av_digits import av_digits_pairs, av_digits_questions
from gnnfuse.data.ceilings import Outcome, ceilings
from gnnfuse.data.dataset import Dataset
from gnnfuse.data.digits import digits
from gnnfuse.data.held_out import HeldOut
from gnnfuse.data.lazy_samples import LazySamples
from gnnfuse.data.mosi import mosi_utterances
from gnnfuse.data.picture_words import picture_words
from gnnfuse.data.rejects import OnError, Reject, write_rejects
from gnnfuse.data.sample_stream import SampleStream
from gnnfuse.data.shared_folder import DataError
from gnnfuse.data.tables import (
    Columns,
    Splits,
    StreamSplit,
    Table,
    TableError,
    TableSamples,
    TableStream,
    TableTarget,
    guess_columns,
    open_table,
    split_rows,
    split_stream,
    target_kind,
)

__all__ = [
    "Columns",
    "DataError",
    "Dataset",
    "HeldOut",
    "LazySamples",
    "OnError",
    "Outcome",
    "Reject",
    "SampleStream",
    "Splits",
    "StreamSplit",
    "Table",
    "TableError",
    "TableSamples",
    "TableStream",
    "TableTarget",
    "av_digits_pairs",
    "av_digits_questions",
    "ceilings",
    "digits",
    "guess_columns",
    "mosi_utterances",
    "open_table",
    "picture_words",
    "split_rows",
    "split_stream",
    "target_kind",
    "write_rejects",
]
