"""The conformance of fusion models."""

import tempfile
from collections.abc import Callable, Sequence

import torch

from gnnfuse.fusion import FusionModel
from gnnfuse.graph import GraphBuilder
from gnnfuse.sample import Sample
from gnnfuse.saving import from_pretrained, save_pretrained
from gnnfuse.tasks import Task
from gnnfuse.testing.check_fused import Promise, check_rows
from gnnfuse.testing.global_state import unchanged_globals
from gnnfuse.testing.properties import (
    assert_close,
    check_batches,
    check_defined,
    check_parameters,
    check_seed,
    make_seeded,
    probe,
    widened,
)


def check_fusion_model(
    make_model: Callable[[GraphBuilder], FusionModel],
    builder: GraphBuilder,
    samples: Sequence[Sample],
    *,
    classes: Sequence[type] = (),
) -> None:
    """Check a fusion model.

    The model gives one vector per graph and the outputs that `gives` names, in the shapes of `Fused`. A sample gets the
    same result in a batch as alone, whatever modalities the others lack, and a finite vector if it has no nodes. The
    order of samples, signals, node types and rules does not matter. Removing all edges changes the output if and only
    if the model sees edges; otherwise it encodes no hubs. Every parameter is registered and gets a gradient. The same
    seed, and a saved and loaded model, give the same bits. Global state is unchanged.

    Args:
        make_model: makes the model for a builder; called several times.
        builder: makes the batches.
        samples: two complete ones, then some with missing signals; see `random_samples`.
        classes: your own classes that loading may build.

    Raises:
        AssertionError: names what is violated.
        ValueError: raised by models and tasks themselves, for results that they refuse.

    Example:
        >>> from gnnfuse.fusion import Concat
        >>> from gnnfuse.testing import example_builder, random_samples
        >>> samples = random_samples(torch.Generator().manual_seed(0))
        >>> check_fusion_model(lambda b: Concat(b.node_types, dim=8, depth=1, heads=2), example_builder(), samples)
    """
    model = make_seeded(lambda: make_model(builder))
    assert isinstance(model, FusionModel), f"found a {type(model).__name__}, expected a FusionModel"
    name = type(model).__name__
    check_seed(name, lambda: make_model(builder))
    try:
        model.check_fits(builder)
    except ValueError as error:
        raise AssertionError(f"{name}: {error}") from error
    subject = probe(name, model, builder)
    tested = subject.module
    assert isinstance(tested, FusionModel), "a probe has a copy of its module"
    check_defined(subject, samples)
    _check_embedding(name, tested, builder, samples)
    batch = widened(builder(samples, empty=True))
    with torch.no_grad():
        fused, unjoined = subject(batch), subject(batch.without_edges())
    assert not torch.equal(fused[0], fused[1]), f"{name}: two different samples get the same vector"
    if model.sees_edges:
        assert not torch.equal(fused, unjoined), f"{name}: sees_edges is True, but removing all edges changes nothing"
    else:
        assert torch.equal(fused, unjoined), f"{name}: sees_edges is False, but its output depends on edges"
    check_batches(subject, samples)
    check_parameters(subject, samples)
    _check_builders(name, make_model, builder, samples)
    check_saving(name, model, builder, samples, classes)


@torch.no_grad()
def _check_embedding(name: str, model: FusionModel, builder: GraphBuilder, samples: Sequence[Sample]) -> None:
    batch = widened(builder(samples, empty=True))
    promise = Promise(name, model.gives, model.modalities, model.dim)
    fused = check_rows(promise, model.embed, builder, samples)
    if fused.nodes is not None:
        for each in batch.values.keys() - model.encoders.encoders.keys():
            assert not fused.nodes[batch.slices[each]].any(), f"{name}: nodes of {each!r} are not zero, but not encoded"
    assert torch.equal(fused.vector, model(batch)), f"{name}: a call does not return the vectors of embed"
    again = model.fuse(model.encoders(batch), batch)
    assert torch.equal(fused.vector, again.vector), f"{name}: embed does not apply fuse to the states of the encoders"


def _check_builders(
    name: str, make_model: Callable[[GraphBuilder], FusionModel], builder: GraphBuilder, samples: Sequence[Sample]
) -> None:
    turned = GraphBuilder(builder.node_types[::-1], builder.edge_rules[::-1], extra=builder.extra)
    one = probe(name, make_seeded(lambda: make_model(builder)), builder)
    other = probe(name, make_seeded(lambda: make_model(turned)), turned)
    other.module.load_state_dict(one.module.state_dict())
    for row, turned_row in zip(one.rows(samples), other.rows(samples), strict=True):
        assert_close(turned_row, row, f"{name}: the order of node types or of rules changes the output")
    plain = builder.without_edges()
    nodeless = probe(f"{name}, without hubs and edges", make_seeded(lambda: make_model(plain)), plain)
    with torch.no_grad():
        nodeless(widened(plain([Sample({}), Sample({})], empty=True)))


def check_saving(
    name: str,
    module: Task | FusionModel,
    builder: GraphBuilder,
    samples: Sequence[Sample],
    classes: Sequence[type],
) -> None:
    """Check that a model or a task gives the same bits after saving and loading.

    Raises:
        AssertionError: it cannot be saved or loaded, or gives another output afterwards.
    """
    batch = builder(samples, empty=True)
    module.eval()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), unchanged_globals(f"{name}, saved and loaded"):
        try:
            save_pretrained(module, folder)
            loaded = from_pretrained(folder, classes=classes)
        except ValueError as error:
            raise AssertionError(f"{name}: cannot be saved and loaded: {error}") from error
        assert torch.equal(module(batch), loaded(batch)), f"{name}: gives another output after saving and loading"
