"""Arrow data that would end the process, or mislead, is refused before a cell is read."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from gnnfuse.tables import TableError, open_table
from gnnfuse.tables.arrow_checks import checked_schema


def texts(offsets: list[int], kind: str = "string", content: bytes = b"abcdef") -> pa.Array:
    """Texts with any offsets, of which Arrow looks at the last."""
    width = np.int64 if kind == "large_string" else np.int32
    buffers = [None, pa.py_buffer(np.array(offsets, width).tobytes()), pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.type_for_alias(kind), len(offsets) - 1, buffers)


def numbers_in_lists(offsets: list[int]) -> pa.Array:
    place = pa.py_buffer(np.array(offsets, np.int32).tobytes())
    return pa.Array.from_buffers(pa.list_(pa.int64()), len(offsets) - 1, [None, place], children=[pa.array([1, 2])])


BROKEN = {
    "huge": texts([0, 2**31 - 1, 3]),
    "negative": texts([0, -5, 3]),
    "descending": texts([0, 4, 1, 5]),
    "large": texts([0, 2**62, 3], "large_string"),
    "binary": texts([0, 2**30, 3], "binary"),
    "list": numbers_in_lists([0, 2**31 - 1, 2]),
    "struct": pa.StructArray.from_arrays([texts([0, 2**31 - 1, 3])], names=["path"]),
    "index": pa.DictionaryArray.from_arrays(pa.array([0, 7], pa.int8()), pa.array(["x"]), safe=False),
}


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("where", ["file", "stream", "memory", "batches"])
@pytest.mark.parametrize("name", BROKEN)
def test_values_that_lead_out_of_their_buffers_are_refused(
    tmp_path: Path, name: str, where: str, streaming: bool
) -> None:
    table = pa.table({"fine": pa.array(range(len(BROKEN[name]))), "broken": BROKEN[name]})
    source: object = table.to_reader() if where == "batches" else table
    if where in ("file", "stream"):
        source = tmp_path / "a.arrow"
        with (pa.ipc.new_file if where == "file" else pa.ipc.new_stream)(str(source), table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(TableError, match=r"column 'broken': found damaged Arrow data"):
        list(open_table(source, streaming=streaming).each(["broken"]))


def test_texts_that_are_not_utf8_disturb_their_own_cell_only(tmp_path: Path) -> None:
    table = pa.table({"text": texts([0, 1, 3], content=b"a\xffb")})
    assert open_table(table).column("text") == ["a", "\udcffb"]


def test_a_field_that_stands_twice_in_structs_is_named() -> None:
    struct = pa.struct([("x", pa.int8()), ("x", pa.int8())])
    with pytest.raises(TableError, match="table a, column 'column 1': field 'x' occurs twice in its structs"):
        checked_schema(pa.schema([("", pa.list_(struct))]), "a")
