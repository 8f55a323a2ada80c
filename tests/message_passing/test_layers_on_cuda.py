"""Every layer on a CUDA device: the numbers of the CPU, the same bits twice, 16 bits under autocast."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch
from gnnfuse.testing.properties import make_seeded, widened
from tests.message_passing.test_layers import DIM, LAYERS, example, random_states

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
SEVERAL = 8  # how many times what the CPU errs in float32: sums in another order, and another exponential
STEPS = 16 * torch.finfo(torch.float32).eps  # on top, where the CPU's error happens to be small


def results(layer: nn.Module, batch: GraphBatch, states: Tensor) -> dict[str, Tensor]:
    """The output and the gradients, of the states too."""
    states = states.detach().requires_grad_()
    out = layer(states, batch)
    named = {"states": states, **dict(layer.named_parameters())}
    grads = torch.autograd.grad(
        out.to(torch.promote_types(out.dtype, torch.float32)).square().sum(), list(named.values())
    )
    return {"output": out.detach(), **dict(zip(named, grads, strict=True))}


def made(name: str, batch: GraphBatch) -> Any:
    return make_seeded(lambda: LAYERS[name](DIM, batch.node_types, batch.relations))


@pytest.mark.parametrize("name", LAYERS)
def test_as_on_the_cpu(name: str) -> None:
    batch, states = example(), random_states(example())
    on_cpu = results(made(name, batch), batch, states)
    exact = results(made(name, batch).double(), widened(batch), states.double())
    layer = made(name, batch).cuda()
    found = results(layer, batch.to("cuda"), states.cuda())
    for key, truth in exact.items():
        assert found[key].device.type == "cuda"
        allowed = SEVERAL * (on_cpu[key].double() - truth).abs().max() + STEPS * truth.abs().max()
        assert (found[key].cpu().double() - truth).abs().max() <= allowed, key
    if name not in ("pyg", "nearest_states"):  # PyTorch Geometric scatters with atomics
        again = results(layer, batch.to("cuda"), states.cuda())
        assert all(torch.equal(found[key], again[key]) for key in found)


@pytest.mark.parametrize("name", sorted(LAYERS.keys() - {"nearest_states"}))  # whose choice hangs on the last bit
def test_autocast_errs_as_16_bits_do(name: str) -> None:
    batch, states = example(), random_states(example())
    exact = results(made(name, batch).double(), widened(batch), states.double())
    batch, states = batch.to("cuda"), states.cuda()
    narrow = results(made(name, batch).cuda().bfloat16(), batch, states.bfloat16())
    with torch.autocast("cuda", torch.bfloat16):
        found = results(made(name, batch).cuda(), batch, states)
    for key, truth in exact.items():
        assert bool(found[key].isfinite().all()), key
        allowed = 4 * (narrow[key].cpu().double() - truth).abs().max() + 2**-7 * truth.abs().max()
        assert (found[key].cpu().double() - truth).abs().max() <= allowed, key
