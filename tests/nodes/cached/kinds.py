"""One small encoder per modality, and samples for them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from gnnfuse.nodes import CachedNodes, PretrainedNodes
from gnnfuse.reading import CacheReport, cache_samples
from gnnfuse.sample import Sample
from gnnfuse.testing import random_samples
from tests.nodes.pretrained.tiny_models import torchaudio_audio, torchvision_image, transformers_text

MAKE: dict[str, Callable[..., PretrainedNodes]] = {
    "image": lambda tiny, **arguments: torchvision_image(tiny, "tiny_resnet", **arguments),
    "audio": lambda tiny, **arguments: torchaudio_audio(tiny, "wav2vec2", **arguments),
    "text": lambda tiny, **arguments: transformers_text(tiny, "bert", **arguments),
}


def samples() -> list[Sample]:
    return random_samples(torch.Generator().manual_seed(0))


def cached(node_type: PretrainedNodes, folder: Path, of: Sequence[Sample] | None = None) -> CachedNodes:
    return run(node_type, folder, of).node_type


def run(node_type: PretrainedNodes, folder: Path, of: Sequence[Sample] | None = None) -> CacheReport:
    [report] = cache_samples(samples() if of is None else of, [node_type], folder, device="cpu", batch_size=100)
    return report
