"""torchaudio's wav2vec 2.0, HuBERT and WavLM: waveforms in, one state per frame out."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.nodes.pretrained.network import Network, load_weights, missing_weights, read_state_dict

PREFIX = "torchaudio/"


@dataclass(frozen=True, kw_only=True)
class TorchaudioNetwork(Network):
    """A network of torchaudio's pipelines, without its letter classifier.

    Args:
        kind: "Wav2Vec2" (HuBERT too) or "WavLM".
        parameters: of `torchaudio.models.wav2vec2_model` or `wavlm_model`.
        width: size of its states.
        samples: the smallest number of samples that it accepts.

    Raises:
        ValueError: an unknown kind.
    """

    kind: str
    parameters: Mapping[str, Any]
    width: int
    samples: int
    library = "torchaudio"

    def __post_init__(self) -> None:
        if self.kind not in ("Wav2Vec2", "WavLM"):
            raise ValueError(f"kind must be 'Wav2Vec2' or 'WavLM', found {self.kind!r}")

    def smallest(self) -> tuple[Tensor, ...]:
        """One short silent waveform."""
        return (torch.zeros(1, self.samples),)

    def module(self) -> nn.Module:
        """Waveforms `[recordings, samples]` in, `[recordings, frames, width]` out."""
        return EncodedFrames(self._make({**self.parameters, "aux_num_out": None}))

    def pretrained(self, model: str, weights: str | None) -> nn.Module:
        """The network with the weights of a pipeline or file."""
        module = self.module()
        network = module.get_submodule("network")
        known = frozenset(self._make(self.parameters).state_dict())
        load_weights(network, self._read(model, weights), known, weights or model)
        return module

    def _make(self, parameters: Mapping[str, Any]) -> nn.Module:
        from torchaudio.models import wav2vec2_model, wavlm_model

        make = wavlm_model if self.kind == "WavLM" else wav2vec2_model
        made: nn.Module = make(**parameters)
        return made

    def _read(self, model: str, weights: str | None) -> Mapping[str, Tensor]:
        if weights is not None:
            return read_state_dict(Path(weights))
        try:
            found: Mapping[str, Tensor] = find_pipeline(model)._get_state_dict(
                {"weights_only": True, "progress": sys.stderr.isatty()}
            )
        except OSError as error:
            name = model.removeprefix(PREFIX)
            command = f'python -c "import torchaudio; torchaudio.pipelines.{name}.get_model()"'
            raise missing_weights(f"weights of {model}", command, error) from error
        return found


class EncodedFrames(nn.Module):
    """The states of a torchaudio network, without their lengths."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, waveforms: Float[Tensor, "recordings samples"]) -> Float[Tensor, "_ frames features"]:
        """Waveforms in, states out."""
        states: Tensor = self.network(waveforms)[0]
        return states


def find_pipeline(model: str) -> Any:
    """A pipeline by name. Its parameters are private attributes of torchaudio, whose last version is 2.11.

    Raises:
        ValueError: torchaudio has no such pipeline.
    """
    from torchaudio import pipelines

    found = getattr(pipelines, model.removeprefix(PREFIX), None)
    if not isinstance(found, pipelines.Wav2Vec2Bundle):
        known = [name for name in dir(pipelines) if isinstance(getattr(pipelines, name), pipelines.Wav2Vec2Bundle)]
        raise ValueError(f"torchaudio has no pipeline {model!r}; known: {', '.join(PREFIX + name for name in known)}")
    return found
