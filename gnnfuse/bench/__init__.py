"""Benchmarks: every model through one loop with one budget."""

from gnnfuse.bench.bench import bench
from gnnfuse.bench.bench_task import BenchTask
from gnnfuse.bench.results import Results, Row
from gnnfuse.bench.run import BenchConfig, run_benchmark

__all__ = ["BenchConfig", "BenchTask", "Results", "Row", "bench", "run_benchmark"]
