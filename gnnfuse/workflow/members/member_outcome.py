"""The outcome of fitted members: each alone and the blend, on held-out rows and on test rows."""

from collections.abc import Sequence
from dataclasses import replace

from gnnfuse.catalog import listed
from gnnfuse.reading import UsableSamples
from gnnfuse.tasks import Blend, Prediction, Task
from gnnfuse.train import Evaluation, evaluate, prepare
from gnnfuse.workflow.members.fit_members import FittedMembers
from gnnfuse.workflow.members.member import BATCH, Member, MemberRows
from gnnfuse.workflow.members.neural import NeuralMember
from gnnfuse.workflow.members.table_rows import member_samples
from gnnfuse.workflow.outcome import OUT_OF_FOLD, FitOutcome, MemberOutcome
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
    held_out = OUT_OF_FOLD if rows.refit else "valid"
    samples = member_samples(plan)
    judged = replace(samples, places=samples.places[rows.judged])
    measured: dict[str, Evaluation] = {held_out: _of_judged(rows, fitted)}
    by_split: dict[str, UsableSamples] = {held_out: judged}
    alone = {name: {held_out: fitted.metrics_of(name)} for name in fitted.members}
    if plan.rows.sizes["test"]:
        test = plan.rows.samples["test"]
        assert isinstance(test, UsableSamples)
        with plan.request.observer.begins("reading test rows", len(test)) as advance:
            graphs = prepare(plan.task.builder, test, advance=advance)
        device = plan.request.config.device
        measured["test"], by_split["test"] = evaluate(fitted.task, graphs, device=device), test
        for name, each in fitted.members.items():
            only = Blend(plan.task.builder.node_types, {name: each.task}, weights={name: 1.0})
            alone[name]["test"] = dict(evaluate(plan.over(only), graphs, device=device).metrics)
    found = [
        MemberOutcome(
            name=member.name,
            weight=fitted.selection.weights.get(member.name, 0.0),
            metrics=alone.get(member.name, {}),
            seconds=fitted.members[member.name].seconds if member.name in fitted.members else 0.0,
            failed=fitted.failed.get(member.name),
        )
        for member in members
    ]
    reports = [each.reports for each in members if isinstance(each, NeuralMember) and each.reports]
    report = list(reports[0].values())[-1] if reports else None
    return FitOutcome(
        task=task, report=report, measured=measured, samples=by_split, members=found, blended=_in_words(rows, fitted)
    )


def _of_judged(rows: MemberRows, fitted: FittedMembers) -> Evaluation:
    """The blend on the rows that its members had not seen."""
    predictions: list[Prediction] = []
    for start in range(0, len(rows.judged), BATCH):
        some = [rows.graphs[row] for row in rows.judged[start : start + BATCH]]
        batch = fitted.task.builder.collate(some)
        predictions += fitted.task.describe(batch, fitted.outputs[start : start + BATCH])
    return Evaluation(fitted.metrics(), tuple(predictions), 0.0)


def _in_words(rows: MemberRows, fitted: FittedMembers) -> str:
    how = {
        "selection": "shares by greedy selection",
        "average": "equal shares, which no selection improved on",
        "best member": "the best member alone, which no blend improved on",
    }[fitted.selection.how]
    mean = ", in a mean of log-probabilities" if fitted.blend.logarithmic else ""
    heat = "" if fitted.blend.temperature == 1 else f"; temperature {fitted.blend.temperature:.2f}"
    return f"{listed(list(fitted.members))} were judged on {rows.rule}: {how}{mean}{heat}"
