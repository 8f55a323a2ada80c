"""Which readout a table's graph model has, by the number of its training rows."""

from pathlib import Path

import pytest
import torch

from gnnfuse import fit_defaults
from gnnfuse.fusion import GraphFusion
from gnnfuse.message_passing import RelationAttention
from gnnfuse.readout import AdditiveReadout, TypedReadout
from gnnfuse.saving import from_pretrained
from gnnfuse.tables import ColumnOptions
from gnnfuse.workflow import FitOptions, default_config, fit
from gnnfuse.workflow.table_model import ReadoutName

TABLE = [{"caption": word, "note": f"{word} {number}", "label": word} for number, word in enumerate(("yes", "no") * 15)]


def model_for(folder: Path, readout: ReadoutName | None) -> GraphFusion:
    options = FitOptions(model="graph", dim=8, depth=1, readout=readout)
    config = default_config(epochs=1, device="cpu")
    fitted = fit(
        TABLE,
        out=folder,
        columns=ColumnOptions(text=["caption", "note"], target="label"),
        options=options,
        config=config,
    )
    assert isinstance(fitted.task.model, GraphFusion)
    loaded = from_pretrained(folder)
    assert isinstance(loaded.model, GraphFusion)
    assert type(loaded.model.readout) is type(fitted.task.model.readout)
    return fitted.task.model


def drops(model: GraphFusion) -> bool:
    return all(isinstance(layer, RelationAttention) and layer.dropout > 0 for layer in model.layers)


def test_modalities_answer_for_themselves_below_a_number_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = model_for(tmp_path / "small", None)
    assert isinstance(small.readout, AdditiveReadout)
    assert drops(small)
    assert small.readout.modalities == ("caption", "note")
    monkeypatch.setattr(fit_defaults, "SMALL", 10)
    large = model_for(tmp_path / "large", None)
    assert isinstance(large.readout, TypedReadout)
    assert not drops(large)


@pytest.mark.usefixtures("unchecked")
def test_the_readout_can_be_said(tmp_path: Path) -> None:
    assert isinstance(model_for(tmp_path, "typed").readout, TypedReadout)
    with pytest.raises(ValueError, match="found readout 'typed' for concat, expected one of additive, typed"):
        FitOptions(model="concat", readout="typed")
    with pytest.raises(ValueError, match="found readout 'mean'"):
        FitOptions(readout="mean")  # type: ignore[arg-type]


def test_class_weights_of_a_regression_are_refused(tmp_path: Path) -> None:
    table = [{"word": f"word {n}", "size": float(n)} for n in range(20)]
    with pytest.raises(ValueError, match="found class_weights for a regression, which has no classes"):
        fit(
            table,
            out=tmp_path,
            columns=ColumnOptions(text="word", target="size"),
            options=FitOptions(model="graph", kind="regression", class_weights=True),
        )


def test_weights_come_from_the_seed_alone(tmp_path: Path) -> None:
    torch.manual_seed(1)
    one = model_for(tmp_path / "one", None).state_dict()
    torch.manual_seed(2)
    other = model_for(tmp_path / "other", None).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
