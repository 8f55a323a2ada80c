"""Tables: rows of paths, texts, numbers and media in files of many formats, as samples."""

from gnnfuse.table_options import ColumnOptions, OpenOptions
from gnnfuse.tables.blank_notes import blank_notes
from gnnfuse.tables.blanks import Blanks
from gnnfuse.tables.class_cells import ClassCells
from gnnfuse.tables.columns import Columns
from gnnfuse.tables.error import TableError
from gnnfuse.tables.guess_columns import ColumnGuess, Guess, guess_columns
from gnnfuse.tables.label_cells import LabelCells
from gnnfuse.tables.media_path import MediaFolder
from gnnfuse.tables.number_cells import NumberCells
from gnnfuse.tables.open_table import open_table
from gnnfuse.tables.row_signals import RowSignals
from gnnfuse.tables.split_rows import Splits, split_rows
from gnnfuse.tables.split_stream import StreamedSplits, split_stream
from gnnfuse.tables.stream_split import StreamSplit
from gnnfuse.tables.table import Table
from gnnfuse.tables.table_samples import TableSamples
from gnnfuse.tables.table_stream import TableStream
from gnnfuse.tables.table_target import TableTarget
from gnnfuse.tables.target_kind import target_kind

__all__ = [
    "Blanks",
    "ClassCells",
    "ColumnGuess",
    "ColumnOptions",
    "Columns",
    "Guess",
    "LabelCells",
    "MediaFolder",
    "NumberCells",
    "OpenOptions",
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
