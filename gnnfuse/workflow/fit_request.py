"""The arguments of one call of `fit`, once its table is open."""

from dataclasses import dataclass

from gnnfuse.observer import Observer
from gnnfuse.tables import Columns, Table
from gnnfuse.train import FitConfig
from gnnfuse.workflow.fit_options import FitOptions


@dataclass(frozen=True, eq=False, kw_only=True)
class FitRequest:
    """The input of every step from a table to a trained task.

    Args:
        table: the table.
        columns: the roles of its columns.
        options: what is fitted.
        config: how it is trained.
        observer: receives what was chosen.
        tuned: last blocks of encoders that one of several members trains; the others read frozen ones.
        passing_cache: whether the cache that the options name is temporary: it is removed at the end.
    """

    table: Table
    columns: Columns
    options: FitOptions
    config: FitConfig
    observer: Observer
    passing_cache: bool = False
    tuned: int = 0

    @property
    def target_column(self) -> str:
        """The names of the target's columns, for messages."""
        return ", ".join(self.columns.target)
