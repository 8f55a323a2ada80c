"""One step's parts put together: those accumulated by this process and those of the other processes."""

from collections.abc import Sequence

import torch
from torch import Tensor, distributed
from torch.nn import functional as F

from gnnfuse.readout import Fused
from gnnfuse.tasks import Step
from gnnfuse.tasks.objectives.objective import target_per_sample
from gnnfuse.train.processes import every_process, several

Rows = list[Tensor | None]  # vectors, parts, present, targets; None where there are none


def gathered(steps: Sequence[Step], device: torch.device) -> tuple[Fused, Tensor] | None:
    """The fused vectors and targets of a whole step, as one process would compute them; every process calls this.

    Each process differentiates the loss with respect to its own vectors, holding the others' fixed; the gradient is
    multiplied by the number of processes, because distributed training averages over them. The backward pass
    communicates nothing.

    Args:
        steps: the parts of this process; empty if it has no samples.
        device: the device on which this process trains.

    Returns:
        Vectors, `parts` and `present` if the model gives them, and targets, processes in rank order; None if no
        process has a sample.
    """
    mine = [
        _joined([step.fused.vector for step in steps]),
        _joined([step.fused.parts for step in steps]),
        _joined([step.fused.present for step in steps]),
        _joined([target_per_sample(step) for step in steps]),
    ]
    vector, parts, present, target = _of_every_process(mine, device) if several() else mine
    return None if vector is None or target is None else (Fused(vector, parts, present), target)


def _joined(tensors: Sequence[Tensor | None]) -> Tensor | None:
    found = [each for each in tensors if each is not None]
    return torch.cat(found) if found else None


def _of_every_process(mine: Rows, device: torch.device) -> Rows:
    """Each tensor's rows from all processes; a process without samples contributes none."""
    forms = every_process([None if each is None else (each.shape, each.dtype) for each in mine])
    whole: Rows = []
    for own, known in zip(mine, zip(*forms, strict=True), strict=True):
        form = next((form for form in known if form is not None), None)
        if form is None:
            whole.append(None)
            continue
        (_, *rest), dtype = form
        rows = torch.zeros(0, *rest, dtype=dtype, device=device) if own is None else own
        whole.append(_rows_of_every_process(rows, [0 if form is None else form[0][0] for form in known]))
    return whole


def _rows_of_every_process(rows: Tensor, counts: Sequence[int]) -> Tensor:
    sent = rows.detach().to(torch.uint8) if rows.dtype == torch.bool else rows.detach()
    padded = F.pad(sent, [0, 0] * (rows.ndim - 1) + [0, max(counts) - len(rows)]).contiguous()
    found = [torch.empty_like(padded) for _ in counts]
    distributed.all_gather(found, padded)
    parts = [each[:count].to(rows.dtype) for each, count in zip(found, counts, strict=True)]
    parts[distributed.get_rank()] = _with_gradient_times(rows, len(counts))
    return torch.cat(parts)


def _with_gradient_times(rows: Tensor, factor: int) -> Tensor:
    """The same values, with the gradient multiplied by a factor."""
    return rows.detach() + (rows - rows.detach()) * factor if rows.requires_grad else rows
