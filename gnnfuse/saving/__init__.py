"""Saved models: a folder with the construction in words and the weights in numbers, loaded without unpickling."""

from gnnfuse.saving.build import build
from gnnfuse.saving.describe import describe, lost_arguments
from gnnfuse.saving.pretrained import from_pretrained, save_pretrained

__all__ = ["build", "describe", "from_pretrained", "lost_arguments", "save_pretrained"]
