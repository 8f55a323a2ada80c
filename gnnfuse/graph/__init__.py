"""The fourth stage: builds one batch of graphs from samples."""

from gnnfuse.edges import EdgeList, Relation
from gnnfuse.graph.batch_memory import BatchMemory
from gnnfuse.graph.graph_batch import GraphBatch
from gnnfuse.graph.graph_builder import GraphBuilder
from gnnfuse.graph.log_tail import LogTail
from gnnfuse.graph.node_target import NodeTarget
from gnnfuse.graph.ragged import Ragged
from gnnfuse.graph.sample_graph import SampleGraph
from gnnfuse.graph.target import ClassTarget, MultiLabelTarget, NumberTarget, TargetEncoding

__all__ = [
    "BatchMemory",
    "ClassTarget",
    "EdgeList",
    "GraphBatch",
    "GraphBuilder",
    "LogTail",
    "MultiLabelTarget",
    "NodeTarget",
    "NumberTarget",
    "Ragged",
    "Relation",
    "SampleGraph",
    "TargetEncoding",
]
