"""Tables: rows of paths, texts, numbers and media in files of many formats, as samples."""

from gnnfuse.data.tables.blank_notes import blank_notes
from gnnfuse.data.tables.blanks import Blanks
from gnnfuse.data.tables.columns import Columns
from gnnfuse.data.tables.error import TableError
from gnnfuse.data.tables.guess_columns import ColumnGuess, Guess, guess_columns
from gnnfuse.data.tables.media_path import MediaFolder
from gnnfuse.data.tables.open_table import open_table
from gnnfuse.data.tables.row_signals import RowSignals
from gnnfuse.data.tables.split_rows import Splits, split_rows
from gnnfuse.data.tables.split_stream import StreamedSplits, split_stream
from gnnfuse.data.tables.stream_split import StreamSplit
from gnnfuse.data.tables.table import Table
from gnnfuse.data.tables.table_samples import TableSamples
from gnnfuse.data.tables.table_stream import TableStream
from gnnfuse.data.tables.table_target import TableTarget
from gnnfuse.data.tables.target_kind import target_kind

__all__ = [
    "Blanks",
    "ColumnGuess",
    "Columns",
    "Guess",
    "MediaFolder",
    "RowSignals",
    "Splits",
    "StreamSplit",
    "StreamedSplits",
    "Table",
    "TableError",
    "TableSamples",
    "TableStream",
    "TableTarget",
    "blank_notes",
    "guess_columns",
    "open_table",
    "split_rows",
    "split_stream",
    "target_kind",
]
