"""Frozen encoders as their own libraries run them: the mean of a picture's or a text's states."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoModel, AutoTokenizer

Matrix = NDArray[np.float32]
BATCH = 16


@torch.no_grad()
def picture_states(pictures: Sequence[Image.Image], model: Path) -> Matrix:
    """Mean states of a timm model; whole pictures, as gnnfuse reads them, in place of a crop of their middle."""
    network: Any = timm.create_model(f"local-dir:{model}", pretrained=True).eval()
    data: Any = timm.data
    read = data.create_transform(**data.resolve_model_data_config(network) | {"crop_pct": 1.0}, is_training=False)
    found = []
    for start in range(0, len(pictures), BATCH):
        batch = torch.stack([read(picture.convert("RGB")) for picture in pictures[start : start + BATCH]])
        found.append(network.forward_features(batch).mean((2, 3)).numpy())
    return np.concatenate(found)


@torch.no_grad()
def text_states(texts: Sequence[str], model: Path) -> Matrix:
    """Mean states of the tokens, as sentence-transformers pools them."""
    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    network = AutoModel.from_pretrained(model).eval()
    states = [network(**tokenizer(text, truncation=True, return_tensors="pt")).last_hidden_state[0] for text in texts]
    return np.stack([each.mean(0).numpy() for each in states])
