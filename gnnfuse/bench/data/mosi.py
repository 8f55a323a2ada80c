"""Sentiment of utterances in film reviews: the transcript, and vectors for voice and face (CMU-MOSI)."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from gnnfuse.bench.data.shared_folder import open_folder
from gnnfuse.data.dataset import Dataset
from gnnfuse.data.held_out import HeldOut
from gnnfuse.data.table import read_table
from gnnfuse.sample.sample import Sample

VECTORS: Mapping[str, str] = {"audio": "audio", "video": "video", "text_vector": "text"}
LEARNED = ("video", "text_vector")  # from the labels of the train and valid videos
CLASSES = ("negative", "positive")
CAVEAT = (
    "valid is worthless for choosing settings: the {names} vectors were learned from its labels; "
    "train for a length fixed in advance"
)


def mosi_utterances(root: str | Path | None = None, *, features: Collection[str] = ("audio",)) -> Dataset:
    """Whether an utterance is positive or negative, from its words and delivery.

    Signals: "text" (the transcript, in capitals) and the chosen vectors, each one row of features `[1, n]`: "audio"
    (73, openSMILE), "video" (100, a 3D convolutional network) and "text_vector" (100, a convolutional network).
    Targets: "negative", "positive". 1,252 / 195 / 752 utterances of 53 / 9 / 31 videos, disjoint. Group: "video".

    The default leaves the video and text vectors out, although published results use them. They were evidently
    learned from the labels of the train and valid videos: logistic regression on "video" scores .915 on train, .954
    on valid and .521 on test, on "text_vector" .982, .979 and .755. With them a model relies too much on the video, and
    choosing settings by valid means choosing by noise. The transcript and the openSMILE features depend on no label, so
    with them valid is a fair measure. Use `features=("audio", "video", "text_vector")` to compare with published
    results, and train for a length fixed in advance; `Dataset.caveat` then states this.

    From Poria et al., ACL 2017 (https://aclanthology.org/P17-1081), over CMU-MOSI (Zadeh et al. 2016,
    https://arxiv.org/abs/1606.06259).

    Args:
        root: the data folder; None takes it from the environment variable GNNFUSE_DATA.
        features: which of "audio", "video" and "text_vector" to add to the transcript.

    Raises:
        DataError: the folder `mosi_utterances` is missing or altered.
        ValueError: an unknown feature.

    Example:
        >>> dataset = mosi_utterances()  # doctest: +SKIP
        >>> sorted(dataset.train[0].signals), dataset.caveat  # doctest: +SKIP
        (['audio', 'text'], '')
    """
    for name in features:
        if name not in VECTORS:
            raise ValueError(f"features has {name!r}, expected some of {', '.join(VECTORS)}")
    folder = open_folder("mosi_utterances", ["features.npz", "index.csv"], root=root)
    table = read_table(folder / "index.csv")
    with np.load(folder / "features.npz", allow_pickle=False) as arrays:
        vectors = {name: arrays[VECTORS[name]] for name in features}
    split: dict[str, list[Sample]] = {"train": [], "valid": [], "test": []}
    for row in table:
        number = int(row["row"])
        rows = {name: vector[number : number + 1] for name, vector in vectors.items()}
        target = CLASSES[int(row["label"])]
        split[row["split"]].append(Sample({"text": row["text"], **rows}, target=target, id=row["utterance_id"]))
    learned = [name for name in LEARNED if name in features]
    return Dataset(
        name="mosi_utterances",
        train=split["train"],
        valid=split["valid"],
        tests={"test": HeldOut(split["test"], name="mosi_utterances test")},
        target="classification",
        classes=CLASSES,
        groups={"video": {row["utterance_id"]: row["video"] for row in table}},
        source="CMU-MOSI, utterances and vectors of Poria et al. (2017)",
        licence="no licence of the corpus is known: research use; cite Zadeh et al. (2016) and Poria et al. (2017)",
        caveat=CAVEAT.format(names=" and ".join(learned)) if learned else "",
    )
