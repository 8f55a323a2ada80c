"""A run that is refused as another one is told what differs, also within the task."""

import pytest

from gnnfuse.fusion import JointTransformer
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import TextTokens
from gnnfuse.sample import Sample
from gnnfuse.tasks import Classification
from gnnfuse.train.batches import Batches
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.same_run import PARTS, Terms, check_same_run, terms_of


def terms(dim: int = 8, classes: tuple[str, ...] = ("no", "yes"), dropout: float = 0.1) -> Terms:
    builder = GraphBuilder([TextTokens()], target=ClassTarget(classes))
    task = Classification(JointTransformer(builder.node_types, dim=dim, depth=1, heads=2, dropout=dropout), builder)
    config = FitConfig(batch_size=2)
    samples = [Sample({"text": "a"}, target="no")]
    batches = [Batches(builder, samples, config, training=training) for training in (True, False)]
    return terms_of(task, batches[0], batches[1], config)


def refused(found: Terms, expected: Terms) -> str:
    with pytest.raises(ValueError, match="belongs to another run") as caught:
        check_same_run(found, expected, "run")
    return str(caught.value)


def test_what_differs_within_a_task_is_named() -> None:
    check_same_run(terms(), terms(), "run")
    found = refused(terms(dim=16, dropout=0.2), terms())
    assert (
        "found another task than expected (found model.dim 16, expected 8; found model.dropout 0.2, expected 0.1;"
        in found
    )
    named = refused(terms(classes=("no", "maybe", "yes")), terms())
    assert "builder.target.classes[1] maybe, expected yes" in named


def test_a_checkpoint_of_before_goes_on_without_them() -> None:
    before = {name: value for name, value in terms().items() if name != PARTS}
    check_same_run(terms(), before, "run")
    assert "found another task than expected; resume" in refused(terms(dim=16), before)
