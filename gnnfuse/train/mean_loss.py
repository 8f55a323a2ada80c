"""A mean over samples, updated batch by batch, whose state can be saved."""

from dataclasses import dataclass

import torch

from gnnfuse.train.processes import added


@dataclass
class MeanLoss:
    """The mean loss of the samples seen so far.

    Example:
        >>> mean = MeanLoss()
        >>> mean.add(1.0, 3)
        >>> mean.add(2.0, 1)
        >>> mean.over_all(torch.device("cpu"))
        1.25
    """

    total: float = 0.0
    count: int = 0

    def add(self, mean: float, count: int) -> None:
        """Add a batch's mean loss and its number of samples."""
        self.total += mean * count
        self.count += count

    def over_all(self, device: torch.device) -> float:
        """The mean over the samples of all processes; NaN where there are none."""
        total, count = added([self.total, float(self.count)], device)
        return total / count if count else float("nan")

    def count_over_all(self, device: torch.device) -> int:
        """The number of samples over all processes."""
        return int(added([float(self.count)], device)[0])

    def reset(self) -> None:
        """Reset to no samples."""
        self.total, self.count = 0.0, 0

    def state(self) -> dict[str, float | int]:
        """The state for a checkpoint."""
        return {"total": self.total, "count": self.count}

    def load(self, state: dict[str, float | int]) -> None:
        """Restore the state from a checkpoint."""
        self.total, self.count = float(state["total"]), int(state["count"])
