"""Passes over samples outside training: checking what can be read, and caching features of frozen encoders."""

from gnnfuse.reading.cache_samples import CacheReport, cache_samples
from gnnfuse.reading.cache_table import cache
from gnnfuse.reading.survey import Survey, survey
from gnnfuse.reading.usable_samples import UsableSamples, UsableStream

__all__ = ["CacheReport", "Survey", "UsableSamples", "UsableStream", "cache", "cache_samples", "survey"]
