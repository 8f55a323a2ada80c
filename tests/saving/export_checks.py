"""What `test_export.py` runs in a process of its own: the run-time check of shapes cannot be traced.

Prints one JSON object: model -> the largest difference of program and model over batches of other sizes, or what was
raised. `python -m tests.saving.export_checks FOLDER MODEL ...`.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch_geometric.nn import SAGEConv

from gnnfuse.fusion import Concat, FusionModel, GraphFusion, JointTransformer, ModalityAttention, PooledStates, Unimodal
from gnnfuse.fusion.attention import CrossAttention
from gnnfuse.graph import ClassTarget, GraphBatch, GraphBuilder
from gnnfuse.message_passing import HGT, RGCN, SAGE, GATv2, NearestStates, PyGLayer, RelationAttention, SimMIM
from gnnfuse.saving import batch_tensors, export
from gnnfuse.tasks import Classification
from gnnfuse.testing import example_builder, random_samples, unchanged_globals
from tests.graph.graphs import Distance
from tests.saving.models import few_samples

DIM = 8
SLACK = 4


def graph(layer: Callable[..., nn.Module]) -> Callable[[GraphBuilder], FusionModel]:
    return lambda b: GraphFusion(b.node_types, b.relations, dim=DIM, depth=1, layer=layer)  # type: ignore[arg-type]


MODELS: dict[str, Callable[[GraphBuilder], FusionModel]] = {
    "graph": graph(RelationAttention),
    "gatv2": graph(GATv2),
    "hgt": graph(partial(HGT, heads=2)),
    "rgcn": graph(RGCN),
    "sage": graph(SAGE),
    "simmim": graph(SimMIM),
    "joint_transformer": lambda b: JointTransformer(b.node_types, dim=DIM, depth=1),
    "modality_attention": lambda b: ModalityAttention(b.node_types, dim=DIM, depth=1),
    "cross_attention": lambda b: CrossAttention.of(b, dim=DIM, depth=1),
    "concat": lambda b: Concat(b.node_types, dim=DIM, depth=1),
    "pooled": lambda b: PooledStates(b.node_types),
    "unimodal": lambda b: Unimodal(b.node_types, modality="text", dim=DIM, depth=1),
}
CARRYING = {"edge_data_attention": graph(RelationAttention), "edge_data_mean": graph(SAGE)}
OTHERS = {
    "pyg": graph(partial(PyGLayer, conv=partial(SAGEConv, (DIM, DIM), DIM))),
    "nearest_states": graph(partial(NearestStates, layer=RelationAttention, k=2)),
}


def task(name: str) -> Classification:
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    if name in CARRYING:
        builder = GraphBuilder(builder.node_types, [*builder.edge_rules, Distance()], target=builder.target)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Classification((MODELS | CARRYING | OTHERS)[name](builder), builder, dropout=0.5)


def other_batches(builder: GraphBuilder) -> list[GraphBatch]:
    """Of other sizes than the example: few, many, every single sample (one has no node), without a modality."""
    more = random_samples(torch.Generator().manual_seed(3))
    drawn = [more[:2], more * 3, *([one] for one in more), [more[3], more[5]]]
    return [builder(samples, empty=True) for samples in drawn]


def check(name: str, folder: Path) -> dict[str, float]:
    """The largest difference, and what rounding explains."""
    exported = task(name).train()
    with unchanged_globals("exporting"):
        program = export(exported, exported.builder(few_samples(), empty=True))
    assert all(module.training for module in exported.modules())
    exported.eval()
    torch.export.save(program, folder / f"{name}.pt2")
    run = torch.export.load(folder / f"{name}.pt2").module()
    worst = {"off": 0.0, "allowed": 0.0}
    for batch in other_batches(exported.builder):
        with torch.no_grad():
            found, expected = run(batch_tensors(batch)), exported(batch)
        off = float((found - expected).abs().max())
        allowed = SLACK * DIM * torch.finfo(torch.float32).eps * max(1.0, float(expected.abs().max()))
        if off > worst["off"] or not worst["allowed"]:
            worst = {"off": off, "allowed": allowed}
    return worst


def main(folder: Path, *names: str) -> None:
    found: dict[str, object] = {}
    for name in names:
        try:
            found[name] = check(name, folder)
        except ValueError as error:
            if name in MODELS:
                raise
            found[name] = {"refused": str(error)}
    exported = task("graph").eval()
    batch = exported.builder(few_samples()[:3])
    torch.save(batch_tensors(batch), folder / "inputs.pt")
    with torch.no_grad():
        torch.save(exported(batch), folder / "expected.pt")
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
