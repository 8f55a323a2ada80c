import pickle
from pathlib import Path

import pytest
from transformers import ByT5Tokenizer

from gnnfuse.nodes import TextTokens, TokenizerFiles
from gnnfuse.sample import Sample
from tests.nodes.pretrained.tiny_models import TEXTS, tiny_tokenizer


@pytest.mark.parametrize("specials", [True, False])
def test_a_tokenizer_made_from_its_files_gives_the_same_ids(specials: bool) -> None:
    tokenizer = tiny_tokenizer(specials=specials)
    again = pickle.loads(pickle.dumps(TokenizerFiles.of(tokenizer))).tokenizer()
    for text in [*TEXTS, "", "xyz é"]:
        assert again.encode(text) == tokenizer.encode(text)
        assert again.encode(text, add_special_tokens=False) == tokenizer.encode(text, add_special_tokens=False)


def test_a_tokenizer_without_a_vocabulary_file_too() -> None:
    assert TokenizerFiles.of(ByT5Tokenizer()).tokenizer().encode("a é") == ByT5Tokenizer().encode("a é")


def test_the_same_tokenizer_gives_the_same_files(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer(specials=True)
    tokenizer.save_pretrained(tmp_path)
    assert TokenizerFiles.of(tokenizer) == TokenizerFiles.of(str(tmp_path)) == TokenizerFiles.of(tokenizer)


def test_files_that_are_no_text_are_kept() -> None:
    class WithModel:
        def save_pretrained(self, folder: str) -> None:
            (Path(folder) / "spiece.model").write_bytes(b"\xff\x00\xfe")

    assert TokenizerFiles.of(WithModel()).files == (("spiece.model.base64", "/wD+"),)  # type: ignore[arg-type]


def test_a_name_with_a_folder_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found '../evil' among a tokenizer's files"):
        TokenizerFiles((("../evil", ""),))


def test_tokens_of_a_given_tokenizer_survive_the_tokenizer() -> None:
    tokens = TextTokens(tokenizer=tiny_tokenizer(specials=False))
    again: TextTokens = pickle.loads(pickle.dumps(tokens))
    first, second = (node_type.nodes(Sample({"text": "a cat"})) for node_type in (tokens, again))
    assert first is not None
    assert second is not None
    assert first.values.tolist() == second.values.tolist()
