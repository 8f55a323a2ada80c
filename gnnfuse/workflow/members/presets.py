"""Presets of `fit`: which members are trained, and how thoroughly."""

from collections.abc import Mapping
from dataclasses import dataclass

from gnnfuse.fit_defaults import Preset

CLASSICAL = ("linear", "plain", "trees")


@dataclass(frozen=True, kw_only=True)
class Thoroughness:
    """What a preset stands for.

    Args:
        members: names of members; "linear" is called "plain" where no signal has a pretrained encoder.
        folds: folds that members are judged on; 1 judges on the validation rows alone, None follows the number of rows.
        seeds: graph models, of different seeds.
        tuned: last blocks of pretrained encoders that the graph model trains.
    """

    members: tuple[str, ...]
    folds: int | None
    seeds: int = 1
    tuned: int = 0


PRESETS: Mapping[Preset, Thoroughness] = {
    "fast": Thoroughness(members=("graph", "linear"), folds=1),
    "good": Thoroughness(members=("graph", "linear", "trees"), folds=None),
    "best": Thoroughness(members=("graph", "linear", "trees"), folds=8, seeds=2, tuned=2),
}
