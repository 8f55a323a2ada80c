"""The second stage: node types, which find a sample's nodes, and the encoders that turn them into vectors."""

from gnnfuse.nodes.audio_frames import AudioFrames
from gnnfuse.nodes.augmentation import AudioGain, AudioNoise, AudioShift, ImageCrop, ImageFlip, ImageShift, InTurn
from gnnfuse.nodes.cached import CachedEncoder, CachedNodes, CacheError, EncodedNodes, NotCachedError
from gnnfuse.nodes.features import Features, RowEncoder
from gnnfuse.nodes.frame_encoders import FrameEncoding, LogMelFrames, WaveformFrames
from gnnfuse.nodes.hub import Hub
from gnnfuse.nodes.image_patches import ImagePatches
from gnnfuse.nodes.node_type import (
    Layout,
    NewValues,
    NodeEncoder,
    NodeSet,
    NodeType,
    check_nodes,
    check_promises,
    new_values,
)
from gnnfuse.nodes.patch_encoders import ConvPatches, LinearPatches, PatchEncoding
from gnnfuse.nodes.position import PositionEncoding
from gnnfuse.nodes.pretrained import (
    AudioArchitecture,
    Backbone,
    ImageArchitecture,
    Network,
    PretrainedAudio,
    PretrainedEncoder,
    PretrainedImage,
    PretrainedNodes,
    PretrainedText,
    SpectrogramNetwork,
    TextArchitecture,
    TimmNetwork,
    TorchaudioNetwork,
    TorchvisionNetwork,
    TransformersImageNetwork,
    TransformersSpeechNetwork,
    TransformersTextNetwork,
    weights_follow,
)
from gnnfuse.nodes.summary import MeanSummary, NodeSummary
from gnnfuse.nodes.text_tokens import TextTokens
from gnnfuse.nodes.tokenizer_files import TokenizerFiles

__all__ = [
    "AudioArchitecture",
    "AudioFrames",
    "AudioGain",
    "AudioNoise",
    "AudioShift",
    "Backbone",
    "CacheError",
    "CachedEncoder",
    "CachedNodes",
    "ConvPatches",
    "EncodedNodes",
    "Features",
    "FrameEncoding",
    "Hub",
    "ImageArchitecture",
    "ImageCrop",
    "ImageFlip",
    "ImagePatches",
    "ImageShift",
    "InTurn",
    "Layout",
    "LinearPatches",
    "LogMelFrames",
    "MeanSummary",
    "Network",
    "NewValues",
    "NodeEncoder",
    "NodeSet",
    "NodeSummary",
    "NodeType",
    "NotCachedError",
    "PatchEncoding",
    "PositionEncoding",
    "PretrainedAudio",
    "PretrainedEncoder",
    "PretrainedImage",
    "PretrainedNodes",
    "PretrainedText",
    "RowEncoder",
    "SpectrogramNetwork",
    "TextArchitecture",
    "TextTokens",
    "TimmNetwork",
    "TokenizerFiles",
    "TorchaudioNetwork",
    "TorchvisionNetwork",
    "TransformersImageNetwork",
    "TransformersSpeechNetwork",
    "TransformersTextNetwork",
    "WaveformFrames",
    "check_nodes",
    "check_promises",
    "new_values",
    "weights_follow",
]
