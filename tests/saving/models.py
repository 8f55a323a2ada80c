"""Small models to save, for the tests of this folder."""

import torch

from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import ClassTarget
from gnnfuse.sample import Sample
from gnnfuse.tasks import Classification, CrossEntropy
from gnnfuse.testing import example_builder, random_samples


def small_task(*, seed: int = 1, dim: int = 8) -> Classification:
    """A classification over three modalities and a hub, of random weights."""
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GraphFusion(builder.node_types, builder.relations, dim=dim, depth=1)
        return Classification(model, builder, dropout=0.5, objectives=[CrossEntropy(label_smoothing=0.1)]).eval()


def few_samples() -> list[Sample]:
    """The same samples every time."""
    return random_samples(torch.Generator().manual_seed(0))
