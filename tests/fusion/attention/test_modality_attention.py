"""ModalityAttention against its formula in numpy."""

import numpy as np
import torch

from gnnfuse.fusion import ModalityAttention
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import widened

DIM = 8


def test_the_formula() -> None:
    builder = example_builder()
    batch = widened(builder(random_samples(torch.Generator().manual_seed(0)), empty=True))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ModalityAttention(builder.node_types, dim=DIM, depth=1, heads=2).double().eval()
    names = ["audio", "image", "text"]
    with torch.no_grad():
        found, vectors, *_ = model.embed(batch)
        assert vectors is not None
    maps = {name: model.project.get_parameter(f"{name}.weight") for name in names}
    weight = {name: matrix.detach().numpy().reshape(3, DIM, DIM) for name, matrix in maps.items()}
    bias = {n: model.project.get_parameter(f"{n}.bias").detach().numpy().reshape(3, DIM) for n in names}
    for graph in range(len(batch)):
        query, key, value = (
            np.stack([weight[n][part] @ vectors[graph, i].numpy() + bias[n][part] for i, n in enumerate(names)])
            for part in range(3)
        )
        present = [i for i, n in enumerate(names) if bool((batch.layout[n].graph_id == graph).any())] or [0, 1, 2]
        fused = []
        for i in range(3):
            weights = np.exp([query[i] @ key[j] / np.sqrt(DIM) for j in present])
            fused.append(sum(w / weights.sum() * value[j] for w, j in zip(weights, present, strict=True)))
        with torch.no_grad():
            expected = model.output(torch.tensor(np.concatenate(fused))).numpy()
        assert np.allclose(found[graph], expected, rtol=1e-10, atol=1e-10)
