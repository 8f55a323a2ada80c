"""Passes over samples that are not training: what can be read, what cannot, and what frozen encoders make of it."""

from gnnfuse.reading.cache_samples import CacheReport, cache_samples
from gnnfuse.reading.cache_table import cache
from gnnfuse.reading.survey import Survey, survey
from gnnfuse.reading.usable_samples import UsableSamples, UsableStream

__all__ = ["CacheReport", "Survey", "UsableSamples", "UsableStream", "cache", "cache_samples", "survey"]
