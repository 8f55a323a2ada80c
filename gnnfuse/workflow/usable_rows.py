"""The second step from a table to a task: the rows that can be read, and the node types that read them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from gnnfuse import fit_defaults
from gnnfuse.data.rejects import Reject
from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import NodeType
from gnnfuse.reading import Survey, UsableSamples, UsableStream, survey
from gnnfuse.tables import TableSamples, TableStream
from gnnfuse.workflow.cached_nodes import cached_nodes
from gnnfuse.workflow.early_checks import check_model
from gnnfuse.workflow.fit_request import FitRequest
from gnnfuse.workflow.split_table import SplitTable
from gnnfuse.workflow.table_nodes import table_nodes

TableSurvey = Survey[UsableSamples] | Survey[UsableStream]


@dataclass(frozen=True, eq=False, kw_only=True)
class UsableRows:
    """The samples that can be learnt from, and their node types.

    Args:
        nodes: the node types that read its signals.
        survey: which of the rows can be read.
        rejects: what was left out, including rows of classes that training does not know.
        samples: the usable samples by split.
        sizes: their number by split.
    """

    nodes: tuple[NodeType, ...]
    survey: TableSurvey
    rejects: tuple[Reject, ...]
    samples: Mapping[str, UsableSamples | UsableStream]
    sizes: Mapping[str, int]


def usable_rows(request: FitRequest, split: SplitTable) -> UsableRows:
    """Read every row once; the observer receives unexpected rows and labels.

    Args:
        request: the arguments of `fit`.
        split: the table's target and splits.

    Raises:
        ValueError: a model that cannot be made, or an unreadable value with on_error="stop".
    """
    nodes = _nodes(request, split)
    found = _survey(request, split, nodes)
    for line in _odd_labels(split, found):
        request.observer.says(line)
    rejects = _rejects(request, split, found)
    left_out = _rows_of(rejects)
    names = tuple(split.splits.named)
    return UsableRows(
        nodes=nodes,
        survey=found,
        rejects=rejects,
        samples={name: split.rows.of(name, left_out, found.usable.dropped) for name in names},
        sizes={name: len(split.rows.rows_of(name, left_out)) for name in names},
    )


def _nodes(request: FitRequest, split: SplitTable) -> tuple[NodeType, ...]:
    """The node types; those of frozen encoders read from the cache, if one is named."""
    options, rows = request.options, split.rows
    some = rows.of("train", _rows_of(()), {})
    small = len(rows.rows_of("train", _rows_of(()))) < fit_defaults.SMALL
    still = small and not options.alone and not options.augment  # members train briefly, and read nothing again
    nodes = table_nodes(request.columns, some, options.encoders, small=small, still=still)
    check_model(options, request.columns, some)
    if options.encoders.cache is None:
        return nodes
    samples: TableSamples | UsableStream
    if isinstance(rows.samples, TableStream):  # the stream's length is known by now
        samples = UsableStream(rows.samples, _rows_of(()), {}, rows.num_rows)
    else:
        samples = rows.samples
    return cached_nodes(
        nodes, samples, options.encoders, on_error=options.on_error, config=request.config,
        observer=request.observer,
    )  # fmt: skip


def _survey(request: FitRequest, split: SplitTable, nodes: tuple[NodeType, ...]) -> TableSurvey:
    with request.observer.begins("reading rows", split.rows.num_rows) as advance:
        return survey(
            GraphBuilder(nodes),
            split.rows.samples,
            on_error=request.options.on_error,
            splits=split.splits.named,
            target_column=request.target_column,
            workers=request.config.workers,
            advance=advance,
        )


def _odd_labels(split: SplitTable, found: TableSurvey) -> Iterator[str]:
    """Messages on rows without labels, and on labels that no training row has."""
    labels = split.target.labels
    if found.without_labels:
        why = "" if labels else f": an empty cell of column {split.target.columns[0]!r} means no label"
        yield f"{found.without_labels:,} rows have no labels{why}"
    for label in labels:
        if label not in found.classes["train"]:
            yield f"label {label!r}: no training row has it, so it cannot be learnt"


def _rejects(request: FitRequest, split: SplitTable, survey: TableSurvey) -> tuple[Reject, ...]:
    """What the survey left out, and rows of classes that training does not know."""
    found = list(survey.rejects)
    if split.target.named:
        left_out, known = _rows_of(found), {*survey.classes["train"], *split.target.labels}
        for name in ("valid", "test"):
            if set(survey.classes[name]) - known:
                found += _unknown(request, split, name, known, left_out)
    return tuple(sorted(found, key=lambda reject: reject.row))


def _unknown(
    request: FitRequest, split: SplitTable, name: str, known: set[str], left_out: Int64[np.ndarray, "rows"]
) -> Iterator[Reject]:
    column = request.target_column
    rows = split.rows.rows_of(name, left_out).tolist()
    for row, sample in zip(rows, split.rows.of(name, left_out, {}), strict=True):
        classes = sample.target if isinstance(sample.target, tuple) else (str(sample.target),)
        strange = [each for each in classes if each not in known]
        if strange:
            reason = f"found class {strange[0]!r} in the {name} split, expected one that training rows have"
            if request.options.on_error == "stop":
                raise ValueError(f"row {row + 1}, {str(sample.id)!r}, column {column!r}: {reason}")
            yield Reject(row + 1, str(sample.id), column, reason, True)


def _rows_of(rejects: Iterable[Reject]) -> Int64[np.ndarray, "rows"]:
    """The rows that are left out, from 0 and ascending."""
    return np.unique(np.array([reject.row - 1 for reject in rejects if reject.left_out], dtype=np.int64))
