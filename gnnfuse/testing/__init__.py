"""The conformance suite: the checks that every node type, rule, layer, readout, model and task must pass."""

from gnnfuse.testing.check_edge_rule import check_edge_rule
from gnnfuse.testing.check_fusion_model import check_fusion_model
from gnnfuse.testing.check_layer import check_layer
from gnnfuse.testing.check_node_type import check_node_type
from gnnfuse.testing.check_readout import check_readout
from gnnfuse.testing.check_task import check_task
from gnnfuse.testing.examples import example_builder, example_signals, random_samples
from gnnfuse.testing.global_state import poisoned_memory, unchanged_globals
from gnnfuse.testing.parameters import check_gradients, check_registered

__all__ = [
    "check_edge_rule",
    "check_fusion_model",
    "check_gradients",
    "check_layer",
    "check_node_type",
    "check_readout",
    "check_registered",
    "check_task",
    "example_builder",
    "example_signals",
    "poisoned_memory",
    "random_samples",
    "unchanged_globals",
]
