"""What its maker says about a model, for the README beside the weights; what a model knows itself is not asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """The part of a model card that a model does not know about itself.

    `save_pretrained(folder, card=...)` adds the rest: what goes in and what comes out, how to load it, sizes, versions.
    Description and caveats may be Markdown; everything else is text, and what looks like markup in it is escaped.

    Args:
        name: the heading, and what to load it by ("user/name" on the hub); by default the class and "FOLDER".
        description: what it is for, in a sentence or several.
        license: of the weights, as the hub writes it ("apache-2.0", "cc-by-4.0").
        data: what it was trained on.
        data_license: of the data.
        caveats: what a user of it should know: what the data lack, where it fails.
        metrics: name -> value, on `split`.
        split: the data that the metrics were measured on.
        languages: of texts and speech, as two-letter codes.
        tags: words to find it by, beside those that follow from the model.
        base_models: hub ids of pretrained encoders that it contains.
        pipeline_tag: the hub's name of the task, where one fits ("image-classification"); "feature-extraction" by
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
