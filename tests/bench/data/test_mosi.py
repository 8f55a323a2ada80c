from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gnnfuse.bench.data import mosi_utterances


@pytest.fixture
def root(write_folder: Callable[..., Path]) -> Path:
    """One utterance per split, in another order than the vectors."""
    columns = ("row", "utterance_id", "video", "text", "label", "split")
    rows = [
        (2, "v_1", "v", "AWFUL", 0, "test"),
        (0, "t_1", "t", "GOOD FILM", 1, "train"),
        (1, "u_1", "u", "BORING", 0, "valid"),
    ]
    vectors = {
        name: np.full((3, width), width, np.float32) for name, width in (("text", 4), ("audio", 5), ("video", 6))
    }
    for vector in vectors.values():
        vector[:, 0] = np.arange(3)
    return write_folder(
        "mosi_utterances",
        {"index.csv": [dict(zip(columns, row, strict=True)) for row in rows]},
        {"features.npz": vectors},
    )


def test_by_default_the_transcript_and_the_voice(root: Path) -> None:
    data = mosi_utterances(root)
    sample = data.train[0]
    assert sorted(sample.signals) == ["audio", "text"]
    assert (sample.signals["text"], sample.target, data.caveat) == ("GOOD FILM", "positive", "")
    assert np.asarray(sample.signals["audio"]).tolist() == [[0, 5, 5, 5, 5]]


def test_vectors_learned_from_labels_bring_their_caveat(root: Path) -> None:
    data = mosi_utterances(root, features=("audio", "video", "text_vector"))
    sample = data.tests["test"].open("run")[0]
    assert np.asarray(sample.signals["video"]).tolist() == [[2, 6, 6, 6, 6, 6]]
    assert np.asarray(sample.signals["text_vector"]).tolist() == [[2, 4, 4, 4]]
    assert (sample.target, data.groups["video"]["v_1"]) == ("negative", "v")
    assert "the video and text_vector vectors were learned from its labels" in data.caveat


def test_an_unknown_feature_is_refused(root: Path) -> None:
    with pytest.raises(ValueError, match="features has 'face', expected some of audio, video, text_vector"):
        mosi_utterances(root, features=("face",))


def test_the_real_folder(shared_data: Path) -> None:
    data = mosi_utterances(shared_data, features=("audio", "video"))
    assert (len(data.train), len(data.valid), len(data.tests["test"])) == (1252, 195, 752)
    assert np.asarray(data.train[0].signals["audio"]).shape == (1, 73)
    assert max(data.tests["test"].counts.values()) / 752 == pytest.approx(0.621, abs=5e-4)
    videos = [
        {data.groups["video"][str(i)] for i in ids}
        for ids in ([sample.id for sample in data.train], [sample.id for sample in data.valid], data.tests["test"].ids)
    ]
    assert list(map(len, videos)) == [53, 9, 31]
    assert len(set.union(*videos)) == 93
