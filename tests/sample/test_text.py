import pytest

from gnnfuse.sample import Sample, SignalError, read_text


def test_a_text_comes_back_as_it_is_and_an_absent_one_is_none() -> None:
    for text in ("a cat", "", " \n", "猫 🐈 é", "a\0b"):
        assert read_text(Sample({"text": text}), "text") == text
    assert read_text(Sample({"other": "a"}), "text") is None


@pytest.mark.parametrize("value", [b"a cat", 3, ["a", "cat"], float("nan"), {"text": "a"}])
def test_what_is_no_string_is_refused(value: object) -> None:
    with pytest.raises(SignalError, match=rf"sample 'seven', signal 'text': found a {type(value).__name__}, expected"):
        read_text(Sample({"text": value}, id="seven"), "text")


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(SignalError, match=r"sample 'seven', signal 'text': found text that is not Unicode"):
        read_text(Sample({"text": "a\ud800b"}, id="seven"), "text")


def test_text_of_another_encoding_is_refused_with_advice() -> None:
    with pytest.raises(SignalError, match=r"not UTF-8 \(byte 0xe9 at character 3\).*save the table as UTF-8"):
        read_text(Sample({"text": "caf\udce9"}), "text")
