import dataclasses
import pickle
from collections.abc import Mapping
from typing import Any, cast

import pytest

from gnnfuse.sample import Sample, SignalError


def test_an_absent_modality_is_an_absent_key_or_none() -> None:
    assert dict(Sample({"text": "a", "image": None}).signals) == {"text": "a"}


def test_fields_and_signals_cannot_be_changed() -> None:
    sample = Sample({"text": "a"}, target=1, id="x")
    for field in ("signals", "target", "id"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(sample, field, None)
    with pytest.raises(TypeError, match="does not support item assignment"):
        cast(dict[str, object], sample.signals)["text"] = "b"


def test_the_mapping_it_was_made_from_is_no_back_door() -> None:
    signals = {"text": "a"}
    sample = Sample(signals)
    signals["text"] = "b"
    assert sample.signals["text"] == "a"


def test_pickling_restores_every_field() -> None:
    sample = Sample({"text": "a", "rows": [1.0, 2.0]}, target=["x", "y"], id="seven")
    restored = pickle.loads(pickle.dumps(sample))
    assert (restored.signals, restored.target, restored.id) == (sample.signals, ["x", "y"], "seven")
    with pytest.raises(TypeError):
        restored.signals["text"] = "b"


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("signals", [["text"], "text", None, 3])
def test_signals_that_are_no_mapping_are_refused(signals: Any) -> None:
    with pytest.raises(ValueError, match=rf"sample 'seven': signals must be a mapping.*{type(signals).__name__}"):
        Sample(signals, id="seven")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["", 3, None])
def test_a_signal_without_a_name_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match=rf"sample 'seven': signal names.*{name!r}"):
        Sample(cast(Mapping[str, object], {name: "a"}), id="seven")


def test_a_signal_error_says_which_sample_which_signal_what_was_found_and_what_was_expected() -> None:
    error = SignalError(Sample({}, id="seven"), "image", "a cat", "a dog")
    assert str(error) == "sample 'seven', signal 'image': found a cat, expected a dog"
    assert isinstance(error, ValueError)


def test_a_signal_error_crosses_processes_unchanged() -> None:
    error = SignalError(Sample({"image": "cat.png"}, id="seven"), "image", "a cat", "a dog")
    restored = pickle.loads(pickle.dumps(error))
    assert type(restored) is SignalError
    assert (str(restored), restored.reason[1:]) == (str(error), error.reason[1:])
    assert restored.reason[0].id == "seven"
