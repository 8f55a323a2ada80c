"""No time is reported for a wrong result: every implementation against the float64 run of its group's reference."""

from collections.abc import Sequence

import torch
from torch import Tensor

from layer_timing.block import CANNOT_RUN, Problem, problem
from layer_timing.contenders import REFERENCES, Contender
from layer_timing.workloads import Work

MOST_NODES = 8192  # a float64 reference keeps several tensors of edges x dim: 3 GB at 8,192 nodes of degree 20
SLACK = 4  # as in the library's tests: sums in another order err differently, not more
FEW = 16  # so few numbers may all happen to be exact: they are judged by the worst of their like


class DisagreementError(Exception):
    """Two implementations of one thing gave different results."""


def check_agreement(
    contenders: Sequence[Contender], work: Work, samples: int, *, dim: int, heads: int, dtype: torch.dtype, device: str
) -> None:
    """Compare outputs and all gradients on the work itself, or on the same rules over at most 8,192 nodes.

    What cannot run is left out here; its row will say why.

    Raises:
        DisagreementError: an error is larger than rounding explains.
    """
    work, samples = within(work, samples)
    asked = problem(work, samples, dim=dim, heads=heads, dtype=dtype, device=torch.device(device))
    for group in REFERENCES:
        for exact in (True, False):
            members = [found for found in contenders if found.group == group and found.ours == exact]
            size = f"{work.name} ({samples} x {work.nodes} nodes)"
            check_group(group, members, asked if exact else asked.widened(), size)


def within(work: Work, samples: int) -> tuple[Work, int]:
    """The same rules on at most `MOST_NODES` nodes: fewer samples first, then smaller ones."""
    while samples > 1 and samples * work.nodes > MOST_NODES:
        samples //= 2
    while work.nodes > MOST_NODES:
        work = work.halved()
    return work, samples


def check_group(group: str, members: Sequence[Contender], asked: Problem, size: str) -> None:
    """Compare the members with the reference.

    The reference's own error in the dtype is the largest difference from its float64 run on the same rounded
    numbers; a member may err four times as much, and by one step of the dtype at the largest value besides. Of
    results of a few numbers, as a skip weight's gradient is, the largest relative error of all counts for each.
    """
    if not members:
        return
    try:
        exact = REFERENCES[group](asked.in_dtype(torch.float64), "reference").results()
        reference = REFERENCES[group](asked, "reference").results()
    except CANNOT_RUN:
        return
    allowed = allowed_errors(exact, reference, torch.finfo(asked.dtype).eps)
    for member in members:
        try:
            found = member.make(asked, member.impl).results()
        except CANNOT_RUN:
            continue
        for name in [name for name in exact if name in found]:
            error = largest(found[name] - exact[name])
            if not error <= allowed[name]:  # NaN is never right
                raise DisagreementError(
                    f"{member.name} ({member.impl}) on {size}: the {name} differs by {error:.3g} from the float64 "
                    f"reference, rounding explains {allowed[name]:.3g}"
                )


def allowed_errors(exact: dict[str, Tensor], reference: dict[str, Tensor], step: float) -> dict[str, float]:
    """How far a member may be from the truth, by name."""
    sizes = {name: largest(truth) for name, truth in exact.items()}
    errors = {name: largest(reference[name] - truth) for name, truth in exact.items()}
    few = [name for name, truth in exact.items() if truth.numel() <= FEW and sizes[name] > 0]
    worst = max((errors[name] / sizes[name] for name in few), default=0.0)
    errors |= {name: worst * sizes[name] for name in few}
    return {name: SLACK * error + step * sizes[name] for name, error in errors.items()}


def largest(numbers: Tensor) -> float:
    """The largest magnitude, NaN if there is one, 0 of nothing."""
    return float(numbers.abs().max()) if numbers.numel() else 0.0
