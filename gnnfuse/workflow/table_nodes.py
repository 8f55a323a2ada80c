"""From the columns of a table to node types and edge rules."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from torch import nn

from gnnfuse import fit_defaults
from gnnfuse.edges import Complete, EdgeRule, Grid, Window
from gnnfuse.encoders import CELLS, Encoders
from gnnfuse.nodes import AudioFrames, Features, Hub, ImagePatches, NodeType, TextTokens
from gnnfuse.nodes.augmentation import AudioGain, AudioNoise, AudioShift, ImageCrop, InTurn
from gnnfuse.nodes.frame_encoders import LogMelFrames
from gnnfuse.nodes.patch_encoders import ConvPatches
from gnnfuse.nodes.pretrained import PretrainedAudio, PretrainedImage, PretrainedNodes, PretrainedText
from gnnfuse.sample import Audio, Sample
from gnnfuse.tables import Columns
from gnnfuse.tables.columns import NO_SIGNAL

HUB = "hub"
READ_BY = {"image": ("image",), "audio": ("audio",), "text": ("text", "text_file")}  # columns by encoder
LOOK = 50  # recordings whose sample rate is read
MOST_PATCHES, MOST_FRAMES, MOST_TOKENS = 256, 256, 512
USUAL_RATE = 16_000
STILL: Mapping[str, Any] = {"augmentation": None, "word_dropout": 0.0, "noise": 0.0}
LEAST_AREA, SHIFT, GAIN, NOISE, LETTERS = 0.6, 0.1, 6.0, 0.005, 0.1


def table_nodes(
    columns: Columns, samples: Iterable[Sample], encoders: Encoders, *, small: bool = False, still: bool = False
) -> tuple[NodeType, ...]:
    """A node type per signal of a table, and a hub.

    Args:
        columns: the role of each column.
        samples: some of the table's samples; they give the rate of recordings and the width of rows of numbers.
        encoders: pretrained encoders.
        small: the table has few rows: features of encoders that are not fine-tuned become few whitened components.
        still: no signal is augmented.

    Raises:
        ValueError: no column holds a signal, a column of rows is empty in all samples, or a pretrained encoder has no
            column.

    Example:
        >>> found = table_nodes(Columns(text=("caption",)), [], Encoders())
        >>> [node_type.name for node_type in found]
        ['caption', 'hub']
    """
    if not columns.signals:
        raise ValueError(NO_SIGNAL)
    for modality, of_modality in READ_BY.items():
        if getattr(encoders, modality) is not None and not any(columns.of(role) for role in of_modality):
            raise ValueError(
                f"found a pretrained encoder for {modality} ({getattr(encoders, modality)}) and no column that it "
                f"reads; name one, such as --{modality} NAME"
            )
    looked = list(islice(samples, LOOK))
    names = node_names(columns.signals)
    found: list[NodeType] = [_image(name, names[name], encoders) for name in columns.image]
    found += [_audio(name, names[name], encoders, looked) for name in columns.audio]
    found += [_text(name, names[name], encoders) for name in (*columns.text, *columns.text_file)]
    if small and not encoders.fine_tune:
        found = [_whitened(each) if isinstance(each, PretrainedNodes) else each for each in found]
    found += [_rows(name, names[name], looked) for name in columns.rows]
    if columns.features:
        signal, width = columns.features_signal, len(columns.features)
        found.append(Features(signal=signal, name=names[signal], width=width, blanks=True, noise=0.1))
    if still:  # training is short, on graphs that are made once
        found = [_still(each) for each in found]
    return (*found, Hub(name=HUB))


def table_rules(node_types: Sequence[NodeType]) -> tuple[EdgeRule, ...]:
    """Neighbours within grids and sequences, and all nodes with the hub, as far as the node types allow."""
    rules: list[EdgeRule] = [
        Grid(),
        Window(size=2),
        Complete(dst=HUB, name="to_hub"),
        Complete(src=HUB, name="from_hub"),
    ]
    pairs = [(src, dst) for src in node_types for dst in node_types]
    return tuple(rule for rule in rules if any(rule.applies(*pair) for pair in pairs))


def node_names(signals: Iterable[str]) -> dict[str, str]:
    """Names of node types for signals: a column name need not be a valid node type name.

    Example:
        >>> node_names(["photo", "a.b", "hub", "keys"])
        {'photo': 'photo', 'a.b': 'a_b', 'hub': 'hub_', 'keys': 'keys_'}
    """
    names: dict[str, str] = {}
    for signal in signals:
        name = signal.replace(".", "_")
        while name == HUB or name in names.values() or hasattr(nn.ModuleDict(), name):
            name += "_"
        names[signal] = name
    return names


def _image(signal: str, name: str, encoders: Encoders) -> NodeType:
    crop = ImageCrop(LEAST_AREA)
    if encoders.image is not None:
        node_type = PretrainedImage(
            model=encoders.image,
            signal=signal,
            name=name,
            weights=encoders.image_weights,
            augmentation=crop,
            **_trained(encoders),
        )
        return node_type if encoders.fine_tune else node_type.in_cells(CELLS)
    encoding = ConvPatches(width=16)
    return ImagePatches(
        signal=signal, name=name, patch=16, encoding=encoding, max_nodes=MOST_PATCHES, augmentation=crop
    )


def _audio(signal: str, name: str, encoders: Encoders, samples: Sequence[Sample]) -> NodeType:
    rate = min(USUAL_RATE, usual_rate(samples, signal) or USUAL_RATE)
    change = InTurn((AudioShift(int(SHIFT * rate)), AudioGain(GAIN), AudioNoise(NOISE)))
    if encoders.audio is not None:
        return PretrainedAudio(
            model=encoders.audio,
            signal=signal,
            name=name,
            weights=encoders.audio_weights,
            augmentation=change,
            **_trained(encoders),
        )
    return AudioFrames(
        signal=signal,
        name=name,
        sample_rate=rate,
        hop=0.06,
        window=0.12,
        encoding=LogMelFrames(mels=32 if rate < USUAL_RATE else 40),
        max_nodes=MOST_FRAMES,
        overflow="pool",
        augmentation=change,
    )


def _text(signal: str, name: str, encoders: Encoders) -> NodeType:
    if encoders.text is not None:
        return PretrainedText(
            model=encoders.text,
            signal=signal,
            name=name,
            weights=encoders.text_weights,
            word_dropout=LETTERS,
            **_trained(encoders),
        )
    return TextTokens(signal=signal, name=name, max_nodes=MOST_TOKENS, word_dropout=LETTERS)


def _trained(encoders: Encoders) -> dict[str, Any]:
    """The arguments of pretrained node types on what is trained."""
    return {"frozen": not encoders.fine_tune, "tuned": encoders.tune_last}


def _whitened(node_type: PretrainedNodes) -> PretrainedNodes:
    return replace(node_type, components=min(fit_defaults.COMPONENTS, node_type.width))  # type: ignore[type-var]


def _still(node_type: Any) -> NodeType:
    """The same node type, a dataclass, without changes at random in training."""
    own = {each.name: STILL[each.name] for each in fields(node_type) if each.name in STILL}
    still: NodeType = replace(node_type, **own)
    return still


def _rows(signal: str, name: str, samples: Sequence[Sample]) -> NodeType:
    for sample in samples:
        shape = getattr(sample.signals.get(signal), "shape", None)
        if shape:
            return Features(signal=signal, name=name, width=int(shape[-1]), ordered=len(shape) > 1, noise=0.1)
    raise ValueError(f"column {signal!r}: found no list of numbers in the first {len(samples)} rows, expected some")


def usual_rate(samples: Iterable[Sample], signal: str) -> int | None:
    """The most frequent sample rate in Hz of some samples' recordings; None if none can be determined."""
    found = Counter(rate for sample in samples if (rate := _rate(sample.signals.get(signal))) is not None)
    return found.most_common(1)[0][0] if found else None


def _rate(value: object) -> int | None:
    if isinstance(value, Audio):
        return value.sample_rate
    if isinstance(value, Mapping):
        value = value.get("sampling_rate") or value.get("bytes") or value.get("path")
    if isinstance(value, int):
        return value
    if not isinstance(value, bytes | str | Path) or (isinstance(value, str | Path) and not Path(value).is_file()):
        return None
    import soundfile

    try:
        return int(soundfile.info(BytesIO(value) if isinstance(value, bytes) else str(value)).samplerate)
    except (OSError, RuntimeError):  # reading the sample raises the precise error
        return None
