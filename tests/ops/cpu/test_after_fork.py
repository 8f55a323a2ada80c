"""A forked child has none of its parent's OpenMP threads: what would wait for them must not."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os
import numpy
import torch
from gnnfuse.ops import graph_attention, neighbor_sum
from gnnfuse.ops.edges import edges_from_index

NODES = 9000  # so many into one: the operators that join its pieces are large enough for several threads
src = torch.arange(NODES)
edges = edges_from_index(src, torch.zeros_like(src), num_nodes=NODES)

torch.manual_seed(0)
x = torch.randn(NODES, 8, 8)
calls = [
    (lambda x: graph_attention(x, x, x, edges, impl="numba"), x),
    (lambda x: neighbor_sum(x, edges, impl="numba"), x.reshape(NODES, 64)),
]
grads = [torch.randn_like(call(x)) for call, x in calls]

def results():  # ours alone: PyTorch's own operators hang in the child
    found = []
    for (call, x), grad in zip(calls, grads):
        x = x.detach().requires_grad_(call is not calls[0][0])  # whose three gradients would be added by PyTorch
        out = call(x)
        found.append(out.detach().numpy())
        if x.requires_grad:
            found.append(torch.autograd.grad(out, x, grad)[0].numpy())
    states = [calls[0][1].detach().requires_grad_() for _ in range(3)]
    out = graph_attention(*states, edges, impl="numba")
    return found + [given.numpy() for given in torch.autograd.grad(out, states, grads[0])]

torch.set_num_threads(2)
expected = results()
torch.randn(10**6).exp()  # the parent's threads exist
child = os.fork()
if child == 0:
    same = all(numpy.array_equal(one, other) for one, other in zip(results(), expected))
    os._exit(0 if same and torch.get_num_threads() == 2 else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this platform cannot fork")
def test_a_hub_in_a_forked_child_with_several_threads() -> None:
    pytest.importorskip("numba")
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=300, cwd=Path(__file__).parents[3])
