from typing import Any

import pytest
import torch
from torch import Tensor

from gnnfuse.ops import edges_from_index, relation_matmul, relation_rows

SPANS = [(0, 3), (2, 2), (1, 6), (0, 6)]


def operands(heads: int = 2, in_dim: int = 3, out_dim: int = 5, nodes: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(nodes, heads, in_dim, generator=generator, dtype=torch.float64)
    weight = torch.randn(len(SPANS), heads, in_dim, out_dim, generator=generator, dtype=torch.float64)
    return states.requires_grad_(), weight.requires_grad_()


def test_by_loops_where_relation_rows_has_its_rows() -> None:
    states, weight = operands()
    rows = relation_matmul(states, weight, SPANS).detach()
    src = torch.tensor([0, 2, 1, 5, 0, 3])
    relation = torch.tensor([0, 0, 2, 2, 3, 3])
    edges = edges_from_index(src, torch.zeros_like(src), relation, num_nodes=6)
    numbered = relation_rows(edges, SPANS)
    states, weight = states.detach(), weight.detach()
    assert len(rows) == numbered.transpose.offsets.numel() - 1
    for edge, row in enumerate(numbered.src.tolist()):
        node, number = int(edges.src[edge]), int(edges.relation[edge])
        for head in range(2):
            by_hand = [
                sum(float(states[node, head, i]) * float(weight[number, head, i, o]) for i in range(3))
                for o in range(5)
            ]
            torch.testing.assert_close(rows[row, head], torch.tensor(by_hand, dtype=torch.float64))


@pytest.mark.parametrize("spans", [SPANS, [(0, 0)] * 4, [(0, 6)] * 4])
def test_gradients(spans: list[tuple[int, int]]) -> None:
    states, weight = operands()
    assert torch.autograd.gradcheck(lambda s, w: relation_matmul(s, w, spans), (states, weight))


def test_states_may_be_a_view_and_one_relation_may_have_no_matrix() -> None:
    wide = torch.randn(6, 3, 2, 3, generator=torch.Generator().manual_seed(0))
    _, weight = operands()
    view = relation_matmul(wide.unbind(1)[1], weight.float(), SPANS)
    assert torch.equal(view, relation_matmul(wide[:, 1].contiguous(), weight.float(), SPANS))
    assert relation_matmul(wide[:, 0], weight[:0].float(), []).shape == (0, 2, 5)


def test_as_a_torch_operator() -> None:
    spans = [end for span in SPANS for end in span]
    torch.library.opcheck(torch.ops.gnnfuse.relation_matmul.default, (*operands(), spans))


def test_under_autocast_it_computes_as_matmul_does() -> None:
    states, weight = (tensor.detach().float() for tensor in operands())
    with torch.autocast("cpu", torch.bfloat16):
        found = relation_matmul(states, weight, SPANS)
        matmul = torch.bmm(states[0:3].transpose(0, 1), weight[0])
    assert found.dtype == matmul.dtype == torch.bfloat16
    assert torch.equal(found, relation_matmul(states.bfloat16(), weight.bfloat16(), SPANS))


def test_there_is_no_second_derivative() -> None:
    states, weight = operands()
    (grad,) = torch.autograd.grad(relation_matmul(states, weight, SPANS).square().sum(), states, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(grad.sum(), states)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"spans": SPANS[:2]}, "spans must have one entry per relation, 4; found 2"),
        ({"spans": [*SPANS[:3], (0, 7)]}, r"spans must be \(start, stop\) within 0..6, found \(0, 7\)"),
        ({"spans": [*SPANS[:3], (4, 2)]}, r"within 0..6, found \(4, 2\)"),
        ({"weight": torch.zeros(4, 2, 4, 5).double()}, r"weight must be torch.float64 \[relations, 2, 3, out_dim\]"),
        ({"weight": torch.zeros(4, 2, 3, 5)}, "found torch.float32"),
        ({"weight": torch.zeros(1, 2, 3, 5).double().expand(4, 2, 3, 5)}, "weight must not be expanded"),
        ({"states": torch.zeros(6, 6).double()}, r"states must be floating \[nodes, heads, dim\], found"),
        ({"states": torch.zeros(6, 2, 3).long()}, "states must be floating"),
        ({"states": torch.zeros(6, 2, 3, device="meta").double()}, "weight must be on meta"),
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, Any], message: str) -> None:
    states, weight = operands()
    with pytest.raises(ValueError, match=message):
        relation_matmul(**{"states": states, "weight": weight, "spans": SPANS, **wrong})
