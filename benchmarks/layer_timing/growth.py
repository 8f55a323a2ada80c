"""How time grows with the nodes of one sample at a fixed degree of 20, and where two ways cost the same."""

import math
from collections.abc import Sequence

import numpy as np

from layer_timing.contenders import CONTENDERS, Contender
from layer_timing.run import Row, Settings, prepare, time_entries
from layer_timing.workloads import sequences

SIZES = tuple(256 << power for power in range(7))  # 256 to 16,384
LEAST_NODES = 4  # for three sequences
FITTED_FROM = 1024
NAMES = {"RelationAttention": "auto", "full_attention": "sdpa", "pyg.HGTConv": "pyg"}


def runners() -> tuple[Contender, ...]:
    """One per way: the graph as it chooses itself, full attention, PyG."""
    return tuple(found for found in CONTENDERS if NAMES.get(found.name) == found.impl)


def time_growth(sizes: Sequence[int], ceilings: dict[str, float], settings: Settings) -> list[Row]:
    """Rows of the work "growth", one sample each; all sizes take turns, as the exponent compares them.

    Raises:
        ValueError: a size that does not make three sequences.
        DisagreementError: contenders give different results.
    """
    if min(sizes) < LEAST_NODES:
        raise ValueError(f"growth needs at least {LEAST_NODES} nodes per sample, found {min(sizes)}")
    entries = []
    for nodes in sizes:
        settings.say(f"growth: {nodes:,} nodes")
        entries += prepare(sequences(nodes, "growth", {}), 1, runners(), settings)
    settings.say("growth: timing")
    return time_entries(entries, ceilings, settings)


def curve(rows: Sequence[Row], name: str) -> dict[int, float]:
    """Nodes -> milliseconds of one way."""
    found = [row for row in rows if row["work"] == "growth" and row["name"] == name]
    return {row["nodes"]: row["milliseconds"] for row in found if row["milliseconds"] is not None}


def exponent(times: dict[int, float]) -> float | None:
    """p of time ~ nodes ** p by least squares on both logarithms, from 1,024 nodes on; None below two sizes.

    Example:
        >>> round(exponent({1024: 1.0, 2048: 4.0, 4096: 16.0}), 6)
        2.0
    """
    nodes = [size for size in times if size >= FITTED_FROM]
    if len(nodes) < 2:
        return None
    slope, _ = np.polyfit(np.log(nodes), np.log([times[size] for size in nodes]), 1)
    return float(slope)


def crossing(one: dict[int, float], other: dict[int, float]) -> float | None:
    """Nodes at which the first becomes cheaper than the second for good, between sizes along straight lines in the
    logarithms; None where they do not change places.

    Example:
        >>> crossing({256: 2.0, 1024: 2.0}, {256: 1.0, 1024: 4.0})
        512.0
    """
    sizes = sorted(set(one) & set(other))
    ahead = [math.log(other[size] / one[size]) for size in sizes]
    last = len(sizes) - 1 if ahead and ahead[-1] >= 0 else 0  # who loses in the end is not cheaper for good
    for place in range(last, 0, -1):
        before, after = ahead[place - 1], ahead[place]
        if before < 0 <= after:
            share = before / (before - after)
            return float(round(sizes[place - 1] * (sizes[place] / sizes[place - 1]) ** share, 6))
    return None


def summary(rows: Sequence[Row]) -> dict[str, dict[str, float | None]]:
    """The exponents of all ways, and where each becomes cheaper than full attention."""
    curves = {name: curve(rows, name) for name in NAMES}
    others = [name for name in NAMES if name != "full_attention"]
    return {
        "exponent": {name: exponent(times) for name, times in curves.items()},
        "cheaper_than_full_attention_from_nodes": {
            name: crossing(curves[name], curves["full_attention"]) for name in others
        },
    }
