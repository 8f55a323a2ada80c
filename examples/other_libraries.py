"""A batch goes to PyTorch Geometric and networkx, and comes back bit for bit."""

import torch

import gnnfuse as gf
from gnnfuse.graph.networkx import from_networkx, to_networkx
from gnnfuse.graph.pyg import from_pyg, to_pyg


def main() -> None:
    builder = gf.GraphBuilder(
        [gf.ImagePatches(patch=8), gf.TextTokens(), gf.Hub()],
        [gf.Grid(), gf.Window(), gf.Complete(dst="hub", name="to_hub"), gf.Complete(src="hub", name="from_hub")],
    )
    picture = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(0))
    batch = builder([gf.Sample({"text": "no picture here"}), gf.Sample({"image": picture, "text": "both"})])

    data = to_pyg(batch)
    print(data)
    assert from_pyg(data) == batch

    graph = to_networkx(batch)
    print(graph)
    assert from_networkx(graph) == batch


if __name__ == "__main__":
    main()
