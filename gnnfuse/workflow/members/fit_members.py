"""From members to a blend: answers for held-out rows, weights, and the final fits."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gnnfuse.observer import Observer
from gnnfuse.tasks import Blend, Task
from gnnfuse.tasks.blend import blended, logarithms
from gnnfuse.tasks.calibration import temperature
from gnnfuse.train.checkpoint_files import CheckpointError
from gnnfuse.workflow.members.member import Member, MemberRows, answers_of
from gnnfuse.workflow.members.selection import Selection, select
from gnnfuse.workflow.table_plan import TablePlan

FAILURES = (ValueError, ArithmeticError, RuntimeError, ImportError)
FINAL = "all rows"
PRIOR = 0.25  # standard deviation of the temperature's logarithm: of nine rows one learns little about it


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedMember:
    """One member after its fits.

    Args:
        name: its name.
        task: fitted on all rows, or in the only fold.
        answers: `[judged rows, outputs]`, for rows that the answering fit had not seen.
        seconds: time of all its fits.
    """

    name: str
    task: Task
    answers: Tensor
    seconds: float


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedMembers:
    """All members of a table, and the task over their blend.

    Args:
        task: answers as the blend does.
        members: by name, in the order in which they were asked for.
        failed: name -> reason of those that could not be fitted.
        selection: the weights, and how they were found.
        outputs: `[judged rows, outputs]`, as the blend gives them for rows that its members had not seen.
        targets: `[judged rows, ...]`, encoded.
    """

    task: Task
    members: Mapping[str, FittedMember]
    failed: Mapping[str, str]
    selection: Selection
    outputs: Tensor
    targets: Tensor

    @property
    def blend(self) -> Blend:
        """The model of the task."""
        assert isinstance(self.task.model, Blend)
        return self.task.model

    def metrics(self, outputs: Tensor | None = None, targets: Tensor | None = None) -> dict[str, float]:
        """The task's metrics for outputs; by default for those of the blend on the judged rows."""
        metrics = self.task.metrics()
        metrics.update(
            *self.task.measured(
                self.outputs if outputs is None else outputs, self.targets if targets is None else targets
            )
        )
        return {name: float(value) for name, value in metrics.compute().items()}


def fit_members(plan: TablePlan, members: Sequence[Member], rows: MemberRows) -> FittedMembers:
    """Fit each member in every fold, choose weights on the rows held out, and fit the members on all rows.

    A member that fails is left out; the observer receives the reason.

    Args:
        plan: of the table.
        members: to fit; the first is kept even if it is not chosen, for its vectors.
        rows: to learn from.

    Raises:
        CheckpointError: a member's checkpoints belong to another run.
        ValueError: every member failed.
    """
    observer, fitted = plan.request.observer, dict[str, FittedMember]()
    failed: dict[str, str] = {}
    for member in members:
        try:
            fitted[member.name] = _fitted(member, rows, observer)
        except CheckpointError:
            raise
        except FAILURES as error:
            failed[member.name] = str(error)
            observer.says(f"member {member.name} is left out: {error}")
    if not fitted:
        raise ValueError("no member could be fitted: " + "; ".join(f"{name}: {why}" for name, why in failed.items()))
    targets = rows.targets[rows.judged]
    first = next(iter(fitted))
    task = fitted[first].task
    answers = {name: found.answers for name, found in fitted.items()}
    selection, logarithmic = _selected(task, answers, targets)
    kept = {name: found.task for name, found in fitted.items() if name == first or name in selection.weights}
    chosen = {name: answers[name] for name in selection.weights}
    outputs, heat = blended(task, chosen, selection.weights, logarithmic=logarithmic), 1.0
    if task.gives_probabilities:  # numbers have no temperature
        heat = temperature(outputs, targets, prior=PRIOR)
        outputs = outputs / heat
    weights = {name: selection.weights.get(name, 0.0) for name in kept}
    blend = Blend(plan.task.builder.node_types, kept, weights=weights, logarithmic=logarithmic, temperature=heat)
    more = plan.covering(plan.over(blend), outputs, targets)
    final = plan.over(blend, **more).eval()
    return FittedMembers(
        task=final, members=fitted, failed=failed, selection=selection, outputs=outputs, targets=targets
    )


def _selected(task: Task, answers: Mapping[str, Tensor], targets: Tensor) -> tuple[Selection, bool]:
    """The better of a mean of answers and a mean of their logarithms, and whether it is the latter."""
    judge: Any = task.judge
    plain = select(answers, lambda mean: float(judge.loss(task.unblended(mean), targets)))
    if not task.gives_probabilities:
        return plain, False
    product = select(logarithms(task, answers), lambda mean: float(judge.loss(mean, targets)))
    return (product, True) if product.loss < plain.loss else (plain, False)


def _fitted(member: Member, rows: MemberRows, observer: Observer) -> FittedMember:
    started, found = time.monotonic(), []
    graphs = rows.graphs if member.reads is None else member.reads.graphs
    with observer.begins(f"member {member.name}", len(rows.held_out) + rows.refit) as advance:
        for fold, held_out in enumerate(rows.held_out):
            task = member.fit(rows.learnt_in(fold), f"fold {fold + 1}")
            found.append(answers_of(task, [graphs[row] for row in held_out]))
            advance()
        if rows.refit:
            task = member.fit(list(rows.all), FINAL)
            advance()
    answers = torch.cat(found)
    if not bool(torch.isfinite(answers).all()):
        raise ArithmeticError("found an answer that is not finite, expected finite numbers")
    return FittedMember(name=member.name, task=task, answers=answers, seconds=time.monotonic() - started)
