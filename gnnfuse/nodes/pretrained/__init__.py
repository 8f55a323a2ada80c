"""Pretrained networks as node encoders for pictures, recordings and texts, through the libraries that own them."""

from gnnfuse.nodes.pretrained.audio_architecture import AudioArchitecture
from gnnfuse.nodes.pretrained.backbone import Backbone
from gnnfuse.nodes.pretrained.encoder import PretrainedEncoder
from gnnfuse.nodes.pretrained.image_architecture import ImageArchitecture
from gnnfuse.nodes.pretrained.network import Network, weights_follow
from gnnfuse.nodes.pretrained.pretrained_audio import PretrainedAudio
from gnnfuse.nodes.pretrained.pretrained_image import PretrainedImage
from gnnfuse.nodes.pretrained.pretrained_nodes import PretrainedNodes
from gnnfuse.nodes.pretrained.pretrained_text import PretrainedText
from gnnfuse.nodes.pretrained.spectrogram_network import SpectrogramNetwork
from gnnfuse.nodes.pretrained.text_architecture import TextArchitecture
from gnnfuse.nodes.pretrained.timm_network import TimmNetwork
from gnnfuse.nodes.pretrained.torchaudio_network import TorchaudioNetwork
from gnnfuse.nodes.pretrained.torchvision_network import TorchvisionNetwork
from gnnfuse.nodes.pretrained.transformers_network import (
    TransformersImageNetwork,
    TransformersSpeechNetwork,
    TransformersTextNetwork,
)

__all__ = [
    "AudioArchitecture",
    "Backbone",
    "ImageArchitecture",
    "Network",
    "PretrainedAudio",
    "PretrainedEncoder",
    "PretrainedImage",
    "PretrainedNodes",
    "PretrainedText",
    "SpectrogramNetwork",
    "TextArchitecture",
    "TimmNetwork",
    "TorchaudioNetwork",
    "TorchvisionNetwork",
    "TransformersImageNetwork",
    "TransformersSpeechNetwork",
    "TransformersTextNetwork",
    "weights_follow",
]
