"""Which pretrained encoders read a table: options that calls and commands share; imports nothing large."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

CELLS = 3  # rows and columns of averaged cells of a picture's feature map, unless the encoder is fine-tuned


@dataclass(frozen=True, kw_only=True)
class Encoders:
    """Pretrained encoders by kind of signal, named as for `PretrainedImage` and its counterparts.

    Where none is named, small networks are trained from scratch: convolutions over pixels and log-mel spectra,
    embeddings of bytes.

    Raises:
        ValueError: weights, fine_tune, tune_last or a cache without an encoder, a dtype without a cache, or fine_tune
            with a cache or with tune_last.

    Example:
        >>> Encoders(image="torchvision/resnet50", text="FacebookAI/roberta-base").named
        ('torchvision/resnet50', 'FacebookAI/roberta-base')
    """

    image: Annotated[
        str | None,
        "--image-encoder",
        "Pretrained: torchvision/NAME, timm/NAME, or a model of timm or transformers by its hub name or folder.",
    ] = None
    audio: Annotated[
        str | None,
        "--audio-encoder",
        "Pretrained: torchaudio/PIPELINE, or an audio model of transformers by its name on the hub or its folder.",
    ] = None
    text: Annotated[
        str | None,
        "--text-encoder",
        "Pretrained: a text model of transformers by its name on the hub (FacebookAI/roberta-base) or its folder.",
    ] = None
    fine_tune: Annotated[bool, "Train pretrained encoders too."] = False
    tune_last: Annotated[
        int,
        "Train this many of the last blocks of pretrained encoders too, at a tenth of the learning rate; a cache keeps "
        "the states before them.",
    ] = 0
    image_weights: Annotated[
        str | None, "Listed weights of torchvision, a file for torchvision or timm, or a revision on the hub."
    ] = None
    audio_weights: Annotated[str | None, "File of weights for torchaudio, or a revision on the hub."] = None
    text_weights: Annotated[str | None, "Revision on the hub."] = None
    cache: Annotated[
        Path | str | None,
        "Folder that keeps the features of frozen encoders, as gnnfuse cache writes it: missing features are computed "
        "first, and training reads them. Augmentation cannot act on them. The saved model does not need the folder.",
    ] = None
    cache_dtype: Annotated[
        Literal["float32", "float16"], "Type of the cached features: float32 keeps every bit, float16 halves the space."
    ] = "float32"

    def __post_init__(self) -> None:
        for modality in ("image", "audio", "text"):
            weights = getattr(self, f"{modality}_weights")
            if weights is not None and getattr(self, modality) is None:
                raise ValueError(f"found {modality}_weights {weights!r} without a pretrained encoder for {modality}")
        if self.fine_tune and not self.named:
            raise ValueError("found fine_tune without a pretrained encoder, expected at least one")
        if self.tune_last and (self.fine_tune or not self.named):
            what = "fine_tune, which trains all blocks" if self.fine_tune else "no pretrained encoder"
            raise ValueError(f"found tune_last {self.tune_last} and {what}, expected frozen encoders")
        if self.tune_last < 0:
            raise ValueError(f"found tune_last {self.tune_last}, expected a number of blocks, 0 for none")
        if self.cache is None and self.cache_dtype != "float32":
            raise ValueError(f"found cache_dtype {self.cache_dtype!r} without a cache, expected a folder for one")
        if self.cache is not None and not self.named:
            raise ValueError(f"found cache {str(self.cache)!r} without a pretrained encoder, expected at least one")
        if self.cache is not None and self.fine_tune:
            raise ValueError(
                f"found cache {str(self.cache)!r} and fine_tune: features of encoders that are trained change and "
                "cannot be kept; leave one out"
            )

    @property
    def named(self) -> tuple[str, ...]:
        """The encoders that are given."""
        return tuple(name for name in (self.image, self.audio, self.text) if name is not None)

    @property
    def frozen(self) -> bool:
        """Whether there are encoders whose features stay the same in training."""
        return bool(self.named) and not self.fine_tune and not self.tune_last

    @property
    def files(self) -> tuple[str, ...]:
        """The names, folders and files, as given, from which encoders and their weights may be read."""
        given = (*self.named, self.image_weights, self.audio_weights, self.text_weights)
        return tuple(name for name in given if name is not None)
