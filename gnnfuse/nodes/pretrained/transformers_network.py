"""transformers models as networks: pictures, waveforms or token ids in, states out."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gnnfuse.nodes.pretrained.network import Network, map_of_tokens
from gnnfuse.nodes.pretrained.transformers_library import load_model, make_model
from gnnfuse.nodes.pretrained.used_parameters import NetworkProbe


class TransformersNetwork(Network):
    """The common base of the networks below.

    Attributes:
        config: the model's configuration as JSON values.
    """

    config: Mapping[str, Any]
    library = "transformers"

    @abstractmethod
    def wrap(self, model: nn.Module) -> nn.Module:
        """The module around the library's model."""

    def module(self) -> nn.Module:
        """The module with random weights."""
        return self.wrap(make_model(self.config))

    def pretrained(self, model: str, weights: str | None) -> nn.Module:
        """The module with the weights of the hub or a folder; `weights` is a revision."""
        loaded, missing = load_model(self.config, model, weights)
        module = self.wrap(loaded)
        names = {id(tensor): name for name, tensor in module.named_parameters()}
        lost = [names[id(tensor)] for tensor in self.probe(module).used() if any(tensor is other for other in missing)]
        if lost:
            raise ValueError(f"{model}: the weights do not fit the network, missing: {', '.join(lost[:5])}")
        return module

    def checkpoint(self, module: nn.Module) -> None:
        """Gradient checkpointing by transformers, non-reentrant."""
        model: Any = module.model
        if not model.supports_gradient_checkpointing:
            super().checkpoint(module)
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


@dataclass(frozen=True, kw_only=True)
class TransformersImageNetwork(TransformersNetwork):
    """A vision model.

    Args:
        config: its configuration.
        width: size of its states.
        stride: pixels from one patch to the next.
        prefix: tokens before the patches (class, distillation, registers).
        interpolates: the model can interpolate its learned positions for other picture sizes.
        size: height and width of a small picture that it accepts.
    """

    config: Mapping[str, Any]
    width: int
    stride: int
    prefix: int
    interpolates: bool
    size: tuple[int, int]

    def wrap(self, model: nn.Module) -> nn.Module:
        """Pictures `[pictures, channels, height, width]` in, `[pictures, width, rows, columns]` out."""
        return PatchStates(model, stride=self.stride, prefix=self.prefix, interpolates=self.interpolates)

    def smallest(self) -> tuple[Tensor, ...]:
        """One black picture."""
        return (torch.zeros(1, self.config.get("num_channels", 3), *self.size),)


class PatchStates(nn.Module):
    """States of patches as a map, whatever the model's output."""

    def __init__(self, model: nn.Module, *, stride: int, prefix: int, interpolates: bool) -> None:
        super().__init__()
        self.model = model
        self.stride = stride
        self.prefix = prefix
        self.interpolates = interpolates

    def forward(
        self, pixels: Float[Tensor, "pictures channels height width"]
    ) -> Float[Tensor, "_ features rows columns"]:
        """Pictures in, maps out."""
        states = last_states(self.model, pixels, interpolates=self.interpolates)
        if states.ndim == 4:
            return states
        return map_of_tokens(self.model, states[:, self.prefix :], pixels, self.stride)


@dataclass(frozen=True, kw_only=True)
class TransformersSpeechNetwork(TransformersNetwork):
    """A model of waveforms: wav2vec 2.0, HuBERT, WavLM and similar ones.

    Args:
        config: its configuration.
        width: size of its states.
        samples: the smallest number of samples that it accepts.
    """

    config: Mapping[str, Any]
    width: int
    samples: int

    def wrap(self, model: nn.Module) -> nn.Module:
        """Waveforms `[recordings, samples]` in, `[recordings, frames, width]` out."""
        return FrameStates(model)

    def smallest(self) -> tuple[Tensor, ...]:
        """One short silent waveform."""
        return (torch.zeros(1, self.samples),)


class FrameStates(nn.Module):
    """The states of a speech model's last layer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, waveforms: Float[Tensor, "recordings samples"]) -> Float[Tensor, "_ frames features"]:
        """Waveforms in, states out."""
        states: Tensor = self.model(waveforms).last_hidden_state
        return states


@dataclass(frozen=True, kw_only=True)
class TransformersTextNetwork(TransformersNetwork):
    """A text model, encoder or decoder; for an encoder-decoder model, the encoder.

    Args:
        config: its configuration.
        width: size of its states.
    """

    config: Mapping[str, Any]
    width: int

    def wrap(self, model: nn.Module) -> nn.Module:
        """Token ids `[texts, tokens]` and a mask in, `[texts, tokens, width]` out."""
        return TokenStates(model)

    def smallest(self) -> tuple[Tensor, ...]:
        """Two tokens."""
        return (torch.zeros(1, 2, dtype=torch.int64),)

    def probe(self, module: nn.Module) -> NetworkProbe:
        """A probe that really computes: decoders read tensor values to make their masks."""
        return NetworkProbe(module, self.smallest(), compute=True)


class TokenStates(nn.Module):
    """The states of a text model's last layer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, ids: Int[Tensor, "texts tokens"], mask: Bool[Tensor, "texts tokens"] | None = None
    ) -> Float[Tensor, "texts tokens features"]:
        """Token ids in, states out; no mask if nothing is padded."""
        held = None if mask is None else mask.long()
        states: Tensor = self.model(input_ids=ids, attention_mask=held).last_hidden_state
        return states


def last_states(model: nn.Module, pixels: Tensor, *, interpolates: bool) -> Tensor:
    """A vision model's last states: `[pictures, tokens, width]`, or a map `[pictures, width, rows, columns]`."""
    arguments = {"interpolate_pos_encoding": True} if interpolates else {}
    states: Tensor = model(pixel_values=pixels, **arguments).last_hidden_state
    return states
