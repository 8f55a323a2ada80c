"""Checks that run before every file of a table is read."""

from collections import Counter
from collections.abc import Iterable, Mapping

from gnnfuse.encoders import Encoders
from gnnfuse.graph import GraphBuilder
from gnnfuse.sample import Sample
from gnnfuse.tables import Columns, Table, TableError, TableTarget
from gnnfuse.workflow.fit_options import FitOptions
from gnnfuse.workflow.models import each_named, make_model, model_named
from gnnfuse.workflow.table_nodes import table_nodes, table_rules


def check_model(options: FitOptions, columns: Columns, samples: Iterable[Sample]) -> None:
    """Refuse a model that cannot be made, by making each with small encoders: nothing is loaded.

    Args:
        options: the model and its sizes.
        columns: the role of each column.
        samples: some of the table's samples.

    Raises:
        ValueError: an unknown model or signal, a name that means several models, or sizes that it cannot have.
    """
    nodes = table_nodes(columns, samples, Encoders())
    builder = GraphBuilder(nodes, table_rules(nodes))
    for name in (options.model,) if options.model is not None else each_named(options.neural, nodes):
        make_model(model_named(name, nodes), builder, dim=options.dim, depth=options.depth, seed=0)


def class_counts(table: Table, target: TableTarget, rows: Iterable[int]) -> "Counter[str]":
    """How many of some rows have each class or label; targets that cannot be read have none.

    Example:
        >>> from gnnfuse.tables import ClassCells, open_table
        >>> target = ClassCells(columns=("label",))
        >>> class_counts(open_table([{"label": "cat"}, {"label": "dog"}, {"label": "cat"}]), target, [0, 2])
        Counter({'cat': 2})
    """
    columns = {name: table.column(name) for name in target.columns}
    counts: Counter[str] = Counter()
    for row in rows:
        try:
            found = target.read({name: cells[row] for name, cells in columns.items()})
        except ValueError:  # the survey reports it or leaves the row out
            continue
        if found is not None:
            counts.update(found if isinstance(found, tuple) else (str(found),))
    return counts


def check_classes(table: str, target: TableTarget, counts: Mapping[str, int]) -> None:
    """Refuse training rows with too few classes or labels.

    Args:
        table: its name.
        target: how targets are read; numbers are not checked.
        counts: class or label -> training rows.

    Raises:
        TableError: fewer than two classes, or no label at all.
    """
    if lacking := target.lacking(counts):
        raise TableError(f"table {table}, column {', '.join(target.columns)!r}: {lacking}")
