"""Cross-attention by loops over samples, modalities and heads."""

import torch
from torch import Tensor

from gnnfuse.fusion.attention import CrossAttention
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.testing.properties import widened

DIM, HEADS = 8, 2


def test_each_modality_attends_to_the_others_of_its_sample() -> None:
    builder = example_builder()
    batch = widened(builder(random_samples(torch.Generator().manual_seed(0)), empty=True))
    torch.manual_seed(0)
    model = CrossAttention.of(builder, dim=DIM, depth=1, heads=HEADS).double().eval()
    found = model.embed(batch)
    assert found.parts is not None
    assert found.present is not None
    vectors, present = model.pooled(model.encoders(batch), batch)
    assert set(present.sum(dim=1).tolist()) == {0, 1, 2, 3}
    for graph in range(len(batch)):
        there = present[graph].nonzero().flatten().tolist()
        for own in range(3):
            others = [other for other in there if other != own]
            expected = vectors[graph, own]
            if others:
                expected = expected + model.output(heard(model, vectors[graph], own, others))
            torch.testing.assert_close(found.parts[graph, own], expected)
        torch.testing.assert_close(found.vector[graph], model.network(found.parts[graph].flatten()))


def heard(model: CrossAttention, vectors: Tensor, own: int, others: list[int]) -> Tensor:
    size = DIM // HEADS
    query, key, value = (part.reshape(3, HEADS, size) for part in model.project(model.norm(vectors)).chunk(3, dim=1))
    heads = []
    for head in range(HEADS):
        scores = torch.stack([query[own, head] @ key[other, head] for other in others]) / size**0.5
        weights = scores.softmax(dim=0)
        heads.append(sum(weight * value[other, head] for weight, other in zip(weights, others, strict=True)))
    return torch.cat([torch.as_tensor(each) for each in heads])
