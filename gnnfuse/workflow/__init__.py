"""From a table to a model, and from a model to answers: the commands as Python functions."""

from gnnfuse.workflow.embed_table import embed
from gnnfuse.workflow.fit_options import FitOptions
from gnnfuse.workflow.fit_table import Fitted, default_config, fit
from gnnfuse.workflow.observer import Observer
from gnnfuse.workflow.predict_table import Predicted, predict
from gnnfuse.workflow.table_nodes import Encoders, table_nodes, table_rules
from gnnfuse.workflow.table_note import TableNote
from gnnfuse.workflow.terminal import Terminal

__all__ = [
    "Encoders",
    "FitOptions",
    "Fitted",
    "Observer",
    "Predicted",
    "TableNote",
    "Terminal",
    "default_config",
    "embed",
    "fit",
    "predict",
    "table_nodes",
    "table_rules",
]
