"""Saved models: a folder with the construction as JSON and the weights as tensors, loaded without unpickling."""

from gnnfuse.model_card import ModelCard
from gnnfuse.saving.build import build
from gnnfuse.saving.card import card_text
from gnnfuse.saving.describe import describe, lost_arguments
from gnnfuse.saving.export import batch_tensors, export
from gnnfuse.saving.hub import push_to_hub
from gnnfuse.saving.pretrained import from_pretrained, save_pretrained
from gnnfuse.saving.whole_encoders import uncached

__all__ = [
    "ModelCard",
    "batch_tensors",
    "build",
    "card_text",
    "describe",
    "export",
    "from_pretrained",
    "lost_arguments",
    "push_to_hub",
    "save_pretrained",
    "uncached",
]
