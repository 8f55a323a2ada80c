"""The figures that the library holds itself to, and what was measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from layer_timing.growth import FITTED_FROM, SIZES, curve, exponent
from layer_timing.run import Row

Measure = Callable[[Sequence[Row]], float | None]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table.

    Args:
        what: the quantity, in words.
        device: "cpu" or "cuda".
        dtype: the numbers it is stated for.
        must: the bound.
        reach: the bound to reach for; None where there is none.
        measure: finds it among the rows; None where it was not measured.
        at_least: larger is better.
        samples: work -> samples that it is stated for.
    """

    what: str
    device: str
    dtype: str
    must: float
    measure: Measure
    reach: float | None = None
    at_least: bool = False
    samples: tuple[tuple[str, int], ...] = ()

    def result(self, rows: Sequence[Row], setting: dict[str, Any]) -> dict[str, Any]:
        """Must, reach for, measured, and whether both are met; met stays None if measured under other conditions."""
        measured = self.measure(rows)
        deviations = self.deviations(rows, setting)

        def met(bound: float | None) -> bool | None:
            if measured is None or bound is None or deviations:
                return None
            return measured >= bound if self.at_least else measured <= bound

        return {
            "figure": self.what,
            "bound": "at least" if self.at_least else "at most",
            "must": self.must,
            "reach_for": self.reach,
            "measured": measured,
            "must_met": met(self.must),
            "reach_for_met": met(self.reach),
            "note": "not measured" if measured is None else "; ".join(deviations),
        }

    def deviations(self, rows: Sequence[Row], setting: dict[str, Any]) -> list[str]:
        """What differs from the conditions that the figure is stated for."""
        stated = {"dim": 256, "heads": 8, "dtype": self.dtype} | ({"threads": 2} if self.device == "cpu" else {})
        found = [f"{key} {setting[key]}, not {value}" for key, value in stated.items() if setting[key] != value]
        samples = {row["work"]: row["samples"] for row in rows}
        found += [f"{work} x{samples[work]}, not x{n}" for work, n in self.samples if samples.get(work, n) != n]
        if self.what.startswith("growth") and not {n for n in SIZES if n >= FITTED_FROM} <= set(curve_sizes(rows)):
            found.append(f"not all of {FITTED_FROM:,} to {SIZES[-1]:,} nodes")
        return found


def curve_sizes(rows: Sequence[Row]) -> list[int]:
    """Sizes in the growth sweep."""
    return list(curve(rows, "RelationAttention"))


def value(rows: Sequence[Row], work: str, name: str, field: str) -> float | None:
    """A number of the contender as a user gets it: what "auto" chooses, or its only implementation."""
    found = [row for row in rows if row["work"] == work and row["name"] == name]
    chosen = [row for row in found if row["impl"] == "auto"] or found
    number: float | None = chosen[0][field] if chosen else None
    return number


def ratio(work: str, one: str, other: str, field: str = "milliseconds") -> Measure:
    """One contender's number over another's."""

    def measure(rows: Sequence[Row]) -> float | None:
        above, below = value(rows, work, one, field), value(rows, work, other, field)
        return None if above is None or not below else above / below

    return measure


def field_of(work: str, name: str, field: str) -> Measure:
    """One contender's number."""
    return lambda rows: value(rows, work, name, field)


def growth(rows: Sequence[Row]) -> float | None:
    """RelationAttention's exponent."""
    return exponent(curve(rows, "RelationAttention"))


CLIP, VIDEO = (("clip", 16),), (("video", 2),)
ON_CPU = (
    (
        "RelationAttention / projections, clip x16",
        1.35,
        1.2,
        CLIP,
        field_of("clip", "RelationAttention", "ratio_to_projections"),
    ),
    (
        "RelationAttention / full attention, clip x16",
        0.70,
        0.55,
        CLIP,
        ratio("clip", "RelationAttention", "full_attention"),
    ),
    (
        "RelationAttention / full attention, video x2",
        0.15,
        0.12,
        VIDEO,
        ratio("video", "RelationAttention", "full_attention"),
    ),
    ("HGT / PyG HGTConv, clip x16", 1 / 8, 1 / 12, CLIP, ratio("clip", "HGT", "pyg.HGTConv")),
    (
        "peak memory of HGT / PyG HGTConv, clip x16",
        1 / 4,
        1 / 6,
        CLIP,
        ratio("clip", "HGT", "pyg.HGTConv", "peak_memory_mb"),
    ),
    ("growth of time with nodes, exponent", 1.1, 1.05, (), growth),
)
CUDA_CLIP, CUDA_VIDEO = (("clip", 256),), (("video", 16),)
ON_CUDA = (
    ("HGT / PyG HGTConv, clip x256", 1 / 10, 1 / 20, CUDA_CLIP, ratio("clip", "HGT", "pyg.HGTConv")),
    ("HGT / PyG HGTConv, video x16", 1 / 10, 1 / 20, CUDA_VIDEO, ratio("video", "HGT", "pyg.HGTConv")),
    (
        "peak memory of HGT / PyG HGTConv, clip x256",
        1 / 5,
        1 / 10,
        CUDA_CLIP,
        ratio("clip", "HGT", "pyg.HGTConv", "peak_memory_mb"),
    ),
    (
        "peak memory of HGT / PyG HGTConv, video x16",
        1 / 5,
        1 / 10,
        CUDA_VIDEO,
        ratio("video", "HGT", "pyg.HGTConv", "peak_memory_mb"),
    ),
    (
        "graph_attention / SDPA, the operators, clip x256",
        1.5,
        1.0,
        CUDA_CLIP,
        ratio("clip", "op.graph_attention", "op.sdpa"),
    ),
    (
        "graph_attention / SDPA, the operators, video x16",
        0.4,
        None,
        CUDA_VIDEO,
        ratio("video", "op.graph_attention", "op.sdpa"),
    ),
)
FLOOR = tuple(
    (f"graph_attention forward, share of {floor}, {work} x{samples}", 0.6, None, ((work, samples),), measure)
    for work, samples in (("clip", 256), ("video", 16))
    for floor, measure in (
        (
            "the memory's bandwidth, every row once",
            field_of(work, "op.graph_attention", "forward_fraction_of_bandwidth"),
        ),
        ("the L2's bandwidth, a row per edge", field_of(work, "op.graph_attention", "forward_fraction_of_gathers")),
    )
)


def figures(device: str) -> list[Figure]:
    """The figures that are stated for a device; those of collating and of segments have benchmarks of their own."""
    dtype = "float32" if device == "cpu" else "bfloat16"
    made = [(line, False) for line in (ON_CPU if device == "cpu" else ON_CUDA)]
    made += [(line, True) for line in (FLOOR if device == "cuda" else ())]
    return [
        Figure(
            what=what, device=device, dtype=dtype, must=must, reach=reach, samples=samples, measure=measure, at_least=up
        )
        for (what, must, reach, samples, measure), up in made
    ]
