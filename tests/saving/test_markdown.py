"""What a user's names look like once Markdown is rendered."""

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from gnnfuse.fusion import JointTransformer
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.model_card import ModelCard
from gnnfuse.nodes import TextTokens
from gnnfuse.saving import card_text
from gnnfuse.saving.markdown import code, plain
from gnnfuse.tasks import Classification

NAMES = (
    *("a|b", "<b>bold</b>", "`code`", "[x](y)", "*a* _b_ __c__", "~~gone~~", "&amp;", "\\", "$5 & $6", "a``b", "a_b_c"),
    *("<!-- hidden", "![p](q.png)", "`", "https://a.b/c"),
)


def rendered(text: str) -> str:
    """The text that a reader sees."""
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    return unescape(re.sub(r"<[^>]*>", "", html)).strip()


@pytest.mark.parametrize("name", NAMES)
def test_names_show_as_they_stand(name: str) -> None:
    assert rendered(f"x {plain(name)} x") == f"x {name} x"
    assert rendered(f"x {code(name)} x") == f"x {name} x"
    assert re.sub(r"\s+", " ", rendered(f"| a | b |\n|---|---|\n| {plain(name)} | 1 |")) == f"a b {name} 1"


def test_line_breaks_become_spaces() -> None:
    assert rendered(f"x {plain('a' + chr(10) * 2 + '# b')} {code('c' + chr(10) + 'd')}") == "x a # b c d"


def test_the_model_card_shows_names_as_they_stand() -> None:
    builder = GraphBuilder([TextTokens()], target=ClassTarget(NAMES))
    task = Classification(JointTransformer(builder.node_types, dim=8, depth=1), builder)
    text = card_text(task, ModelCard(data=NAMES[1], metrics={NAMES[0]: 1.0}, training={NAMES[2]: NAMES[3]}))
    shown = re.sub(r"\s+", " ", rendered(text.split("---\n", 2)[2]))
    for part in (f"{len(NAMES)} classes: {', '.join(NAMES)}.", f"Data {NAMES[1]}", f"{NAMES[0]} 1", "`code` [x](y)"):
        assert part in shown
