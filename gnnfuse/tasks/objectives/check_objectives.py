"""Checks the objectives that are passed to a task, or to another objective."""

from collections.abc import Sequence
from typing import cast

from torch import nn

from gnnfuse.catalog import shown
from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import TargetEncoding
from gnnfuse.tasks.objectives.objective import BatchObjective, Objective, TargetObjective

ALWAYS = frozenset({"target", "views"})  # of a step; every model has them


def check_objectives(
    owner: str, objectives: object, model: FusionModel, target: TargetEncoding | None, outputs: int | None
) -> None:
    """Refuse objectives that do not fit a task.

    Args:
        owner: the task's class, for messages.
        objectives: its objectives.
        model: provides the outputs that objectives need.
        target: the builder's target encoding.
        outputs: numbers per row of the outputs; None skips this check.

    Raises:
        ValueError: no list, an empty one, or two objectives of one name; or as `check_fit`.
    """
    if not isinstance(objectives, Sequence | nn.ModuleList) or isinstance(objectives, str):
        raise ValueError(f"{owner}: found {shown(objectives)} as objectives, expected a list of Objective objects")
    if not len(objectives):
        raise ValueError(f"{owner}: found no objectives, expected at least one")
    listed = cast(Sequence[Objective], objectives)
    for objective in listed:
        check_fit(owner, objective, model, target, outputs)
    names = [objective.name for objective in listed]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(
            f"{owner}: found two objectives named {twice[0]!r}, expected different names, by which losses are listed; "
            "a subclass may have another `name`"
        )


def check_fit(
    owner: str, objective: Objective, model: FusionModel, target: TargetEncoding | None, outputs: int | None
) -> None:
    """Refuse an objective that does not fit; the arguments are those of `check_objectives`.

    Raises:
        ValueError: as `check_objective`, or it needs a missing model output, another kind of target or another number
            of outputs.
    """
    check_objective(owner, objective)
    named = f"{owner}: objective {objective.name!r}"
    if isinstance(objective, BatchObjective):
        _check_whole_batch(named, objective)
    if lacking := sorted(objective.needs - model.gives - ALWAYS):
        gives = ", ".join(sorted(model.gives)) or "nothing but vectors"
        raise ValueError(f"{named} needs {', '.join(lacking)}, {type(model).__name__} gives {gives}")
    kind = None if target is None else target.kind
    if kind is not None and objective.reads is not None and kind not in objective.reads:
        reads = " or ".join(sorted(objective.reads))
        raise ValueError(f"{named} reads a target of kind {reads}, {type(target).__name__} gives {kind}")
    if outputs is not None and objective.outputs not in (None, outputs):
        raise ValueError(f"{named} is made for {objective.outputs} outputs, found {outputs}")


def _check_whole_batch(named: str, objective: BatchObjective) -> None:
    """Refuse an objective over the batch that asks for what is not gathered from the parts of a step."""
    own = [name for name in ("view", "forward") if getattr(type(objective), name) is not getattr(BatchObjective, name)]
    if own:
        raise ValueError(
            f"{named} over the whole batch has a {own[0]} of its own, expected only a loss: vectors are gathered from "
            "all parts of a step, views are not"
        )
    if "nodes" in objective.needs:
        raise ValueError(f"{named} over the whole batch needs nodes, expected at most parts: nodes are not gathered")


def check_objective(owner: str, objective: object) -> None:
    """Refuse anything but a usable objective.

    Raises:
        ValueError: a class or another object, or an objective without a name or without its base class's state.
    """
    if not isinstance(objective, Objective):
        hint = f": {objective.__name__}()" if isinstance(objective, type) else ""
        raise ValueError(f"{owner}: found {shown(objective)}, expected an Objective object{hint}")
    if "_modules" not in vars(objective) or not hasattr(objective, "weight"):
        raise ValueError(
            f"{owner}: found {shown(objective)} without a weight, expected its constructor to call "
            "super().__init__(weight)"
        )
    name = getattr(objective, "name", None)
    if not (isinstance(name, str) and name):
        raise ValueError(f"{owner}: found {shown(objective)} with name={name!r}, expected a name for its value in logs")


def check_inner(owner: str, objective: object) -> None:
    """Refuse an objective that needs more than outputs and targets, for objectives that apply it to other outputs.

    Raises:
        ValueError: names the owner and what was found.
    """
    check_objective(owner, objective)
    if not isinstance(objective, TargetObjective):
        raise ValueError(
            f"{owner}: found {shown(objective)}, expected an objective of outputs and targets alone, such as "
            "CrossEntropy()"
        )
