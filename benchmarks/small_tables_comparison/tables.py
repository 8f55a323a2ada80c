"""The tables that are compared: which columns they have and how they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

ROLES = ("image", "audio", "text")
LANGUAGES = ("en", "de", "fr", "es", "ro")
CURVE = (100, 300, 1_000, 3_000, 12_000)  # training rows
NUMBERS = tuple(f"voice_{number:02}" for number in range(73))  # openSMILE


@dataclass(frozen=True, kw_only=True)
class SmallTable:
    """A table, and how its columns are used.

    Args:
        name: by which results are kept.
        source: the data set it is made of.
        content: the folder it is exported into, which tables of other uses may share.
        target: the column to predict.
        kind: "classification" or "regression".
        media: role -> column, of "image", "audio" and "text".
        numbers: columns of numbers.
        group: column of rows that belong together.
        pretrained: pictures and texts are read by the encoders of GNNFUSE_MODELS.
        rows: numbers of rows by split, for tables that are a part of larger data; 0 takes all.
        counted: whether the table belongs to the figures.
    """

    name: str
    source: str
    content: str
    target: str
    kind: str = "classification"
    media: Mapping[str, str] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    group: str | None = None
    pretrained: bool = True
    rows: Mapping[str, int] = field(default_factory=dict)
    counted: bool = True

    @property
    def modalities(self) -> tuple[str, ...]:
        """The roles that the table has columns of; columns of numbers are one modality."""
        return (*(role for role in ROLES if role in self.media), *(("numbers",) if self.numbers else ()))

    def options(self, models: Path | None) -> list[str]:
        """How `gnnfuse fit` is told about the columns and encoders.

        Args:
            models: the folder of the encoders.
        """
        one = [*self.media.items(), ("target", self.target), ("id", "id"), ("split", "split"), ("kind", self.kind)]
        one += [("group", self.group)] if self.group else []
        one += [("features", name) for name in self.numbers]
        one += [(f"{role}-encoder", str(folder)) for role, folder in self.encoders(models).items()]
        return [word for role, value in one for word in (f"--{role}", value)]

    def encoders(self, models: Path | None) -> dict[str, Path]:
        """Role -> the folder of its pretrained encoder.

        Raises:
            ValueError: the table needs encoders and no folder is given.
        """
        if not self.pretrained:
            return {}
        if models is None:
            raise ValueError(f"{self.name}: no folder of encoders is given; pass --models DIR or set GNNFUSE_MODELS")
        folders = {"image": models / "efficientnet_lite0", "text": models / "minilm"}
        return {role: folder for role, folder in folders.items() if role in self.media}


def tables() -> dict[str, SmallTable]:
    """Name -> table: those of the figures, and further ones that are run only if named."""
    words = [
        SmallTable(
            name=f"words_{language}",
            source=f"picture_words/{language}",
            content=f"words_{language}",
            target="category",
            media={"image": "photo", "audio": "clip", "text": "word"},
        )
        for language in LANGUAGES
    ]
    digits = SmallTable(
        name="digits",
        source="av_digits",
        content="digits",
        target="digit",
        media={"image": "photo", "audio": "clip"},
        group="speaker",
        rows={"train": 1_000, "valid": 200, "test": 300, "test_seen": 300},
    )
    mosi = SmallTable(
        name="mosi",
        source="mosi_utterances",
        content="mosi",
        target="label",
        media={"text": "transcript"},
        numbers=NUMBERS,
        group="video",
    )
    counted = [
        *words,
        *(replace(table, name=f"{table.name}_raw", pretrained=False) for table in words),
        digits,
        mosi,
        replace(mosi, name="mosi_numbers", kind="regression", target="score", content="mosi_numbers"),
    ]
    further = [replace(digits, name="digits_raw", pretrained=False, counted=False), *curve(digits), timed(words[0])]
    return {table.name: table for table in [*counted, *further]}


def curve(digits: SmallTable) -> list[SmallTable]:
    """The digits from raw files with more and more training rows; the test is larger, as differences are small."""
    sizes = {"valid": 200, "test": 1_000, "test_seen": 0}
    return [
        replace(
            digits,
            name=f"digits_{rows}",
            content=f"digits_{rows}",
            rows={"train": rows, **sizes},
            pretrained=False,
            counted=False,
        )
        for rows in CURVE
    ]


def timed(words: SmallTable) -> SmallTable:
    """The table by which presets are timed: 1,000 rows, frozen encoders, pictures of 96 x 96 and one-line texts."""
    return replace(
        words,
        name="timed",
        content="timed",
        media={role: words.media[role] for role in ("image", "text")},
        rows={"train": 700, "valid": 100, "test": 200},
        counted=False,
    )
