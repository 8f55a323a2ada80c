"""The member of gradient-boosted trees over a few components of each modality's summary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.tasks import Task, Trees
from gnnfuse.workflow.members.member import Member
from gnnfuse.workflow.members.pooled_rows import PooledRows
from gnnfuse.workflow.members.solve import MOST_AXES, Axes, Floats, Fold, Loss

MOST_COLUMNS, COMPONENTS = 100, 30  # a modality of more columns is reduced to so many numbers
MOST_ROUNDS, PATIENCE, FEW_ROWS = 400, 20, 30  # rounds; the last number where rows are too few to choose one
SETTINGS: Mapping[str, Any] = {
    "learning_rate": 0.05,
    "num_leaves": 7,
    "extra_trees": True,  # thresholds drawn at random: less loss on six tables of six, and faster
    "min_data_in_leaf": 10,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
    "seed": 0,
}
JUDGES = 2  # folds by which the number of rounds is chosen
OBJECTIVES = {"softmax": "multiclass", "sigmoid": "binary", "squared": "regression"}


@dataclass(eq=False, kw_only=True)
class TreesMember(Member):
    """LightGBM over each modality's columns, or its principal components if it has many; missing ones are NaN.

    Args:
        pooled: the rows.
        name: names the member.
    """

    pooled: PooledRows
    name: str = "trees"

    def fit(self, rows: Sequence[int], run: str) -> Task:
        """Grow trees on these rows; the number of rounds is chosen by folds within them.

        Raises:
            ValueError: LightGBM refuses the rows.
        """
        from lightgbm.basic import LightGBMError

        chosen = self.pooled.at(rows)
        model = chosen.model()
        vectors = model.scaled(chosen.columns, chosen.present)
        parts = torch.split(vectors, [*model.widths, len(model.widths)], dim=1)[:-1]
        axes = [_axes(part[chosen.present[:, place]]) for place, part in enumerate(parts)]
        reader = _head([], axes, model.widths, chosen.loss)
        try:
            texts = self._grown(reader.inputs(vectors).double().numpy(), chosen)
        except LightGBMError as error:
            raise ValueError(f"LightGBM refuses {len(rows)} rows: {error}") from error
        return self.pooled.task(model, _head(texts, axes, model.widths, chosen.loss))

    def _grown(self, inputs: Floats, rows: PooledRows) -> list[str]:
        """One booster over all classes, or one per label or number, as text."""
        settings = {**SETTINGS, "objective": OBJECTIVES[rows.loss], "num_threads": 1}
        columns = list(rows.answers.T)
        if rows.loss == "softmax":
            settings["num_class"] = len(columns)
            columns = [rows.answers.argmax(axis=1).astype(float)]
        return [_booster(inputs, column, settings, rows.folds()[:JUDGES]) for column in columns]


def _axes(rows: Float[Tensor, "rows width"]) -> Float[Tensor, "width components"] | None:
    """The principal axes of the rows; None for columns that trees read themselves."""
    if rows.shape[1] <= MOST_COLUMNS or not len(rows):
        return None
    found = Axes.of(rows[:MOST_AXES].numpy()).back
    assert found is not None
    return torch.as_tensor(found[:, -COMPONENTS:], dtype=torch.float32) if found.shape[1] else None


def _head(texts: Sequence[str], axes: Sequence[Tensor | None], widths: Sequence[int], loss: Loss) -> Trees:
    components = [width if each is None else each.shape[1] for width, each in zip(widths, axes, strict=True)]
    head = Trees(texts, widths=widths, components=components, classes=loss == "softmax")
    for place, each in enumerate(axes):
        if each is not None:
            head.get_buffer(f"axes_{place}").copy_(each)
    return head


def _booster(inputs: Floats, wanted: Floats, settings: Mapping[str, Any], folds: Sequence[Fold]) -> str:
    import lightgbm

    rounds = _rounds(inputs, wanted, settings, folds)
    grown = lightgbm.train(dict(settings), lightgbm.Dataset(inputs, wanted), rounds)
    return str(grown.model_to_string())


def _rounds(inputs: Floats, wanted: Floats, settings: Mapping[str, Any], folds: Sequence[Fold]) -> int:
    """The rounds after which the held-out loss was least, over the folds together."""
    import lightgbm

    if not folds:
        return FEW_ROWS
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    found: Mapping[str, Any] = lightgbm.cv(
        dict(settings), lightgbm.Dataset(inputs, wanted), MOST_ROUNDS, folds=folds, callbacks=[stop], stratified=False
    )
    return max(1, *map(len, found.values()))
