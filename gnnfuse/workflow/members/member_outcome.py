"""The outcome of fitted members: each alone and the blend, on held-out rows and on test rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from gnnfuse.catalog import listed
from gnnfuse.graph import GraphBuilder, SampleGraph
from gnnfuse.reading import UsableSamples
from gnnfuse.tasks import Prediction, Task
from gnnfuse.train import Evaluation, prepare
from gnnfuse.workflow.members.fit_members import FittedMembers
from gnnfuse.workflow.members.member import BATCH, Member, MemberRows, answers_of, targets_of
from gnnfuse.workflow.members.neural import NeuralMember
from gnnfuse.workflow.members.table_rows import member_samples
from gnnfuse.workflow.outcome import FitOutcome, MemberOutcome
from gnnfuse.workflow.table_plan import TablePlan


def member_outcome(
    plan: TablePlan, rows: MemberRows, members: Sequence[Member], fitted: FittedMembers, task: Task
) -> FitOutcome:
    """Measure members and blend; test rows are read once.

    Args:
        plan: of the table.
        rows: that the members learnt from.
        members: that were asked for.
        fitted: the members after their fits.
        task: as it is saved.
    """
    samples = member_samples(plan)
    answers = {name: each.answers for name, each in fitted.members.items()}
    judged = _Answered([rows.graphs[row] for row in rows.judged], fitted.targets, answers, fitted.outputs)
    found = {rows.split: judged}
    read = {rows.split: replace(samples, places=samples.places[rows.judged])}
    if plan.rows.sizes["test"]:
        test = plan.rows.samples["test"]
        assert isinstance(test, UsableSamples)
        found["test"], read["test"] = _on_test_rows(plan, test, members, fitted), test
    alone = [
        MemberOutcome(
            name=member.name,
            weight=fitted.selection.weights.get(member.name, 0.0),
            metrics={split: each.of_member(fitted, member.name) for split, each in found.items()},
            seconds=fitted.members[member.name].seconds,
        )
        if member.name in fitted.members
        else MemberOutcome(name=member.name, failed=fitted.failed[member.name])
        for member in members
    ]
    reports = [each.reports for each in members if isinstance(each, NeuralMember) and each.reports]
    return FitOutcome(
        task=task,
        report=list(reports[0].values())[-1] if reports else None,
        measured={split: each.of_blend(fitted) for split, each in found.items()},
        samples=read,
        members=alone,
        blended=_in_words(rows, fitted),
    )


@dataclass(frozen=True, eq=False)
class _Answered:
    """The answers of members, and the outputs of their blend, for some rows.

    Args:
        graphs: of the rows.
        targets: `[rows, ...]`, encoded.
        answers: `[rows, outputs]` by member.
        outputs: `[rows, outputs]`.
    """

    graphs: Sequence[SampleGraph]
    targets: Tensor
    answers: Mapping[str, Tensor]
    outputs: Tensor

    def of_member(self, fitted: FittedMembers, name: str) -> dict[str, float]:
        """The metrics of one member."""
        return fitted.metrics(fitted.task.unblended(self.answers[name]), self.targets)

    def of_blend(self, fitted: FittedMembers) -> Evaluation:
        """The metrics and predictions of the blend."""
        predictions: list[Prediction] = []
        for start in range(0, len(self.graphs), BATCH):
            batch = fitted.task.builder.collate(self.graphs[start : start + BATCH])
            predictions += fitted.task.describe(batch, self.outputs[start : start + BATCH])
        return Evaluation(fitted.metrics(self.outputs, self.targets), tuple(predictions), 0.0)


def _on_test_rows(
    plan: TablePlan, samples: UsableSamples, members: Sequence[Member], fitted: FittedMembers
) -> _Answered:
    """Read the test rows, once for each builder, and let every member answer for them once."""
    graphs: dict[GraphBuilder, list[SampleGraph]] = {}
    answers = {}
    for member in members:
        if member.name in fitted.members:
            builder = plan.task.builder if member.reads is None else member.reads.builder
            if builder not in graphs:
                with plan.request.observer.begins("reading test rows", len(samples)) as advance:
                    graphs[builder] = prepare(builder, samples, advance=advance)
            answers[member.name] = answers_of(fitted.members[member.name].task, graphs[builder])
    read = next(iter(graphs.values()))
    return _Answered(read, targets_of(read), answers, fitted.blend.outputs(answers))


def _in_words(rows: MemberRows, fitted: FittedMembers) -> str:
    several = {
        "selection": "shares by greedy selection",
        "average": "equal shares, which no selection improved on",
        "best member": "the best member alone, which no blend improved on",
    }[fitted.selection.how]
    mean = ", in a mean of log-probabilities" if fitted.blend.logarithmic else ""
    heat = "" if fitted.blend.temperature == 1 else f"; temperature {fitted.blend.temperature:.2f}"
    names = list(fitted.members)
    how = f"{names[0]} was judged on {rows.rule}"
    if len(names) > 1:
        how = f"{listed(names)} were judged on {rows.rule}: {several}{mean}"
    return how + heat
