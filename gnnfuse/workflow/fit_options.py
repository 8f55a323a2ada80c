"""What is fitted on a table, apart from how it is trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from gnnfuse import fit_defaults
from gnnfuse.catalog import listed, unknown
from gnnfuse.catalog import names as names_of
from gnnfuse.data.rejects import OnError, check_on_error
from gnnfuse.encoders import Encoders
from gnnfuse.fit_defaults import Kind
from gnnfuse.or_default import or_default
from gnnfuse.tables.split_keys import Fractions, check_fractions
from gnnfuse.tables.target_kind import KINDS
from gnnfuse.tasks.check_number import check_number
from gnnfuse.workflow.members.presets import CLASSICAL, PRESETS
from gnnfuse.workflow.models import ModelName
from gnnfuse.workflow.table_model import ReadoutName


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What is fitted, apart from how it is trained (`FitConfig`).

    Args:
        preset: "fast" trains few members on one split, "good" more of them on folds, "best" takes the most time.
        members: what is trained and blended, in place of the preset's: "linear" (logistic regression, or ridge
            regression for numbers, over pooled states of all signals, of each alone, and their logits added), "plain" (
            the same for signals without a pretrained encoder only), "trees" (boosted trees), or fusion models of the
            catalogue.
        folds: number of folds that members are judged on, in place of the preset's; 1 means the validation rows.
        model: one fusion model of the catalogue, trained alone; `unimodal:NAME` for one signal. None trains members.
        dim: size of the states and of the fused vector.
        depth: layers.
        readout: how the graph model makes one vector of a sample's states: "additive" averages separate answers of the
            modalities, "typed" applies a network to the states; None takes "additive" below 20,000 training rows, which
            a network would overfit, else "typed". Other models have their own.
        encoders: pretrained encoders.
        kind: "classification", "multilabel" or "regression"; by default chosen from the target (see `target_kind`).
        separator: between several labels in a cell; detected by default if it is unambiguous.
        fractions: of training, validation and test rows, if no column gives the split (or it has no validation rows:
            then of training and validation rows together).
        on_error: policy for values that cannot be read: "stop" raises, "missing" treats a signal as absent, "skip"
            leaves the row out.
        augment: change training samples at random; None does so below 20,000 training rows.
        class_weights: weight samples of small classes more, by the square root of how much rarer they are (labels: by
            the odds of not having them); None does so for a single model if the largest class has more than one and a
            half times the samples of the smallest: members answer with probabilities, which are not weighted.
        threshold: least weighted probability at which a label is predicted (`MultiLabel`), for several labels only;
            None takes .5.

    Raises:
        ValueError: an unknown preset, model, kind, policy or readout, a model with members, a readout for another
            model, a separator or threshold without lists of labels, a threshold outside (0, 1), or invalid fractions.

    Example:
        >>> FitOptions(model="concat").depth
        3
    """

    preset: fit_defaults.Preset = fit_defaults.PRESET
    members: Sequence[str] | None = None
    folds: int | None = None
    model: str | None = None
    dim: int = fit_defaults.DIM
    depth: int = fit_defaults.DEPTH
    readout: ReadoutName | None = None
    encoders: Encoders = field(default_factory=Encoders)
    kind: Kind | None = None
    separator: str | None = None
    fractions: Fractions = fit_defaults.FRACTIONS
    on_error: OnError = "stop"
    augment: bool | None = None
    class_weights: bool | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        check_on_error(self.on_error)
        or_default("encoders", self.encoders, Encoders)
        self._check_members()
        for name in ("dim", "depth"):
            size = getattr(self, name)
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"{name}: found {size!r}, expected a whole number of at least 1")
        if self.kind is not None and self.kind not in KINDS:
            raise ValueError(unknown("kind of target", str(self.kind), KINDS))
        if self.readout is not None and (self.readout not in get_args(ReadoutName) or "graph" not in self.neural):
            raise ValueError(
                f"found readout {self.readout!r} for {listed(self.neural) or 'no fusion model'}, expected one of "
                f"{', '.join(get_args(ReadoutName))} for the graph model: the other models have their own"
            )
        separated = [name for name, kind in KINDS.items() if kind.separated]
        if self.separator is not None and self.kind not in (None, *separated):
            raise ValueError(
                f"found separator {self.separator!r} for {self.kind}, expected one for {', '.join(separated)} only"
            )
        if self.threshold is not None:
            check_number("FitOptions", "threshold", self.threshold, "above 0 and below 1", above=0, below=1)
            if self.kind not in (None, "multilabel"):
                raise ValueError(
                    f"found threshold {self.threshold!r} for {self.kind}, expected one for multilabel only"
                )
        check_fractions(self.fractions)

    @property
    def of_task(self) -> dict[str, float]:
        """The arguments of the task that are options."""
        return {} if self.threshold is None else {"threshold": self.threshold}

    def _check_members(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(unknown("preset", str(self.preset), PRESETS))
        if self.model is not None and (self.members is not None or self.folds is not None):
            raise ValueError(
                f"found model {self.model!r} with members or folds, expected either one model, which is trained alone, "
                "or members"
            )
        if self.members is not None:
            names = (self.members,) if isinstance(self.members, str) else tuple(self.members)
            object.__setattr__(self, "members", names)
            if not names or len(set(names)) < len(names):
                raise ValueError(f"found members {names}, expected different names, such as graph and linear")
            for name in names:
                if not isinstance(name, str):
                    raise ValueError(f"found {name!r} among the members, expected names, such as graph and linear")
                known = (*CLASSICAL, *names_of("model"))
                if name.partition(":")[0] not in known:
                    raise ValueError(unknown("member", name, known))
        for name in (self.model,) if self.model is not None else self.neural:
            ModelName.of(name)
        if self.encoders.tune_last and not self.neural:
            raise ValueError(
                f"found tune_last {self.encoders.tune_last} for members {listed(self.named_members)}, expected a "
                "fusion model among them, which trains the blocks"
            )
        if self.class_weights and not self.neural:
            raise ValueError(
                f"found class_weights for members {listed(self.named_members)}, expected a fusion model among them, "
                "which is trained with them"
            )
        if self.folds is not None and (not isinstance(self.folds, int) or self.folds < 1):
            raise ValueError(f"folds: found {self.folds!r}, expected a whole number of at least 1")

    @property
    def named_members(self) -> tuple[str, ...]:
        """The members to train, by name, before names are expanded for the table's signals."""
        if self.model is not None:
            return (self.model,)
        if self.members is not None:
            return tuple(self.members)
        plain = {} if self.encoders.named else {"linear": "plain"}
        return tuple(plain.get(name, name) for name in PRESETS[self.preset].members)

    @property
    def neural(self) -> tuple[str, ...]:
        """The members that are fusion models of the catalogue."""
        return tuple(name for name in self.named_members if name.partition(":")[0] not in CLASSICAL)

    @property
    def tuned(self) -> int:
        """The last blocks of encoders that one of several members trains: as asked for, or as the preset has it."""
        asked = self.encoders.tune_last
        by_preset = self.members is None and self.model is None and self.encoders.frozen
        return asked or (PRESETS[self.preset].tuned if by_preset else 0)

    @property
    def alone(self) -> bool:
        """Whether one fusion model is trained, without folds and without anything to blend."""
        return self.named_members == self.neural[:1] and self.folds is None
