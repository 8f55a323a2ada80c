"""From a table to a model, and from a model to answers: the commands as Python functions."""

from gnnfuse.workflow.embed_table import embed
from gnnfuse.workflow.fit_options import FitOptions
from gnnfuse.workflow.fit_table import Fitted, default_config, fit
from gnnfuse.workflow.predict_table import Predicted, predict
from gnnfuse.workflow.table_nodes import table_nodes, table_rules
from gnnfuse.workflow.table_note import TableNote

__all__ = [
    "FitOptions",
    "Fitted",
    "Predicted",
    "TableNote",
    "default_config",
    "embed",
    "fit",
    "predict",
    "table_nodes",
    "table_rules",
]
