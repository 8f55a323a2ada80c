"""One work, all contenders, one row each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import torch

from layer_timing.agreement import check_agreement
from layer_timing.block import CANNOT_RUN, Block, problem
from layer_timing.contenders import Contender
from layer_timing.measure import Timing, interleaved, middle, time_once
from layer_timing.memory import peak_megabytes
from layer_timing.traffic import count_bytes
from layer_timing.workloads import Work

Row = dict[str, Any]
BACKWARD = 2  # a backward pass takes two products for each one of the forward pass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What holds for a whole run.

    Args:
        device: "cpu" or "cuda".
        dtype: of states and weights.
        rounds: how often each contender is timed at least.
        seconds: what is quicker is timed for so long at least; on CUDA a fifth of it, as its clock is steadier.
        dim: size of the states.
        heads: attention heads.
        say: takes a line about what goes on.
    """

    device: str
    dtype: torch.dtype
    rounds: int = 7
    seconds: float = 0.5
    dim: int = 256
    heads: int = 8
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True)
class Entry:
    """A row that waits for its times.

    Args:
        row: what is known of it.
        block: what to time; None where it cannot run, for the reason in the row.
    """

    row: Row
    block: Block | None


def time_work(
    work: Work, samples: int, contenders: Sequence[Contender], ceilings: dict[str, float], settings: Settings
) -> list[Row]:
    """Check that the contenders agree, then time them.

    Raises:
        DisagreementError: they do not.
    """
    entries = prepare(work, samples, contenders, settings)
    settings.say(f"{work.name}: timing")
    return with_ratios(time_entries(entries, ceilings, settings))


def prepare(work: Work, samples: int, contenders: Sequence[Contender], settings: Settings) -> list[Entry]:
    """Check that the contenders agree and warm them up.

    Raises:
        DisagreementError: they do not.
    """
    device = torch.device(settings.device)
    sizes: dict[str, Any] = {"dim": settings.dim, "heads": settings.heads, "dtype": settings.dtype}
    settings.say(f"{work.name}: comparing outputs and gradients")
    check_agreement(contenders, work, samples, device=settings.device, **sizes)
    asked = problem(work, samples, device=device, **sizes)
    shown = {
        "device": settings.device,
        "dtype": str(settings.dtype).removeprefix("torch."),
        "samples": samples,
        "nodes": work.nodes,
        "edges": asked.batch.edges.num_edges // samples,
    }
    entries = []
    for contender in contenders:
        settings.say(f"{work.name}: warming up {contender.name} ({contender.impl})")
        row = empty_row(work.name, contender) | shown
        try:
            block = contender.make(asked, contender.impl)
            entries.append(Entry(row | costs(block, device, settings.seconds), block))
        except CANNOT_RUN as error:
            entries.append(Entry(row | {"reason": reason(error)}, None))
    return entries


def time_entries(entries: Sequence[Entry], ceilings: dict[str, float], settings: Settings) -> list[Row]:
    """All rows in their order, timed in turns with each other."""
    blocks = {place: entry.block for place, entry in enumerate(entries) if entry.block is not None}
    device = torch.device(settings.device)
    seconds = settings.seconds / 5 if device.type == "cuda" else settings.seconds
    times = interleaved(blocks, device, rounds=settings.rounds, seconds=seconds)
    return [
        entry.row | (speeds(entry.row, times[place], ceilings) if place in times else {})
        for place, entry in enumerate(entries)
    ]


def empty_row(work: str, contender: Contender) -> Row:
    """All fields that a measurement fills in, still None."""
    measured = ("milliseconds", "forward_milliseconds", "fastest_milliseconds", "host_milliseconds", "rounds")
    counted = ("peak_memory_mb", "bytes", "forward_bytes", "gathered_bytes", "operations")
    fractions = ("fraction_of_bandwidth", "fraction_of_matmul", "forward_fraction_of_bandwidth")
    compared = ("forward_fraction_of_gathers", "ratio_to_projections", "ratio_to_full_attention", "reason")
    named = {"work": work, "name": contender.name, "impl": contender.impl}
    return named | dict.fromkeys((*measured, *counted, *fractions, *compared))


def costs(block: Block, device: torch.device, seconds: float) -> Row:
    """Warm up, then bytes and operations of a run, and the peak of further ones.

    On the CPU the peak varies by some 20 MB with where freed memory happens to lie: the median of three, unless one
    takes longer than that many seconds, as then it holds far more than that.
    """
    time_once(block, device)
    forward_bytes, all_bytes = count_bytes(block.forward, block.backward) if block.countable else (None, None)
    peaks: list[float | None] = []
    begin = perf_counter()
    while len(peaks) < 3 and (not peaks or perf_counter() - begin < seconds):
        peaks.append(peak_megabytes(lambda: time_once(block, device), device))
    known = [peak for peak in peaks if peak is not None]
    return {
        "peak_memory_mb": median(known) if known else None,
        "bytes": all_bytes,
        "forward_bytes": forward_bytes,
        "gathered_bytes": block.gathered_bytes,
        "operations": (1 + BACKWARD) * block.operations,
    }


def speeds(row: Row, times: list[Timing], ceilings: dict[str, float]) -> Row:
    """Medians, and how near they come to the ceilings; the cache's bandwidth counts where all bytes fit into it.

    Gathered bytes are held against the cache's: rows that edges read again and again come from there.
    """
    forward, total, host = middle(times)
    cached = (row["forward_bytes"] or 0) <= ceilings["cache_bytes"]

    def fraction(count: float | None, milliseconds: float, ceiling: str) -> float | None:
        return None if count is None or not ceilings.get(ceiling) else count / (milliseconds / 1e3) / ceilings[ceiling]

    return {
        "milliseconds": total,
        "forward_milliseconds": forward,
        "fastest_milliseconds": min(time.total for time in times),
        "host_milliseconds": host,
        "rounds": len(times),
        "fraction_of_bandwidth": fraction(row["bytes"], total, "bandwidth"),
        "fraction_of_matmul": fraction(row["operations"], total, "matmul"),
        "forward_fraction_of_bandwidth": fraction(
            row["forward_bytes"], forward, "cached_bandwidth" if cached else "bandwidth"
        ),
        "forward_fraction_of_gathers": fraction(row["gathered_bytes"], forward, "cached_bandwidth"),
    }


def with_ratios(rows: list[Row]) -> list[Row]:
    """The same rows with their times over those of the projections, the faster way, and of full attention."""
    bases = {
        "ratio_to_projections": ("projections", "projections_plain"),
        "ratio_to_full_attention": ("full_attention",),
    }
    for field, names in bases.items():
        base = min((row["milliseconds"] for row in rows if row["name"] in names and row["milliseconds"]), default=None)
        for row in rows:
            if base is not None and row["milliseconds"] is not None:
                row[field] = row["milliseconds"] / base
    return rows


def reason(error: BaseException) -> str:
    """What a row says of why there is no number; one line."""
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return text if kind in ("AbsentError", "ValueError") else f"{kind}: {text}"
