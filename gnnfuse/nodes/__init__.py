"""The second stage: what a sample is made of, and the modules that turn it into vectors."""

from gnnfuse.nodes.audio_frames import AudioFrames
from gnnfuse.nodes.augmentation import AudioGain, AudioNoise, AudioShift, ImageFlip, ImageShift, InTurn
from gnnfuse.nodes.features import Features, RowEncoder
from gnnfuse.nodes.frame_encoders import FrameEncoding, LogMelFrames, WaveformFrames
from gnnfuse.nodes.hub import Hub
from gnnfuse.nodes.image_patches import ImagePatches
from gnnfuse.nodes.node_type import Layout, NodeEncoder, NodeSet, NodeType, check_node_type, check_nodes
from gnnfuse.nodes.patch_encoders import ConvPatches, LinearPatches, PatchEncoding
from gnnfuse.nodes.position import PositionEncoding
from gnnfuse.nodes.text_tokens import TextTokens

__all__ = [
    "AudioFrames",
    "AudioGain",
    "AudioNoise",
    "AudioShift",
    "ConvPatches",
    "Features",
    "FrameEncoding",
    "Hub",
    "ImageFlip",
    "ImagePatches",
    "ImageShift",
    "InTurn",
    "Layout",
    "LinearPatches",
    "LogMelFrames",
    "NodeEncoder",
    "NodeSet",
    "NodeType",
    "PatchEncoding",
    "PositionEncoding",
    "RowEncoder",
    "TextTokens",
    "WaveformFrames",
    "check_node_type",
    "check_nodes",
]
