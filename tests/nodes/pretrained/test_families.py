"""Every family, through its library's own files, under the conformance of node types: batches equal samples."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from gnnfuse.nodes import NodeType, PretrainedNodes
from gnnfuse.nodes.pretrained.text_architecture import EXACT_UNDER_A_MASK
from gnnfuse.sample import Audio, Sample
from gnnfuse.testing import check_node_type, random_samples
from tests.nodes.pretrained.tiny_models import (
    AUDIO,
    LANGUAGE,
    PIPELINES,
    RATE,
    TIMM,
    TORCHVISION,
    VISION,
    timm_image,
    torchaudio_audio,
    torchvision_image,
    transformers_audio,
    transformers_image,
    transformers_text,
)

Make = Callable[..., PretrainedNodes]
FAMILIES: dict[str, Make] = {
    **{f"torchvision {name}": partial(torchvision_image, name=name) for name in TORCHVISION},
    **{f"timm {name}": partial(timm_image, name=name) for name in TIMM},
    **{f"transformers image {kind}": partial(transformers_image, kind=kind) for kind in VISION},
    **{f"torchaudio {kind}": partial(torchaudio_audio, kind=kind) for kind in PIPELINES},
    **{f"transformers audio {kind}": partial(transformers_audio, kind=kind) for kind in AUDIO},
    **{f"transformers text {kind}": partial(transformers_text, kind=kind) for kind in LANGUAGE},
}


def interleaved() -> list[Sample]:
    """Three shapes in turns, so that the samples of one shape do not lie side by side."""
    generator = torch.Generator().manual_seed(1)
    pictures, samples, texts = [(9, 40), (70, 20), (33, 33)], [41, 1, 120], ["a b c d", "e", "f g"]
    return [
        Sample(
            {
                "image": torch.rand(3, *pictures[shape], generator=generator),
                "audio": Audio(torch.rand(samples[shape], generator=generator) * 2 - 1, RATE),
                "text": texts[shape],
            },
            id=f"interleaved {place}",
        )
        for place, shape in enumerate([0, 1, 0, 2, 1, 0])
    ]


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "trained"])
@pytest.mark.parametrize("family", FAMILIES)
def test_family(family: str, frozen: bool, tiny: Path) -> None:
    node_type: NodeType = FAMILIES[family](tiny, frozen=frozen)
    check_node_type(node_type, [*interleaved(), *random_samples(torch.Generator().manual_seed(0))])


def test_every_model_that_may_pad_is_among_them() -> None:
    assert set(EXACT_UNDER_A_MASK) <= set(LANGUAGE)
