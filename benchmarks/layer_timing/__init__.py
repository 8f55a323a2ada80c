"""What `benchmarks/layers.py` is made of: workloads, contenders, the check that they agree, clocks, and the report."""
