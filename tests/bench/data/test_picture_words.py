from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gnnfuse.bench.data import picture_words
from gnnfuse.sample.audio import Audio


@pytest.fixture
def root(write_folder: Callable[..., Path]) -> Path:
    """Three German samples, one of them without a recording and one without a written word; one French."""
    columns = ("sample_id", "lang", "text", "category", "image_row", "audio_row", "split")
    rows = [
        ("de/hund", "de", "der Hund", "animal", 0, 1, "train"),
        ("de/rot", "de", "rot", "colour", 1, -1, "valid"),
        ("de/katze", "de", "", "animal", 2, 0, "test"),
        ("fr/chien", "fr", "le chien", "animal", 0, 2, "train"),
    ]
    samples, offsets = np.arange(9, dtype=np.int16), np.array([0, 2, 5, 9])
    return write_folder(
        "picture_words",
        {"index.csv": [dict(zip(columns, row, strict=True)) for row in rows]},
        {
            "images.npz": {"pixels": np.arange(3 * 12, dtype=np.uint8).reshape(3, 2, 2, 3)},
            "audio.npz": {"samples": samples, "offsets": offsets, "sample_rate": np.array(8000)},
        },
    )


def test_all_three_modalities(root: Path) -> None:
    data = picture_words(root)
    sample = data.train[0]
    audio = sample.signals["audio"]
    assert isinstance(audio, Audio)
    assert (len(data.train), sample.id, sample.target, sample.signals["text"]) == (1, "de/hund", "animal", "der Hund")
    assert (np.asarray(audio.samples) * 32768).tolist() == [2, 3, 4]
    assert np.array_equal(np.asarray(sample.signals["image"]), np.arange(12).reshape(2, 2, 3))


def test_a_missing_modality_is_an_absent_key(root: Path) -> None:
    data = picture_words(root)
    assert sorted(data.valid[0].signals) == ["image", "text"]
    assert sorted(data.tests["test"].open("run")[0].signals) == ["audio", "image"]
    assert data.groups["modalities"]["de/rot"] == "image+text"


def test_all_languages_at_once(root: Path) -> None:
    data = picture_words(root, language=None)
    assert [data.groups["language"][str(sample.id)] for sample in data.train] == ["de", "fr"]


def test_an_unknown_language_is_refused(root: Path) -> None:
    with pytest.raises(ValueError, match=r"language 'xx', expected None \(all\) or one of de, fr"):
        picture_words(root, language="xx")


def test_the_real_folder(shared_data: Path) -> None:
    data = picture_words(shared_data, language=None)
    assert len(data.train) + len(data.valid) + len(data.tests["test"]) == 8139
    assert len(data.classes) == 22
    concepts = [
        {str(i).split("/")[1] for i in ids}
        for ids in ([sample.id for sample in data.train], [sample.id for sample in data.valid], data.tests["test"].ids)
    ]
    assert len(set.union(*concepts)) == sum(map(len, concepts))
