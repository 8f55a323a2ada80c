"""Features: rows of numbers from the user, with optional times and positions."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from gnnfuse.nodes.limit import check_limit, limit_sequence
from gnnfuse.nodes.moments import Moments
from gnnfuse.nodes.node_type import Layout, NodeEncoder, NodeSet, NodeType, Overflow
from gnnfuse.nodes.position import PositionEncoding
from gnnfuse.nodes.summary import MeanSummary
from gnnfuse.nodes.whitening import Whitening
from gnnfuse.sample import Rows, Sample, SignalError, TensorRows, read_rows


@dataclass(frozen=True, kw_only=True)
class Features(NodeType):
    """Rows of features as nodes: precomputed embeddings, sensors, detections, table columns.

    Values are scaled in float64 and then stored in float32, so that a large mean costs no precision.

    Args:
        signal: the signal it reads (see `gnnfuse.sample.read_rows` for accepted values).
        name: the type's name; the signal's by default.
        width: features per row.
        ordered: the rows form a sequence.
        timed: every row has a time.
        coordinates: coordinates of the rows' positions, 0 for none.
        linked: samples list edges into their rows (`Rows.edges`), from which `GivenEdges` makes edges.
        standardise: `fit` learns each feature's mean and scale on the training split.
        mean: `width` numbers to subtract, set by `fit`.
        scale: `width` numbers to divide by, set by `fit`.
        max_nodes: most rows per sample; None for no limit.
        overflow: "truncate" keeps the first rows, "pool" averages neighbours, "raise" refuses.
        noise: standard deviation of the Gaussian noise added when augmenting, in units of the (scaled) features.
        blanks: treat NaN among the values as blanks. A blank becomes the feature's fitted mean (0 before `fit`), and
            each feature that had blanks when fitted gets an indicator column, 1 where it is blank and 0 elsewhere. A
            blank in a feature that had none when fitted becomes the mean without an indicator, as no model has seen
            one there.
        blank_columns: indices of the features with an indicator column, set by `fit`.

    Raises:
        ValueError: a width below 1, fitted numbers of another width, a scale that is not above 0, or blank columns
            without `blanks`.

    Example:
        >>> sensor = Features(signal="sensor", width=6, ordered=True)
        >>> sensor.nodes(Sample({"sensor": torch.zeros(10, 6)})).num_nodes
        10
    """

    signal: str
    name: str = ""
    width: int
    ordered: bool = False
    timed: bool = False
    coordinates: int = 0
    linked: bool = False
    standardise: bool = True
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None
    max_nodes: int | None = 1024
    overflow: Overflow = "truncate"
    noise: float = 0.0
    blanks: bool = False
    blank_columns: tuple[int, ...] = ()
    provides: frozenset[str] = field(default=frozenset(), init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.signal)
        check_limit(self.max_nodes, self.overflow)
        if self.width < 1 or self.coordinates < 0:
            raise ValueError(f"node type {self.name!r}: width must be at least 1, coordinates at least 0")
        for name, fitted in (("mean", self.mean), ("scale", self.scale)):
            if fitted is not None and len(fitted) != self.width:
                raise ValueError(f"node type {self.name!r}: {name} has {len(fitted)} numbers, expected {self.width}")
        if self.scale is not None and not min(self.scale) > 0:
            raise ValueError(f"node type {self.name!r}: scale must be above 0, found {min(self.scale)}")
        wrong = [column for column in self.blank_columns if not (self.blanks and 0 <= column < self.width)]
        if wrong:
            raise ValueError(
                f"node type {self.name!r}: blank_columns has {wrong[0]}, expected blanks=True and numbers "
                f"of features from 0 to {self.width - 1}"
            )
        if self.linked and self.overflow == "pool":
            raise ValueError(f"node type {self.name!r}: rows that edges refer to cannot be pooled; truncate or raise")
        words = (
            {"features"}
            | ({"edges"} if self.linked else set())
            | ({"order"} if self.ordered else set())
            | ({"time"} if self.timed else set())
        )
        object.__setattr__(self, "provides", frozenset(words | ({"position"} if self.coordinates else set())))

    @property
    def columns(self) -> int:
        """Numbers per node: the features, and an indicator column for each that may be blank."""
        return self.width + len(self.blank_columns)

    def empty(self) -> NodeSet:
        """No rows."""
        position = torch.zeros(0, self.coordinates) if self.coordinates else None
        return NodeSet(torch.zeros(0, self.columns), (0,), position, torch.zeros(0, 2) if self.timed else None)

    def nodes(self, sample: Sample) -> NodeSet | None:
        """The rows, scaled as fitted: `[nodes, width]`, then the columns that mark blanks."""
        rows = self._rows(sample)
        if rows is None:
            return None
        if rows.edges and not self.linked:
            raise SignalError(sample, self.signal, "rows with edges", f"none (see {type(self).__name__}, linked)")
        found = {"a time": rows.time is not None, "a position": rows.position is not None}
        promised = {"a time": self.timed, "a position": self.coordinates > 0}
        if rows.position is not None and self.coordinates not in (0, rows.position.shape[1]):
            found_shape = f"position of shape {tuple(rows.position.shape)}"
            raise SignalError(sample, self.signal, found_shape, f"[{len(rows.position)}, {self.coordinates}]")
        for what in found:
            if promised[what] and not found[what]:
                raise SignalError(sample, self.signal, f"rows without {what}", f"{what} for every row")
            if found[what] and not promised[what]:
                raise SignalError(sample, self.signal, f"rows with {what}", f"none (see {type(self).__name__})")
        mean, scale, columns = self._fitted
        values = ((rows.values - mean) / scale).float()
        if self.blanks:
            blank = values.isnan()
            values = torch.cat([torch.where(blank, 0.0, values), blank[:, columns].float()], dim=1)
        nodes = NodeSet(
            values, (len(values),), rows.position, rows.time, extra={"edges": rows.edges} if self.linked else {}
        )
        return limit_sequence(nodes, self.max_nodes, self.overflow, sample=sample, signal=self.signal)

    def encoder(self, dim: int) -> NodeEncoder:
        """A linear map, plus time and position if there are any."""
        return RowEncoder(self.columns, dim, timed=self.timed, coordinates=self.coordinates, ordered=self.ordered)

    def summary(self) -> MeanSummary:
        """The mean row."""
        return MeanSummary(self.columns)

    @property
    def augments(self) -> bool:
        """Whether signals are changed at random in training."""
        return self.noise > 0

    def augment(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample with noise on its rows."""
        rows = self._rows(sample) if self.noise else None
        if rows is None:
            return sample
        noise = torch.randn(rows.values.shape, generator=generator) * self.noise
        _, scale, _ = self._fitted
        changed = Rows(rows.values + noise * scale, rows.time, rows.position, rows.edges)
        return replace(sample, signals={**sample.signals, self.signal: changed})

    def fit(self, samples: Iterable[Sample]) -> Self:
        """The same type with each feature's mean and scale over all rows of `samples`, and the features with blanks.

        Rows are streamed, not kept.

        Raises:
            ValueError: no sample has the signal.
        """
        if not self.standardise and not self.blanks:
            return self
        moments = Moments(self.width)
        for sample in samples:
            rows = self._rows(sample)
            if rows is not None:
                moments.add(rows.values)
        if not moments.rows:
            raise ValueError(f"node type {self.name!r}: no training sample has signal {self.signal!r} to fit scales on")
        blank = tuple(int(column) for column in moments.blank.nonzero())
        mean, scale = tuple(moments.mean.tolist()), tuple(moments.scale.tolist())
        if not self.standardise:  # a blank becomes 0 after the mean is subtracted, so the mean must be
            scale = (1.0,) * self.width
        return replace(self, mean=mean, scale=scale, blank_columns=blank)

    def _rows(self, sample: Sample) -> TensorRows | None:
        return read_rows(sample, self.signal, width=self.width, blanks=self.blanks, dtype=torch.float64)

    @cached_property
    def _fitted(self) -> tuple[Float64[Tensor, "width"], Float64[Tensor, "width"], Int64[Tensor, "blank"]]:
        """Mean, scale and the columns that may be blank, as tensors."""
        mean = (0.0,) * self.width if self.mean is None else self.mean
        scale = (1.0,) * self.width if self.scale is None else self.scale
        wide = torch.float64
        blank = torch.tensor(self.blank_columns, dtype=torch.int64)
        return torch.tensor(mean, dtype=wide), torch.tensor(scale, dtype=wide), blank


class RowEncoder(NodeEncoder):
    """A linear map of a row, plus sines and cosines of its time, position or place in the sequence.

    Args:
        width: features per row.
        dim: size of the states.
        timed: add the time.
        coordinates: coordinates of the position, 0 for none.
        ordered: add the row's number, if there is no time.
        components: whiten rows to this many components first (`Whitening`); None for no whitening.
    """

    def __init__(
        self,
        width: int,
        dim: int,
        *,
        timed: bool = False,
        coordinates: int = 0,
        ordered: bool = False,
        components: int | None = None,
    ) -> None:
        super().__init__()
        self.width = width
        self.dim = dim
        self.timed = timed
        self.coordinates = coordinates
        self.ordered = ordered
        self.components = components
        self.whitening = None if components is None else Whitening(width, components)
        self.linear = nn.Linear(width if components is None else components, dim)
        self.norm = nn.LayerNorm(dim)
        self.time = PositionEncoding(dim, coordinates=1, periods=(0.1, 100.0), frequencies=16) if timed else None
        self.position = PositionEncoding(dim, coordinates=coordinates) if coordinates else None
        number = ordered and not timed
        self.number = PositionEncoding(dim, coordinates=1, periods=(2.0, 2048.0), frequencies=16) if number else None

    def forward(self, values: Float[Tensor, "nodes width"], layout: Layout) -> Float[Tensor, "nodes dim"]:
        """Rows in, states out."""
        if self.whitening is not None:
            values = self.whitening(values)
        states: Tensor = self.linear(values)
        if self.time is not None:
            assert layout.time is not None
            states = states + self.time(layout.time.mean(dim=1, keepdim=True))
        if self.position is not None:
            assert layout.position is not None
            states = states + self.position(layout.position)
        if self.number is not None:
            states = states + self.number(layout.index.unsqueeze(1))
        normed: Tensor = self.norm(states)
        return normed
