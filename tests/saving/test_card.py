"""The model card: what the hub reads of it, what stands in it, and that nobody's own text is lost."""

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from gnnfuse.fusion import JointTransformer
from gnnfuse.graph import ClassTarget, GraphBuilder, NumberTarget
from gnnfuse.model_card import ModelCard
from gnnfuse.nodes import Features, TextTokens
from gnnfuse.saving import card_text, save_pretrained
from gnnfuse.saving.card import is_untouched
from gnnfuse.tasks import Classification, Regression
from tests.saving.models import small_task

FULL = ModelCard(
    name="me/barks",
    description="Tells barks: from 'meows' | at night.",
    license="cc-by-4.0",
    data='Recordings of "my" yard',
    data_license="cc0-1.0",
    caveats="No dogs above 40 kg.",
    metrics={"accuracy": 0.91666, "f1_macro": 0.5},
    split="validation",
    languages=("de", "en"),
    tags=("dogs", "audio"),
    base_models=("google/byt5-small",),
    training={"epochs": 20, "seed": 0},
)


def front_matter(text: str) -> dict[str, Any]:
    _, matter, _ = text.split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(matter)
    return found


def test_the_front_matter_is_what_the_hub_expects() -> None:
    from huggingface_hub import ModelCard as HubCard

    text = card_text(small_task(), FULL)
    data = HubCard(text).data.to_dict()  # type: ignore[no-untyped-call]  # refuses a model-index that it cannot read
    assert data["library_name"] == "gnnfuse"
    assert (data["license"], data["language"], data["base_model"]) == ("cc-by-4.0", ["de", "en"], ["google/byt5-small"])
    assert data["tags"] == [
        *("gnnfuse", "multimodal", "audio", "image", "text", "graph-neural-network", "classification", "dogs"),
    ]
    (result,) = data["model-index"][0]["results"]
    assert result["dataset"] == {"type": "custom", "name": 'Recordings of "my" yard', "split": "validation"}
    assert result["metrics"] == [{"type": "accuracy", "value": 0.91666}, {"type": "f1_macro", "value": 0.5}]
    assert "pipeline_tag" not in data  # the hub has no name for it


def test_the_text_says_what_its_maker_said() -> None:
    text = card_text(small_task(), FULL)
    for part in ("# me/barks\n", FULL.description, FULL.data, "Licence of the data: cc0-1.0", "Caveats: No dogs above"):
        assert part is not None
        assert part in text
    assert "| validation |  |\n|---|---|\n| accuracy | 0.9167 |\n| f1_macro | 0.5 |\n" in text
    assert "| epochs | 20 |" in text


def test_without_a_word_of_its_maker_it_says_what_the_model_knows() -> None:
    task = small_task()
    text = card_text(task, ModelCard())
    assert "model-index" not in front_matter(text)
    assert "license" not in front_matter(text)
    assert "2 classes: cat, dog." in text
    for node_type in task.builder.node_types:
        parameters = sum(p.numel() for p in task.model.encoders.encoders[node_type.name].parameters())
        row = rf"\| {node_type.name} \| {node_type.signal or 'learned'} \| `{type(node_type).__name__}` \|.*\| "
        assert re.search(row + rf"{parameters:,} \|", text)
    assert f"| parameters | {sum(p.numel() for p in task.parameters()):,} |" in text
    for heading in ("## Data", "## Results", "## Training"):
        assert heading not in text


def test_how_to_load_it_runs(tmp_path: Path) -> None:
    task = small_task()
    save_pretrained(task, tmp_path, card=ModelCard(name=str(tmp_path)))
    (code,) = re.findall(r"```python\n(.*?)```", (tmp_path / "README.md").read_text(), flags=re.DOTALL)
    code = re.sub(r'"audio": \.\.\., "image": \.\.\., "text": \.\.\.', '"text": "ab"', code)
    known: dict[str, Any] = {}
    exec(code, known)
    assert type(known["model"]) is Classification


class Yelling(TextTokens):
    """A user's node type."""


def test_classes_of_the_user_are_imported_and_passed_in() -> None:
    text = card_text(JointTransformer([Yelling()], dim=8, depth=1), ModelCard())
    assert f"from {Yelling.__module__} import Yelling\n" in text
    assert 'gnnfuse.from_pretrained("FOLDER", classes=[Yelling])' in text
    assert front_matter(text)["pipeline_tag"] == "feature-extraction"
    assert "One vector of 8 numbers per sample." in text


def test_a_class_of_a_script_is_imported_from_where_its_user_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Yelling, "__module__", "__main__")
    text = card_text(JointTransformer([Yelling()], dim=8, depth=1), ModelCard())
    line = "from your_module import Yelling  # from where you keep it: it was saved as __main__:Yelling"
    assert line in text.splitlines()
    assert 'gnnfuse.from_pretrained("FOLDER", classes=[Yelling])' in text


def test_targets_in_words() -> None:
    def text(builder: GraphBuilder, make: Any) -> str:
        return card_text(make(JointTransformer(builder.node_types, dim=8, depth=1), builder), ModelCard())

    many = GraphBuilder([TextTokens()], target=ClassTarget(tuple(f"c{place:02}" for place in range(40))))
    assert "40 classes: c00, " in text(many, Classification)
    assert "c29 and 10 more, in config.json." in text(many, Classification)
    number = GraphBuilder([Features(signal="a|b", width=1)], target=NumberTarget(mean=(2.0,)))
    assert "1 number: 2 ± 1." in text(number, Regression)
    two = GraphBuilder([TextTokens()], target=NumberTarget(2, (2.0, 3.5e6), (1.0, 1234.0), ("a", "b|c")))
    assert r"2 numbers: a 2 ± 1, b\|c 3.5e+06 ± 1.23e+03." in text(two, Regression)
    assert r"| a\|b | a\|b | `Features` |" in text(number, Regression)


def test_an_untouched_card_is_replaced_and_a_changed_one_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_pretrained(small_task(), tmp_path)
        save_pretrained(small_task(), tmp_path, card=FULL)
    assert path.read_text().count("me/barks") > 1
    for own in (path.read_text() + "More.\n", path.read_text().replace("barks", "woofs"), "My project", "", "\xff"):
        path.write_bytes(own.encode("latin-1"))
        with pytest.warns(UserWarning, match=r"README.md was not written by save_pretrained, or changed since"):
            save_pretrained(small_task(), tmp_path, card=FULL)
        assert path.read_bytes() == own.encode("latin-1")


def test_a_card_is_sealed_whatever_stands_in_it() -> None:
    for description in (None, "<!-- written by gnnfuse 0 -->", "a\n", "ü"):
        text = card_text(small_task(), ModelCard(description=description))
        assert is_untouched(text.encode())
        assert not is_untouched(text.replace("cat", "cow").encode())
