"""gnnfuse: fuse images, audio, text and your own node types with graph neural networks.

Every public name and every folder can be reached from here; it is imported when it is first used.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gnnfuse import bench as bench
    from gnnfuse import catalog as catalog
    from gnnfuse import cli as cli
    from gnnfuse import data as data
    from gnnfuse import diagnosis as diagnosis
    from gnnfuse import draw as draw
    from gnnfuse import edges as edges
    from gnnfuse import fusion as fusion
    from gnnfuse import graph as graph
    from gnnfuse import message_passing as message_passing
    from gnnfuse import nodes as nodes
    from gnnfuse import ops as ops
    from gnnfuse import reading as reading
    from gnnfuse import readout as readout
    from gnnfuse import sample as sample
    from gnnfuse import saving as saving
    from gnnfuse import tables as tables
    from gnnfuse import tasks as tasks
    from gnnfuse import testing as testing
    from gnnfuse import train as train
    from gnnfuse import workflow as workflow
    from gnnfuse.diagnosis import doctor as doctor
    from gnnfuse.draw import draw_sample as draw_sample
    from gnnfuse.edges import Aligned as Aligned
    from gnnfuse.edges import Complete as Complete
    from gnnfuse.edges import EdgeRule as EdgeRule
    from gnnfuse.edges import GivenEdges as GivenEdges
    from gnnfuse.edges import Grid as Grid
    from gnnfuse.edges import Nearest as Nearest
    from gnnfuse.edges import Relation as Relation
    from gnnfuse.edges import Window as Window
    from gnnfuse.fusion import Concat as Concat
    from gnnfuse.fusion import Fused as Fused
    from gnnfuse.fusion import FusionModel as FusionModel
    from gnnfuse.fusion import GraphFusion as GraphFusion
    from gnnfuse.fusion import JointTransformer as JointTransformer
    from gnnfuse.fusion import ModalityAttention as ModalityAttention
    from gnnfuse.fusion import Unimodal as Unimodal
    from gnnfuse.graph import ClassTarget as ClassTarget
    from gnnfuse.graph import GraphBatch as GraphBatch
    from gnnfuse.graph import GraphBuilder as GraphBuilder
    from gnnfuse.graph import MultiLabelTarget as MultiLabelTarget
    from gnnfuse.graph import NodeTarget as NodeTarget
    from gnnfuse.graph import NumberTarget as NumberTarget
    from gnnfuse.graph import TargetEncoding as TargetEncoding
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
    from gnnfuse.reading import cache as cache

    # Not from the package: mypy would take them for the modules of their names.
    from gnnfuse.reading.cache_samples import cache_samples as cache_samples
    from gnnfuse.readout import AdditiveReadout as AdditiveReadout
    from gnnfuse.readout import AttentionReadout as AttentionReadout
    from gnnfuse.readout import HubReadout as HubReadout
    from gnnfuse.readout import InteractionReadout as InteractionReadout
    from gnnfuse.readout import JoinedReadout as JoinedReadout
    from gnnfuse.readout import MeanReadout as MeanReadout
    from gnnfuse.readout import Readout as Readout
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
    from gnnfuse.tasks import NodeClassification as NodeClassification
    from gnnfuse.tasks import Objective as Objective
    from gnnfuse.tasks import Prediction as Prediction
    from gnnfuse.tasks import Regression as Regression
    from gnnfuse.tasks import Task as Task
    from gnnfuse.train import FitConfig as FitConfig
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
    "edges": ("Aligned", "Complete", "EdgeRule", "GivenEdges", "Grid", "Nearest", "Relation", "Window"),
    "fusion": ("Concat", "Fused", "FusionModel", "GraphFusion", "JointTransformer", "ModalityAttention", "Unimodal"),
    "graph": (
        "ClassTarget",
        "GraphBatch",
        "GraphBuilder",
        "MultiLabelTarget",
        "NodeTarget",
        "NumberTarget",
        "TargetEncoding",
    ),
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
        "Readout",
        "TypedReadout",
    ),
    "reading": ("cache", "cache_samples"),
    "sample": ("Audio", "Rows", "Sample"),
    "saving": ("ModelCard", "from_pretrained", "save_pretrained", "uncached"),
    "tasks": ("Classification", "MultiLabel", "NodeClassification", "Objective", "Prediction", "Regression", "Task"),
    "train": ("FitConfig", "evaluate", "fit_task"),
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
_FOLDERS = (*_PUBLIC, "bench", "catalog", "cli", "data", "ops", "tables", "testing")

if not TYPE_CHECKING:  # a type checker knows the names from above, and refuses others

    def __getattr__(name: str) -> object:
        if name in _FOLDERS:
            return _import_module(f"gnnfuse.{name}")
        if name in _HOME:
            return getattr(_import_module(f"gnnfuse.{_HOME[name]}"), name)
        # With name and obj Python suggests the nearest name of `dir`.
        raise AttributeError(f"module 'gnnfuse' has no attribute {name!r}", name=name, obj=_import_module("gnnfuse"))


def __dir__() -> list[str]:
    return sorted([*_HOME, *_FOLDERS, "__version__"])
