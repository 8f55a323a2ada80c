"""The maker's statements about a model, for the README beside the weights; the rest comes from the model itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """The part of a model card that a model does not know about itself.

    `save_pretrained(folder, card=...)` adds the rest: inputs and outputs, how to load it, sizes, versions. Description
    and caveats may be Markdown; everything else is text, and its markup is escaped.

    Args:
        name: the heading, and the name to load it by ("user/name" on the hub); by default the class and "FOLDER".
        description: its purpose, in a sentence or several.
        license: of the weights, as the hub writes it ("apache-2.0", "cc-by-4.0").
        data: the training data.
        data_license: of the data.
        caveats: what a user should know: gaps in the data, failures.
        metrics: name -> value, on `split`.
        split: the data that the metrics were measured on.
        languages: of texts and speech, as two-letter codes.
        tags: words for searching, in addition to those derived from the model.
        base_models: hub ids of pretrained encoders that it contains.
        pipeline_tag: the hub's name of the task, if one fits ("image-classification"); "feature-extraction" by
            default for a fusion model without a task.
        training: how it was trained: "epochs" -> 20, "seed" -> 0.

    Example:
        >>> ModelCard(name="me/barks", data="my recordings", metrics={"accuracy": 0.9}).split
        'test'
    """

    name: str | None = None
    description: str | None = None
    license: str | None = None
    data: str | None = None
    data_license: str | None = None
    caveats: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    split: str = "test"
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    base_models: tuple[str, ...] = ()
    pipeline_tag: str | None = None
    training: Mapping[str, object] = field(default_factory=dict)
