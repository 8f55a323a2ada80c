"""TokenTransformer: padding changes nothing, tokens come in the batch's order, and the attention is the formula."""

import math

import pytest
import torch
from torch import Tensor

from gnnfuse.fusion import TokenTransformer
from gnnfuse.fusion.token_transformer import pad_tokens
from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import TextTokens
from gnnfuse.sample import Sample

BUILDER = GraphBuilder([TextTokens(), TextTokens(signal="title")])
DIM = 6


def transformer(*, depth: int = 2, heads: int = 3) -> TokenTransformer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return TokenTransformer(DIM, depth=depth, heads=heads).double().eval()


def states_of(counts: dict[str, int]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(n, DIM, generator=generator, dtype=torch.float64) for name, n in counts.items()}


def test_tokens_lie_type_after_type() -> None:
    batch = BUILDER([Sample({"text": "ab", "title": "c"}), Sample({}), Sample({"title": "def"})], empty=True)
    states = {"text": torch.tensor([[1.0], [2.0]]), "title": torch.tensor([[3.0], [4.0], [5.0], [6.0]])}
    tokens, mask, place = pad_tokens(states, batch)
    assert tokens.squeeze(2).tolist() == [[1, 2, 3], [0, 0, 0], [4, 5, 6]]
    assert mask.tolist() == [[True] * 3, [False] * 3, [True] * 3]
    assert torch.equal(tokens[place], torch.cat(list(states.values())))


@torch.no_grad()
def test_padding_changes_nothing() -> None:
    model = transformer()
    states = states_of({"text": 3})
    alone = model(states, BUILDER([Sample({"text": "abc"})]))
    longer = {"text": torch.cat([states["text"], torch.full((40, DIM), 1e3, dtype=torch.float64)])}
    padded = model(longer, BUILDER([Sample({"text": "abc"}), Sample({"text": "x" * 40})]))
    assert torch.allclose(padded[:1], alone, rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_the_order_of_modalities_does_not_matter() -> None:
    model = transformer()
    batch = BUILDER([Sample({"text": "ab", "title": "cde"}), Sample({"title": "f"})])
    states = states_of({"text": 2, "title": 4})
    turned = {name: states[name] for name in ("title", "text")}
    assert torch.allclose(model(states, batch), model(turned, batch), rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_a_graph_without_tokens_is_left_with_the_class_token() -> None:
    model = transformer()
    nothing = {"text": torch.zeros(0, DIM, dtype=torch.float64)}
    found = model(nothing, BUILDER([Sample({}), Sample({})], empty=True))
    tokens = model.class_token.reshape(1, 1, DIM)
    for block in model.blocks:
        tokens = block(tokens, torch.ones(1, 1, dtype=torch.bool))
    assert torch.allclose(found, model.norm(tokens[:, 0]).expand(2, -1), rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_one_block_by_hand() -> None:
    model = transformer(depth=1, heads=2)
    states = states_of({"text": 2})
    found = model(states, BUILDER([Sample({"text": "ab"})]))[0]
    block, size = model.blocks[0], DIM // 2
    project, norm, output, feed_forward = map(block.get_submodule, ("project", "norm", "output", "feed_forward"))
    tokens = torch.cat([model.class_token.unsqueeze(0), states["text"]])
    projected = project(norm(tokens))
    received = torch.zeros(DIM, dtype=torch.float64)
    for head in range(2):
        query, key, value = (projected[:, part * DIM + head * size :][:, :size] for part in range(3))
        weights = [math.exp(float(query[0] @ key[j]) / math.sqrt(size)) for j in range(3)]
        for j in range(3):
            received[head * size : (head + 1) * size] += weights[j] / sum(weights) * value[j]
    after = tokens[0] + output(received)
    assert torch.allclose(found, model.norm(after + feed_forward(after)), rtol=1e-12, atol=1e-12)


def test_messages() -> None:
    with pytest.raises(ValueError, match="heads must divide dim, found heads=4 and dim=6"):
        TokenTransformer(6, depth=1, heads=4)
    with pytest.raises(ValueError, match="depth must be at least 1, found 0"):
        TokenTransformer(6, depth=0, heads=2)
