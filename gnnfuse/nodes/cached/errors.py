"""Errors of a feature cache; none is ever ignored."""

from gnnfuse.sample import Sample


class CacheError(ValueError):
    """A cache cannot be used: names the file, what was found and the command that repairs it."""


class NotCachedError(CacheError):
    """A sample's features are not in the cache: names the sample and the command that makes them."""

    def __init__(self, sample: Sample, signal: str, folder: str, command: str) -> None:
        super().__init__(
            f"sample {sample.id!r}, signal {signal!r}: found no features of its content for this encoder in "
            f"{folder!r}; make them with: {command}"
        )
        self.reason = (sample, signal, folder, command)

    def __reduce__(self) -> tuple[type["NotCachedError"], tuple[Sample, str, str, str]]:
        return NotCachedError, self.reason  # crosses from loader workers to the main process
