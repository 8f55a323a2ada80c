"""How the columns of a small table are read by frozen encoders."""

from pathlib import Path

from gnnfuse import fit_defaults
from gnnfuse.encoders import CELLS, Encoders
from gnnfuse.nodes import NodeType, PretrainedImage, PretrainedText
from gnnfuse.tables import Columns
from gnnfuse.workflow.table_nodes import table_nodes
from tests.nodes.pretrained.conftest import tiny as tiny
from tests.nodes.pretrained.tiny_models import timm_image, transformers_text


def nodes(tiny: Path, *, small: bool, **more: object) -> tuple[NodeType, ...]:
    image, text = timm_image(tiny, "test_resnet").model, transformers_text(tiny, "bert").model
    encoders = Encoders(image=image, text=text, **more)  # type: ignore[arg-type]
    return table_nodes(Columns(image=("photo",), text=("word",)), [], encoders, small=small)


def test_few_rows_get_whitened_components_and_pictures_cells(tiny: Path) -> None:
    image, text, _ = nodes(tiny, small=True)
    assert isinstance(image, PretrainedImage)
    assert isinstance(text, PretrainedText)
    assert image.components == min(fit_defaults.COMPONENTS, image.width)
    assert text.components == min(fit_defaults.COMPONENTS, text.width)
    assert image.cells == CELLS


def test_many_rows_get_the_features_themselves(tiny: Path) -> None:
    image, text, _ = nodes(tiny, small=False)
    assert isinstance(image, PretrainedImage)
    assert isinstance(text, PretrainedText)
    assert (image.components, image.cells, text.components) == (None, CELLS, None)


def test_encoders_that_are_trained_keep_whole_maps_and_features(tiny: Path) -> None:
    image, text, _ = nodes(tiny, small=True, fine_tune=True)
    assert isinstance(image, PretrainedImage)
    assert isinstance(text, PretrainedText)
    assert (image.components, image.cells, text.components) == (None, None, None)
