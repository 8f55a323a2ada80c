"""A data set with three kinds of split: train and valid to work with, tests to open once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from gnnfuse.data.held_out import HeldOut, count_classes
from gnnfuse.data.lazy_samples import ids_of, targets_of
from gnnfuse.sample.sample import Sample

TARGETS = ("classification", "multilabel", "regression")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Samples in fixed splits, with the facts that a report needs.

    Args:
        name: name of the data set in reports.
        train: samples to learn from.
        valid: samples to choose settings with.
        tests: sealed test splits by name, "test" first; others (known speakers, say) after it.
        target: "classification" (`Sample.target` is a class name), "multilabel" (several class names) or
            "regression" (numbers).
        classes: the class names, in the order of the model's outputs; empty for regression.
        groups: group name -> sample id -> value, such as `groups["operation"]["test-7"] == "sum"`. For separate
            reports, never an input.
        ceilings: modality subset ("image+text") -> best accuracy from exactly those modalities, under "all" and per
            value of one group. Empty if unknown.
        source: origin of the data.
        licence: permitted uses of the data.
        caveat: what a report must state beside the numbers.

    Raises:
        ValueError: two samples share an id or one has none, the target kind is unknown, a class name is not in
            `classes`, or a group names a sample that does not exist.

    Example:
        >>> train, valid, test = [[Sample({"text": "hello"}, target="en", id=name)] for name in "abc"]
        >>> dataset = Dataset(
        ...     name="greetings", train=train, valid=valid, tests={"test": HeldOut(test, name="greetings test")},
        ...     target="classification", classes=("de", "en"),
        ... )
        >>> len(dataset.train), dataset.tests["test"].counts["en"]
        (1, 1)
    """

    name: str
    train: Sequence[Sample]
    valid: Sequence[Sample]
    tests: Mapping[str, HeldOut]
    target: str
    classes: tuple[str, ...] = ()
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ceilings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    source: str = ""
    licence: str = ""
    caveat: str = ""

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ValueError(f"data set {self.name!r}: target {self.target!r}, expected one of {', '.join(TARGETS)}")
        seen = self._check_ids()
        self._check_classes()
        for group, values in self.groups.items():
            strangers = values.keys() - seen.keys()
            if strangers:
                raise ValueError(
                    f"data set {self.name!r}: group {group!r} names sample {min(strangers)!r}, which no split has"
                )

    def _check_ids(self) -> dict[str, str]:
        seen: dict[str, str] = {}
        tests = {name: test.ids for name, test in self.tests.items()}
        for split, ids in {"train": ids_of(self.train), "valid": ids_of(self.valid), **tests}.items():
            for name in ids:
                if not name:
                    raise ValueError(f"data set {self.name!r}: a sample of split {split!r} has no id")
                if name in seen:
                    raise ValueError(
                        f"data set {self.name!r}: id {name!r} in split {seen[name]!r} and again in {split!r}, "
                        "expected every sample once"
                    )
                seen[name] = split
        return seen

    def _check_classes(self) -> None:
        known = set(self.classes)
        if len(known) != len(self.classes):
            raise ValueError(f"data set {self.name!r}: a class name appears twice in {self.classes}")
        counts = [count_classes(targets_of(split)) for split in (self.train, self.valid)]
        strangers = set(chain(*counts, *(test.counts for test in self.tests.values()))) - known
        if strangers:
            raise ValueError(f"data set {self.name!r}: target {min(strangers)!r} is not among the {len(known)} classes")
