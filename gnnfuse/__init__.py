"""gnnfuse: fuse images, audio, text and your own node types with graph neural networks.

Every public name can be had from here; what it needs is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gnnfuse.diagnosis import doctor as doctor
    from gnnfuse.draw import draw_sample as draw_sample
    from gnnfuse.edges import Aligned as Aligned
    from gnnfuse.edges import Complete as Complete
    from gnnfuse.edges import EdgeRule as EdgeRule
    from gnnfuse.edges import Grid as Grid
    from gnnfuse.edges import Nearest as Nearest
    from gnnfuse.edges import Relation as Relation
    from gnnfuse.edges import Window as Window
    from gnnfuse.fusion import Concat as Concat
    from gnnfuse.fusion import FusionModel as FusionModel
    from gnnfuse.fusion import GraphFusion as GraphFusion
    from gnnfuse.fusion import JointTransformer as JointTransformer
    from gnnfuse.fusion import ModalityAttention as ModalityAttention
    from gnnfuse.fusion import Unimodal as Unimodal
    from gnnfuse.graph import ClassTarget as ClassTarget
    from gnnfuse.graph import GraphBatch as GraphBatch
    from gnnfuse.graph import GraphBuilder as GraphBuilder
    from gnnfuse.graph import MultiLabelTarget as MultiLabelTarget
    from gnnfuse.graph import NumberTarget as NumberTarget
    from gnnfuse.message_passing import HGT as HGT
    from gnnfuse.message_passing import RGCN as RGCN
    from gnnfuse.message_passing import SAGE as SAGE
    from gnnfuse.message_passing import GATv2 as GATv2
    from gnnfuse.message_passing import MessageLayer as MessageLayer
    from gnnfuse.message_passing import NearestStates as NearestStates
    from gnnfuse.message_passing import PyGLayer as PyGLayer
    from gnnfuse.message_passing import RelationAttention as RelationAttention
    from gnnfuse.message_passing import SimMIM as SimMIM
    from gnnfuse.nodes import AudioFrames as AudioFrames
    from gnnfuse.nodes import CachedNodes as CachedNodes
    from gnnfuse.nodes import Features as Features
    from gnnfuse.nodes import Hub as Hub
    from gnnfuse.nodes import ImagePatches as ImagePatches
    from gnnfuse.nodes import NodeEncoder as NodeEncoder
    from gnnfuse.nodes import NodeSet as NodeSet
    from gnnfuse.nodes import NodeType as NodeType
    from gnnfuse.nodes import PretrainedAudio as PretrainedAudio
    from gnnfuse.nodes import PretrainedImage as PretrainedImage
    from gnnfuse.nodes import PretrainedText as PretrainedText
    from gnnfuse.nodes import TextTokens as TextTokens
    from gnnfuse.readout import AdditiveReadout as AdditiveReadout
    from gnnfuse.readout import AttentionReadout as AttentionReadout
    from gnnfuse.readout import HubReadout as HubReadout
    from gnnfuse.readout import InteractionReadout as InteractionReadout
    from gnnfuse.readout import JoinedReadout as JoinedReadout
    from gnnfuse.readout import MeanReadout as MeanReadout
    from gnnfuse.readout import TypedReadout as TypedReadout
    from gnnfuse.sample import Audio as Audio
    from gnnfuse.sample import Rows as Rows
    from gnnfuse.sample import Sample as Sample
    from gnnfuse.saving import ModelCard as ModelCard
    from gnnfuse.saving import from_pretrained as from_pretrained
    from gnnfuse.saving import save_pretrained as save_pretrained
    from gnnfuse.saving import uncached as uncached
    from gnnfuse.tasks import Classification as Classification
    from gnnfuse.tasks import MultiLabel as MultiLabel
    from gnnfuse.tasks import Regression as Regression
    from gnnfuse.train import FitConfig as FitConfig
    from gnnfuse.train import cache as cache

    # Not from the package: mypy would take them for the modules of their names.
    from gnnfuse.train.cache_samples import cache_samples as cache_samples
    from gnnfuse.train.evaluate import evaluate as evaluate
    from gnnfuse.train.fit_task import fit_task as fit_task
    from gnnfuse.workflow import Encoders as Encoders
    from gnnfuse.workflow import FitOptions as FitOptions
    from gnnfuse.workflow import Observer as Observer
    from gnnfuse.workflow import TableNote as TableNote
    from gnnfuse.workflow import Terminal as Terminal
    from gnnfuse.workflow import default_config as default_config
    from gnnfuse.workflow import embed as embed
    from gnnfuse.workflow import fit as fit
    from gnnfuse.workflow import predict as predict

__version__ = "0.1.0"

_PUBLIC = {
    "diagnosis": ("doctor",),
    "draw": ("draw_sample",),
    "edges": ("Aligned", "Complete", "EdgeRule", "Grid", "Nearest", "Relation", "Window"),
    "fusion": ("Concat", "FusionModel", "GraphFusion", "JointTransformer", "ModalityAttention", "Unimodal"),
    "graph": ("ClassTarget", "GraphBatch", "GraphBuilder", "MultiLabelTarget", "NumberTarget"),
    "message_passing": (
        "GATv2",
        "HGT",
        "MessageLayer",
        "NearestStates",
        "PyGLayer",
        "RGCN",
        "RelationAttention",
        "SAGE",
        "SimMIM",
    ),
    "nodes": (
        "AudioFrames",
        "CachedNodes",
        "Features",
        "Hub",
        "ImagePatches",
        "NodeEncoder",
        "NodeSet",
        "NodeType",
        "PretrainedAudio",
        "PretrainedImage",
        "PretrainedText",
        "TextTokens",
    ),
    "readout": (
        "AdditiveReadout",
        "AttentionReadout",
        "HubReadout",
        "InteractionReadout",
        "JoinedReadout",
        "MeanReadout",
        "TypedReadout",
    ),
    "sample": ("Audio", "Rows", "Sample"),
    "saving": ("ModelCard", "from_pretrained", "save_pretrained", "uncached"),
    "tasks": ("Classification", "MultiLabel", "Regression"),
    "train": ("FitConfig", "cache", "cache_samples", "evaluate", "fit_task"),
    "workflow": (
        "Encoders",
        "FitOptions",
        "Observer",
        "TableNote",
        "Terminal",
        "default_config",
        "embed",
        "fit",
        "predict",
    ),
}
_HOME = {name: stage for stage, names in _PUBLIC.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'gnnfuse' has no attribute {name!r}")
    return getattr(import_module(f"gnnfuse.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
