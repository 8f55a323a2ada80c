"""What one call of `fit` was given, once its table is open."""

from dataclasses import dataclass

from gnnfuse.tables import Columns, Table
from gnnfuse.train import FitConfig
from gnnfuse.workflow.fit_options import FitOptions
from gnnfuse.workflow.observer import Observer


@dataclass(frozen=True, eq=False, kw_only=True)
class FitRequest:
    """What every step from a table to a trained task takes.

    Args:
        table: the table.
        columns: what its columns are.
        options: what is fitted.
        config: how it is trained.
        observer: is told what was chosen.
    """

    table: Table
    columns: Columns
    options: FitOptions
    config: FitConfig
    observer: Observer

    @property
    def target_column(self) -> str:
        """The target's columns, for messages."""
        return ", ".join(self.columns.target)
