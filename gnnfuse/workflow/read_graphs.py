"""The graphs of samples in order, with the values that could not be read: for answers, row by row."""

from dataclasses import dataclass, replace

from gnnfuse.data.rejects import OnError, Reject
from gnnfuse.graph import GraphBuilder, SampleGraph
from gnnfuse.reading.reading import column_and_reason
from gnnfuse.sample import Sample, SignalError, with_rest_of


@dataclass(frozen=True)
class Read:
    """The result of reading one sample.

    Args:
        number: its position, from 0.
        id: its id.
        graph: its graph; None if it is left out.
        rejects: the values that could not be read.
    """

    number: int
    id: str
    graph: SampleGraph | None
    rejects: tuple[Reject, ...]


@dataclass(frozen=True)
class GraphReader:
    """Reads one sample after another; targets are not read.

    Args:
        builder: makes the graphs.
        on_error: "stop" raises at the first unreadable value, "missing" treats it as absent, "skip" leaves the sample
            out.
    """

    builder: GraphBuilder
    on_error: OnError

    def read(self, number: int, sample: Sample) -> Read:
        """The sample's graph.

        Raises:
            ValueError: a value cannot be read and `on_error` is "stop".
        """
        sample = replace(sample.named(number), target=None)
        rejects: list[Reject] = []
        while True:
            try:
                return Read(number, str(sample.id), self.builder.graph(sample), tuple(rejects))
            except SignalError as error:
                column, reason = column_and_reason(error)
                if self.on_error == "stop":
                    raise ValueError(f"row {number + 1}, {sample.id!r}, column {column!r}: {reason}") from error
                leaves_out = self.on_error == "skip"
                rejects.append(Reject(number + 1, str(sample.id), column, reason, leaves_out))
                if leaves_out:
                    return Read(number, str(sample.id), None, tuple(rejects))
                sample = with_rest_of(sample, error.reason[1])
