"""The input of a text network, read from transformers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gnnfuse.nodes.pretrained.network import Network
from gnnfuse.nodes.pretrained.transformers_library import make_config, make_model, read_config
from gnnfuse.nodes.pretrained.transformers_network import TransformersTextNetwork

# Model types for which a test shows that padding and masking do not change a text's states.
EXACT_UNDER_A_MASK = ("bert", "distilbert", "electra", "gpt2", "roberta", "t5")


@dataclass(frozen=True, kw_only=True)
class TextArchitecture:
    """A network for texts.

    Args:
        network: describes how to make it.
        limit: most tokens that it accepts, special ones included; None for any number.
        padded: texts of different lengths may be run together under a mask.
    """

    network: Network
    limit: int | None = None
    padded: bool = False


def text_architecture(model: str, revision: str | None) -> TextArchitecture:
    """The architecture of a transformers text model.

    Raises:
        FileNotFoundError: the model's settings are not available locally and cannot be fetched.
        ValueError: transformers has no such model, or it reads no texts.
    """
    config = read_config(model, revision, "text_config")
    width: int | None = getattr(make_config(config), "hidden_size", None)
    if width is None:
        raise ValueError(f"{model}: found a {config['model_type']!r} model without hidden_size, expected one of texts")
    return TextArchitecture(
        network=TransformersTextNetwork(config=config, width=width),
        limit=_limit(config),
        padded=config["model_type"] in EXACT_UNDER_A_MASK,
    )


def _limit(config: Mapping[str, Any]) -> int | None:
    positions: int | None = getattr(make_config(config), "max_position_embeddings", None)
    if positions is None:
        return None
    with torch.device("meta"):
        parts = list(make_model(config).named_modules())
    tables = [part for name, part in parts if name.endswith("position_embeddings") and isinstance(part, nn.Embedding)]
    padding = [table.padding_idx for table in tables if table.padding_idx is not None]
    return positions - (1 + padding[0] if padding else 0)  # RoBERTa reserves its first positions for padding
