"""The members of a table: from their names to objects that fit them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gnnfuse import fit_defaults
from gnnfuse.catalog import listed, unknown
from gnnfuse.nodes import CachedNodes, PretrainedNodes
from gnnfuse.observer import Observer
from gnnfuse.train import prepare
from gnnfuse.workflow.members.fit_members import FAILURES
from gnnfuse.workflow.members.linear import LateMember, LinearMember
from gnnfuse.workflow.members.member import Member, MemberRows, OwnGraphs
from gnnfuse.workflow.members.neural import NeuralMember
from gnnfuse.workflow.members.pooled_rows import PooledRows
from gnnfuse.workflow.members.presets import CLASSICAL, PRESETS
from gnnfuse.workflow.members.table_rows import member_samples
from gnnfuse.workflow.members.trees import TreesMember
from gnnfuse.workflow.models import each_named, model_named
from gnnfuse.workflow.table_model import beside_linear, briefly
from gnnfuse.workflow.table_plan import TablePlan, plan_table
from gnnfuse.workflow.table_task import is_small, task_over

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback


def table_members(plan: TablePlan, rows: MemberRows, folder: Path, *, resume: bool) -> list[Member]:
    """The members that the options name, those that are trained first.

    Args:
        plan: the table and its builder.
        rows: to learn from.
        folder: of checkpoints.
        resume: continue from checkpoints there.

    Raises:
        ValueError: an unknown model or signal.
    """
    options = plan.request.options
    neural = each_named(options.neural, plan.task.builder.node_types)
    seeds = range(PRESETS[options.preset].seeds if options.members is None else 1)
    pooled, beside = _pooled(plan, rows, neural), is_small(plan.rows) and not options.class_weights
    trained = [_neural(plan, rows, folder, name, seed, resume=resume) for name in neural for seed in seeds]
    for each in trained:
        if pooled is not None and beside and each.name.partition(" ")[0] == fit_defaults.MODEL:
            each.around = LinearMember(pooled=pooled)
            each.config = beside_linear(each.config)
    return [*trained, *_tuned(plan, folder, rows, neural, resume=resume), *_classical(plan, pooled)]


def _tuned(
    plan: TablePlan, folder: Path, rows: MemberRows, neural: Sequence[str], *, resume: bool
) -> Iterator[NeuralMember]:
    """The first fusion model over encoders whose last blocks it trains; it reads the rows by node types of its own."""
    request = plan.request
    if not request.tuned:
        return
    options = replace(request.options, encoders=replace(request.options.encoders, tune_last=request.tuned))
    tuned = plan_table(replace(request, options=options, tuned=0, observer=Observer()))
    graphs = prepare(tuned.task.builder, member_samples(tuned))
    own = replace(rows, graphs=graphs)
    member = _neural(tuned, own, folder, neural[0], 0, resume=resume)
    member.name = f"{neural[0]} tuned"
    member.reads = OwnGraphs(tuned.task.builder, graphs)
    member.config = briefly(member.config)
    yield member


def _pooled(plan: TablePlan, rows: MemberRows, neural: Sequence[str]) -> PooledRows | None:
    """The summaries of the rows, if a member reads them and there are any.

    Raises:
        ValueError: members that were named need summaries, and no node type has one.
    """
    if not _classical_names(plan) and fit_defaults.MODEL not in neural:
        return None
    try:
        return PooledRows.of(plan.task.builder, rows.graphs, groups=rows.groups)
    except ValueError as error:  # no node type has a summary
        classical = _classical_names(plan)
        if classical and plan.request.options.members is not None:
            raise
        if classical:
            plan.request.observer.says(f"{listed(classical)} are left out: {error}")
        return None


def _classical_names(plan: TablePlan) -> list[str]:
    return [name for name in plan.request.options.named_members if name.partition(":")[0] in CLASSICAL]


def _classical(plan: TablePlan, pooled: PooledRows | None) -> Iterator[Member]:
    """The members that are solved or grown over summaries of the rows."""
    if pooled is None:
        return
    for name in _classical_names(plan):
        kind, _, signal = name.partition(":")
        if kind == "trees":
            yield TreesMember(pooled=pooled)
        else:
            yield from _linear(pooled if kind == "linear" else _plain(pooled), kind, signal, plan)


def _linear(pooled: PooledRows, kind: str, signal: str, plan: TablePlan) -> Iterator[Member]:
    """All modalities side by side, each alone, and their logits added; or the one that is named."""
    read_by = {node_type.signal: node_type.name for node_type in pooled.node_types}
    if signal:
        if signal not in read_by:
            raise ValueError(unknown("signal", signal, [str(each) for each in read_by]))
        yield LinearMember(pooled=pooled.alone(read_by[signal]), name=f"{kind}:{read_by[signal]}")
        return
    yield LinearMember(pooled=pooled, name=kind)
    if len(read_by) > 1:
        for name in read_by.values():
            yield LinearMember(pooled=pooled.alone(name), name=f"{kind}:{name}")
        if plan.split.target.named:
            yield LateMember(pooled=pooled, name=f"{kind} added")


def _plain(pooled: PooledRows) -> PooledRows:
    """The signals without a pretrained encoder."""
    names = [each.name for each in pooled.node_types if not isinstance(each, CachedNodes | PretrainedNodes)]
    if not names:
        raise ValueError(
            "member 'plain': found a pretrained encoder for each signal, expected one without; name 'linear'"
        )
    return pooled.only(names)


def announced(members: Sequence[Member], rows: MemberRows) -> str:
    """The members, the folds, and about how long training takes, from a first pass over a few batches."""
    learnt = sum(len(rows.learnt_in(fold)) for fold in range(len(rows.held_out))) + rows.refit * len(rows.all)
    once = sum(_seconds(each, rows) for each in members if isinstance(each, NeuralMember))
    seconds = once * learnt / len(rows.all)
    long = f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} s"
    names = listed([member.name for member in members])
    return f"members {names}, judged on {rows.rule}: training will take about {long}"


def _seconds(member: NeuralMember, rows: MemberRows) -> float:
    """About how long one fit on all rows takes; 0 for a member that fails, which `fit_members` leaves out."""
    try:
        return member.seconds(rows.all)
    except FAILURES:
        return 0.0


def _neural(plan: TablePlan, rows: MemberRows, folder: Path, name: str, seed: int, *, resume: bool) -> NeuralMember:
    request, silent = plan.request, replace(plan.request, observer=Observer())  # class weights are told once
    anew = plan.augments and bool(plan.changing)  # samples change: they are read again in every epoch
    held_out = None if rows.refit else [rows.graphs[row] for row in rows.judged]
    seed_of_weights = request.config.seed + seed
    called = str(model_named(name, plan.task.builder.node_types)) + (f" {seed + 1}" if seed else "")
    return NeuralMember(
        name=called,
        make=partial(task_over, silent, plan.split, plan.rows, plan.task.builder, name, seed=seed_of_weights),
        samples=member_samples(plan) if anew else rows.graphs,
        held_out=held_out,
        config=plan.training(folder, resume=resume),
        watch=partial(_watch, plan, called),
    )


def _watch(plan: TablePlan, name: str, run: str) -> "Sequence[Callback]":
    from gnnfuse.workflow.training_watch import TrainingWatch  # imports lightning

    request = plan.request
    return [TrainingWatch(request.observer, request.config.epochs, run=f"{name}, {run}", metric=plan.task.monitor)]
