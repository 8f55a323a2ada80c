"""A training step of GraphFusion on a CUDA device: compiled, under autocast, and captured in a CUDA graph."""

import copy

import pytest
import torch
from torch import Tensor

from tests.fusion.graph.test_compile import Step, every_modality, texts

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
    pytest.mark.usefixtures("unchecked"),  # the run-time check of shapes cannot be traced
]


def on_cuda(step: Step) -> Step:
    return Step(step.task.cuda(), [batch.to("cuda") for batch in step.batches])


def test_compiled_by_inductor_as_one_graph() -> None:
    torch.compiler.reset()
    step = on_cuda(texts())
    compiled = torch.compile(step.loss, fullgraph=True)
    for batch in step.batches:
        loss, expected = compiled(batch), step.loss(batch)
        torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(step.gradients(loss), step.gradients(expected), rtol=2e-3, atol=1e-4)


def test_autocast_trains() -> None:
    step = on_cuda(every_modality())
    optimizer = torch.optim.AdamW(step.task.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16):
            loss = step.loss(step.batches[0])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 2


def test_a_cuda_graph_captures_a_training_step() -> None:
    """Ten replays give the weights of ten steps."""
    step = on_cuda(every_modality())
    other = copy.deepcopy(step.task)
    batch = step.batches[0]
    optimizer = descent(step.task)
    for _ in range(13):
        train_once(step.task, optimizer, batch)
    replayed = descent(other)
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            train_once(other, replayed, batch)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        train_once(other, replayed, batch)
    for _ in range(10):
        graph.replay()
    for key, parameter in step.task.state_dict().items():
        torch.testing.assert_close(other.state_dict()[key], parameter, msg=key)


def descent(task: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(task.parameters(), lr=1e-2)


def train_once(task: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: object) -> Tensor:
    optimizer.zero_grad(set_to_none=True)
    loss = Step(task, []).loss(batch)  # type: ignore[arg-type]
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()
