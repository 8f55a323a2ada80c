"""Without numba's and llvmlite's private names the CPU kernels give the same results, after one warning."""

import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ["numba.core.caching:IndexDataCacheFile", "llvmlite.ir:IRBuilder.shuffle_vector"]
PROGRAM = """
import warnings
from importlib import import_module
from operator import attrgetter
import torch

import numba
NAMES = {names!r}
for name in NAMES:
    module, path = name.split(":")
    *owners, last = path.split(".")
    owner = import_module(module)
    delattr(attrgetter(".".join(owners))(owner) if owners else owner, last)

from gnnfuse.ops import edges_from_index, graph_attention, neighbor_sum

def results(call, impl, *tensors):
    tensors = [tensor.clone().requires_grad_() for tensor in tensors]
    out = call(impl, *tensors)
    return [out.detach(), *torch.autograd.grad(out.square().sum(), tensors)]

torch.manual_seed(0)
torch.set_num_threads(2)
nodes, heads = 300, 4
src, dst = torch.randint(0, nodes, (2, 40 * nodes))
edges = edges_from_index(src, dst, torch.randint(0, 3, src.shape), num_nodes=nodes)
states = torch.randn(3, nodes, heads, 16)
tables = torch.randn(2, 3, heads)
def attend(impl, query, key, value, bias, gate):
    options = dict(relation_bias=bias, relation_gate=gate, dropout=0.2, seed=3, impl=impl)
    return graph_attention(query, key, value, edges, **options)

calls = [
    (attend, *states, *tables),
    (lambda impl, x: neighbor_sum(x, edges, reduce="mean", impl=impl), states[0].flatten(1)),
]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    found = [results(call, "numba", *tensors) for call, *tensors in calls]
warned = [str(each.message) for each in caught if "CPU kernels are compiled without them" in str(each.message)]
assert len(warned) == 1, warned
assert all(name in warned[0] for name in NAMES), warned
for (call, *tensors), ours in zip(calls, found):
    exact = results(call, "reference", *[tensor.double() for tensor in tensors])
    rounded = results(call, "reference", *tensors)
    for truth, reference, result in zip(exact, rounded, ours):
        step = torch.finfo(torch.float32).eps * truth.abs().max()
        assert (result - truth).abs().max() <= 4 * (reference - truth).abs().max() + step
"""


@pytest.mark.long
def test_kernels_without_private_names() -> None:
    """Takes as long as numba compiles attention, which cannot be kept on disk here: 15 seconds."""
    pytest.importorskip("numba")
    program = PROGRAM.format(names=NAMES)
    subprocess.run([sys.executable, "-c", program], check=True, timeout=600, cwd=Path(__file__).parents[3])
