"""Answers by a model that lies on the hub; the hub is a small server of this process."""

from pathlib import Path

import pytest

from gnnfuse.tables import ColumnOptions
from gnnfuse.workflow import FitOptions, default_config, fit, predict
from tests.saving.test_hub import Hub
from tests.saving.test_hub import hub as hub


def test_an_uploaded_folder_answers_under_its_name(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub.cache))
    table = [{"text": word, "label": word} for word in ("yes", "no") * 10]
    options, config = FitOptions(model="graph", dim=8, depth=1), default_config(epochs=1, device="cpu")
    fit(
        table,
        out=tmp_path / "model",
        columns=ColumnOptions(text="text", target="label"),
        options=options,
        config=config,
    )
    hub.files = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir() if path.is_file()}
    predict(tmp_path / "model", table, out=tmp_path / "local.csv", device="cpu")
    predict("me/barks", table, out=tmp_path / "said.csv", device="cpu")
    assert (tmp_path / "said.csv").read_text() == (tmp_path / "local.csv").read_text()


def test_a_repository_without_the_note_of_a_table_is_refused(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub.cache))
    with pytest.raises(FileNotFoundError, match=r"table\.json"):
        predict("me/barks", [{"text": "yes"}], out=tmp_path / "said.csv", device="cpu")
