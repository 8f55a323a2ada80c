"""Audio models of transformers on spectrograms of fixed length: AST and Whisper's encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.nodes.pretrained.transformers_network import TransformersNetwork
from gnnfuse.nodes.pretrained.used_parameters import NetworkProbe


@dataclass(frozen=True, kw_only=True)
class SpectrogramNetwork(TransformersNetwork):
    """A model whose feature extractor makes its input from a waveform.

    Args:
        config: the model's configuration.
        extractor: the feature extractor's configuration, with its class as "feature_extractor_type".
        width: size of its states.
        samples: fixed length of the waveform.
        prefix: number of leading states that summarise the whole input.
        bands: states per time step, one for each frequency range, to be averaged.
    """

    config: Mapping[str, Any]
    extractor: Mapping[str, Any]
    width: int
    samples: int
    prefix: int
    bands: int

    def wrap(self, model: nn.Module) -> nn.Module:
        """Waveforms `[recordings, samples]` in, `[recordings, steps, width]` out."""
        return SpectrogramStates(model, make_extractor(self.extractor), prefix=self.prefix, bands=self.bands)

    def smallest(self) -> tuple[Tensor, ...]:
        """One silent waveform."""
        return (torch.zeros(1, self.samples),)

    def probe(self, module: nn.Module) -> NetworkProbe:
        """The model on a spectrogram; the extractor has no parameters and runs only on the CPU."""
        assert isinstance(module, SpectrogramStates)
        return NetworkProbe(module.columns, (module.features(*self.smallest()),))


class ColumnStates(nn.Module):
    """States of time steps, from states of spectrogram patches."""

    def __init__(self, model: nn.Module, *, prefix: int, bands: int) -> None:
        super().__init__()
        self.model = model
        self.prefix = prefix
        self.bands = bands

    def forward(self, features: Float[Tensor, "recordings ..."]) -> Float[Tensor, "recordings steps features"]:
        """Spectrograms in, states out."""
        states = self.model(features).last_hidden_state[:, self.prefix :]
        return torch.unflatten(states, 1, (self.bands, -1)).mean(dim=1)


class SpectrogramStates(nn.Module):
    """States of time steps, from waveforms."""

    def __init__(self, model: nn.Module, extractor: Any, *, prefix: int, bands: int) -> None:
        super().__init__()
        self.columns = ColumnStates(model, prefix=prefix, bands=bands)
        self.extractor = extractor

    @property
    def model(self) -> nn.Module:
        """The library's model."""
        return self.columns.model

    def forward(self, waveforms: Float[Tensor, "recordings samples"]) -> Float[Tensor, "recordings steps features"]:
        """Waveforms in, states out."""
        states: Tensor = self.columns(self.features(waveforms))
        return states

    def features(self, waveforms: Float[Tensor, "recordings samples"]) -> Float[Tensor, "recordings ..."]:
        """The extractor's features of waveforms, on their device."""
        rate = self.extractor.sampling_rate
        plain = [waveform.numpy() for waveform in waveforms.detach().cpu().float()]
        made = self.extractor(plain, sampling_rate=rate, return_tensors="pt")
        features: Tensor = made[self.extractor.model_input_names[0]]
        return features.to(waveforms)


def make_extractor(described: Mapping[str, Any]) -> Any:
    """A feature extractor of transformers from its settings.

    Raises:
        ValueError: the settings name something else.
    """
    import transformers

    found = getattr(transformers, described.get("feature_extractor_type", ""), None)
    if not (isinstance(found, type) and issubclass(found, transformers.FeatureExtractionMixin)):
        raise ValueError(f"found feature extractor {described.get('feature_extractor_type')!r}, expected transformers'")
    return found.from_dict(dict(described))
