from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from gnnfuse.nodes import Layout, NodeSet, TextTokens
from gnnfuse.sample import Sample, SignalError

TEXTS = ("", "a cat", "A\nB\t\0", "é ü ß", "猫が好き", "🐈‍⬛ 🇺🇳", "\x7f\x80\xff", "</s> <pad>")
WORDS = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "cat": 4, "sat": 5}


def nodes_of(node_type: TextTokens, text: str) -> NodeSet:
    nodes = node_type.nodes(Sample({"text": text}, id="seven"))
    assert nodes is not None
    return nodes


@pytest.fixture(scope="module")
def words() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    fast: Any = PreTrainedTokenizerFast  # transformers types its classes, not their constructors
    made: PreTrainedTokenizerFast = fast(
        tokenizer_object=tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    return made


@pytest.mark.parametrize("text", [text for text in TEXTS if "<" not in text], ids=ascii)
def test_bytes_are_numbered_as_byt5_numbers_them(text: str) -> None:
    expected = ByT5Tokenizer().encode(text, add_special_tokens=False)
    nodes = nodes_of(TextTokens(), text)
    assert nodes.values.dtype == torch.int64
    assert nodes.values.tolist() == expected
    assert nodes.shape == (len(expected),)
    assert nodes.position is None
    assert nodes.time is None


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_bytes_can_be_read_back(text: str) -> None:
    frames = TextTokens()
    letters = frames.token_texts(frames.token_ids(text))
    assert "".join(letters).encode("latin-1").decode() == text


def test_a_text_that_spells_a_special_token_is_only_text() -> None:
    assert len(nodes_of(TextTokens(), "</s>").values) == 4


def test_an_empty_text_has_no_tokens_and_an_absent_one_no_node_set() -> None:
    assert nodes_of(TextTokens(), "").num_nodes == 0
    assert TextTokens().nodes(Sample({})) is None


def test_a_tokenizer_may_be_given_or_loaded_from_its_folder(tmp_path: Path, words: PreTrainedTokenizerFast) -> None:
    words.save_pretrained(tmp_path / "words")
    for tokenizer in (words, str(tmp_path / "words")):
        tokens = TextTokens(tokenizer=tokenizer)
        assert nodes_of(tokens, "a cat sat dog").values.tolist() == [3, 4, 5, 0]
        assert tokens.token_texts(torch.tensor([3, 4])) == ["a", "cat"]
        special = TextTokens(tokenizer=tokenizer, special_tokens=True)
        assert nodes_of(special, "a cat").values.tolist() == [1, 3, 4, 2]
        assert tokens.encoder(8)(torch.tensor([5]), _layout(1)).shape == (1, 8)


def _layout(nodes: int) -> Layout:
    offsets = torch.tensor([0, nodes])
    zeros = torch.zeros(nodes, dtype=torch.int64)
    return Layout(zeros, offsets, offsets[1:].reshape(1, 1), None, None, torch.zeros(1, dtype=torch.int64))


def test_truncating_keeps_the_first_tokens() -> None:
    nodes = nodes_of(TextTokens(max_nodes=3), "abcde")
    assert (nodes.values.tolist(), nodes.shape, nodes.dropped) == ([100, 101, 102], (3,), 2)


def test_raising_names_the_sample_and_both_numbers() -> None:
    with pytest.raises(SignalError, match=r"sample 'seven', signal 'text': found 5 nodes, expected at most 4"):
        nodes_of(TextTokens(max_nodes=4, overflow="raise"), "abcde")


@pytest.mark.parametrize("length", range(0, 13))
def test_pooling_shares_nodes_between_neighbours_and_loses_no_token(length: int) -> None:
    text = "abcdefghijklm"[:length]
    nodes = nodes_of(TextTokens(max_nodes=4, overflow="pool", max_pool=3), text)
    assert nodes.num_nodes <= 4
    assert nodes.values.shape[1:] == (3,)
    assert nodes.values[nodes.values >= 0].tolist() == [ord(letter) + 3 for letter in text]
    assert set(nodes.values[nodes.values < 0].tolist()) <= {-1}
    held = (nodes.values >= 0).sum(dim=1)
    assert bool((held >= 1).all())
    assert bool((held[:-1] == held[:1]).all())  # equal runs, the last may be shorter
    assert nodes.dropped == length - nodes.num_nodes


def test_pooling_refuses_more_tokens_than_fit() -> None:
    tokens = TextTokens(max_nodes=4, overflow="pool", max_pool=3)
    with pytest.raises(SignalError, match=r"sample 'seven', signal 'text': found 13 nodes, expected at most 12"):
        nodes_of(tokens, "abcdefghijklm")


def test_a_pooled_node_encodes_to_the_mean_of_its_tokens() -> None:
    pooled = TextTokens(max_nodes=2, overflow="pool", max_pool=3).encoder(8)
    embedding: torch.nn.Embedding = pooled.embedding  # type: ignore[assignment]
    states = pooled(torch.tensor([[100, 101, -1], [102, -1, -1]]), _layout(2))
    mean = torch.stack([embedding.weight[[100, 101]].mean(dim=0), embedding.weight[102]])
    position = pooled.position(torch.arange(2.0).unsqueeze(1))  # type: ignore[operator]
    torch.testing.assert_close(states, pooled.norm(mean + position))  # type: ignore[operator]


@pytest.mark.parametrize(
    "arguments",
    [{"max_nodes": 0}, {"max_pool": 0}, {"word_dropout": 1.0}, {"word_dropout": -0.1}, {"special_tokens": True}],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"max_nodes must|max_pool must|have no special tokens"):
        TextTokens(**arguments)


def test_it_provides_order() -> None:
    assert TextTokens().provides == {"order"}
