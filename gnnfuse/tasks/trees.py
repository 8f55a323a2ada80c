"""A head of gradient-boosted trees over summaries of modalities."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

if TYPE_CHECKING:
    from lightgbm import Booster


class Trees(nn.Module):
    """LightGBM's trees over a few components of each modality; those of a missing modality are NaN.

    Ke et al., "LightGBM: A highly efficient gradient boosting decision tree" (2017). The vector is that of
    `PooledStates`: each modality's columns, then a 1 for each modality that is absent. The
    buffers `axes_0`, `axes_1`, ... hold the principal axes of each modality that has more columns than components.

    Args:
        boosters: models in LightGBM's own text format: one for all classes, or one per label or number.
        widths: columns of each modality.
        components: numbers per modality that the trees read: principal components, or its columns if there are as many.
        classes: the outputs are log-probabilities of classes; else each booster gives one output.

    Raises:
        ValueError: a text that is no booster, a booster for other inputs, or more components than columns.

    Attributes:
        not_traceable: why `torch.export` cannot trace it.
    """

    not_traceable: ClassVar[str] = "runs LightGBM's trees, which are no tensor operation"

    def __init__(
        self, boosters: Sequence[str], *, widths: Sequence[int], components: Sequence[int], classes: bool
    ) -> None:
        super().__init__()
        self.boosters = tuple(boosters)
        self.widths = tuple(widths)
        self.components = tuple(components)
        self.classes = classes
        for place, (width, count) in enumerate(zip(self.widths, self.components, strict=True)):
            if not 1 <= count <= width:
                raise ValueError(f"Trees: found {count} components of {width} columns, expected 1 to {width}")
            if count < width:
                self.register_buffer(f"axes_{place}", torch.zeros(width, count))
        self._models = [_booster(text, sum(self.components)) for text in self.boosters]

    def forward(self, vector: Float[Tensor, "graphs dim"]) -> Float[Tensor, "graphs outputs"]:
        """Vectors in; log-probabilities of classes, logits of labels or numbers out."""
        outputs = self._predicted(self.inputs(vector)).to(vector)
        found: Tensor = outputs.log_softmax(dim=1) if self.classes else outputs
        return found

    def inputs(self, vector: Float[Tensor, "graphs dim"]) -> Float[Tensor, "graphs components"]:
        """The numbers that the trees read; NaN for those of a missing modality."""
        columns = torch.split(vector, [*self.widths, len(self.widths)], dim=1)
        found = []
        for place, part in enumerate(columns[:-1]):
            axes = getattr(self, f"axes_{place}", None)
            numbers = part if axes is None else part @ axes
            found.append(torch.where(columns[-1][:, [place]] > 0, torch.nan, numbers))
        return torch.cat(found, dim=1)

    def _predicted(self, inputs: Float[Tensor, "graphs components"]) -> Float[Tensor, "graphs outputs"]:
        rows = inputs.detach().cpu().double().numpy()
        found = [model.predict(rows, raw_score=True, num_threads=1) for model in self._models]
        return torch.cat([torch.as_tensor(each).reshape(len(rows), -1) for each in found], dim=1)


def _booster(text: str, inputs: int) -> "Booster":
    from lightgbm import Booster
    from lightgbm.basic import LightGBMError

    try:
        model = Booster(model_str=text)
    except LightGBMError as error:
        raise ValueError(f"Trees: found no model in LightGBM's text format ({error})") from error
    if model.num_feature() != inputs:
        raise ValueError(f"Trees: found a model of {model.num_feature()} numbers, expected {inputs}, one per component")
    return model
