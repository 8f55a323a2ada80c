"""torch.compile traces a whole step of `GraphFusion`; in a process of its own, as the tests' shape checks break it."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from functools import partial
import torch
from gnnfuse.edges import Complete, Window
from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import GraphBuilder
from gnnfuse.message_passing import GATv2, HGT, RGCN, SAGE, SimMIM
from gnnfuse.nodes import Hub, TextTokens
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import assert_close, make_seeded, widened

torch.set_num_threads(1)
samples = random_samples(torch.Generator().manual_seed(0))
texts = GraphBuilder([TextTokens(), Hub()], [Window(), Complete()], extra="ignore")

def step(call, model, batch):
    out = call(batch)
    return out, *torch.autograd.grad(out.square().sum(), list(model.parameters()))

def check(builder, layer, parts):
    make = partial(GraphFusion, builder.node_types, builder.relations, dim=8, depth=1, layer=layer)
    model = make_seeded(make).double()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    for part in parts:
        found, expected = (step(call, model, widened(builder(part, empty=True))) for call in (compiled, model))
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other, "compiled")

{checks}
print("traced")
"""

CHECKS = {
    # The second batch has other sizes than the first.
    "HGT": "check(example_builder(), HGT, [samples, samples[:4]])",
    "others": "for layer in (GATv2, SAGE, partial(RGCN, num_bases=2), SimMIM):\n    check(texts, layer, [samples])",
}


@pytest.mark.parametrize("layers", CHECKS)
def test_a_step_has_no_graph_break(layers: str) -> None:
    script = SCRIPT.replace("{checks}", CHECKS[layers])
    root = Path(__file__).parents[3]
    found = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert found.stdout.split() == ["traced"], found.stderr[-4000:]
