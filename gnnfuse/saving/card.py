"""The model card: a README.md for the hub, with facts from the model and statements of its maker."""

import hashlib
import json
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from gnnfuse import __version__
from gnnfuse.fusion import FusionModel, NodeEncoders
from gnnfuse.graph import NumberTarget
from gnnfuse.model_card import ModelCard
from gnnfuse.nodes import NodeType
from gnnfuse.saving.describe import Json, describe, places_in, short_name
from gnnfuse.saving.markdown import code, one_line, plain
from gnnfuse.tasks import Task

CLASSES_SHOWN = 30
SEAL = "<!-- written by gnnfuse"


def card_text(module: Task | FusionModel, card: ModelCard) -> str:
    """The card of a task or fusion model, including front matter; the same text for the same model and card.

    Example:
        >>> from gnnfuse.fusion import JointTransformer
        >>> from gnnfuse.nodes import TextTokens
        >>> text = card_text(JointTransformer([TextTokens()], dim=8, depth=1), ModelCard(license="mit"))
        >>> text.splitlines()[:3]
        ['---', 'library_name: "gnnfuse"', 'license: "mit"']
    """
    model = module.model if isinstance(module, Task) else module
    parts = [
        _front_matter(module, model, card),
        f"# {plain(card.name or type(module).__name__)}\n",
        f"{card.description or _what_it_is(module, model)}\n",
        _usage(module, model, card),
        _inputs(model),
        _outputs(module),
        _data(card),
        _table("Results", [plain(card.split), ""], [(plain(name), f"{x:.4g}") for name, x in card.metrics.items()]),
        _table("Training", ["", ""], [(plain(name), plain(value)) for name, value in card.training.items()]),
        _table("Size and versions", ["", ""], _sizes(module, model)),
    ]
    return _sealed("\n".join(part for part in parts if part))


def is_untouched(card: bytes) -> bool:
    """Whether a card is unchanged since `card_text` wrote it, by the checksum in its last line."""
    text, seal, _ = card.decode("utf-8", "replace").rpartition(SEAL)
    return bool(seal) and _sealed(text.removesuffix("\n")).encode() == card


def _sealed(text: str) -> str:
    checksum = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text}\n{SEAL} {checksum}: the next save replaces this card, unless you have changed it -->\n"


def _front_matter(module: nn.Module, model: FusionModel, card: ModelCard) -> str:
    """YAML whose values are written as JSON, which is valid YAML."""
    signals = _signals(model.node_types)
    tags = ["gnnfuse", *(["multimodal"] if len(signals) > 1 else []), *signals]
    tags += ["graph-neural-network"] if model.family == "graph" else []
    tags += [type(module).__name__.lower()] if isinstance(module, Task) else []
    entries: dict[str, Json] = {
        "library_name": "gnnfuse",
        "license": card.license,
        "language": list(card.languages) or None,
        "pipeline_tag": card.pipeline_tag or (None if isinstance(module, Task) else "feature-extraction"),
        "tags": list(dict.fromkeys([*tags, *card.tags])),
        "base_model": list(card.base_models) or None,
        "model-index": _model_index(module, card),
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entries.items() if value is not None]
    return "\n".join(["---", *lines, "---\n"])


def _model_index(module: nn.Module, card: ModelCard) -> Json:
    """Metrics in the hub's format, which requires a data set for each."""
    if not card.metrics or not card.data:
        return None
    kind = type(module).__name__.lower()
    return [
        {
            "name": one_line(card.name or type(module).__name__),
            "results": [
                {
                    "task": {"type": card.pipeline_tag or kind, "name": type(module).__name__},
                    "dataset": {"type": "custom", "name": one_line(card.data), "split": card.split},
                    "metrics": [{"type": name, "value": float(value)} for name, value in card.metrics.items()],
                }
            ],
        }
    ]


def _what_it_is(module: nn.Module, model: FusionModel) -> str:
    signals = ", ".join(map(plain, _signals(model.node_types)))
    made = f"`{type(model).__name__}` over {signals}, made with gnnfuse"
    return f"`{type(module).__name__}` by {made}." if module is not model else f"{made}."


def _usage(module: Task | FusionModel, model: FusionModel, card: ModelCard) -> str:
    own = sorted({place for place in places_in(describe(module)) if not place.startswith("gnnfuse.")})
    imports = [_import_line(place) for place in own]
    names = ", ".join(map(short_name, own))
    classes = f", classes=[{names}]" if own else ""
    source = json.dumps(card.name or "FOLDER", ensure_ascii=False)
    lines = ["import gnnfuse", *imports, "", f"model = gnnfuse.from_pretrained({source}{classes})"]
    if isinstance(module, Task):
        signals = ", ".join(f"{json.dumps(name, ensure_ascii=False)}: ..." for name in _signals(model.node_types))
        lines.append(f"model.predict(gnnfuse.Sample({{{signals}}}))  # leave out what a sample lacks")
    else:
        lines.append("model(batch)  # a GraphBatch in, one vector per sample out")
    return "\n".join(["## How to use it\n", "```python", *lines, "```\n"])


def _import_line(place: str) -> str:
    module, _, name = place.partition(":")
    if module == "__main__" or "." in name:  # defined in a script, a notebook or a function, so it cannot be imported
        return f"from your_module import {short_name(place)}  # from where you keep it: it was saved as {place}"
    return f"from {module} import {name}"


def _inputs(model: FusionModel) -> str:
    encoders: dict[str, nn.Module] = {}
    for part in model.modules():
        if isinstance(part, NodeEncoders):
            encoders |= dict(part.encoders.items())
    rows = [
        (
            plain(node_type.name),
            plain(node_type.signal or "learned"),
            f"`{type(node_type).__name__}`",
            plain(", ".join(sorted(node_type.provides)) or "-"),
            f"{_count(encoders[node_type.name]):,}" if node_type.name in encoders else "-",
        )
        for node_type in model.node_types
    ]
    return _table("What goes in", ["nodes", "signal", "type", "what they have", "parameters of the encoder"], rows)


def _outputs(module: Task | FusionModel) -> str:
    if not isinstance(module, Task):
        return f"## What comes out\n\nOne vector of {module.dim} numbers per sample.\n"
    target = module.builder.target
    classes: Sequence[str] = getattr(target, "classes", ())
    if classes:
        count, what, named = len(classes), f"{len(classes)} classes", list(map(plain, classes[:CLASSES_SHOWN]))
    elif isinstance(target, NumberTarget):
        count, what = target.size, "1 number" if target.size == 1 else f"{target.size} numbers"
        named = _numbers(target)
    else:
        return f"## What comes out\n\n{code(repr(target))}\n"
    more = f" and {count - CLASSES_SHOWN} more, in config.json" if count > CLASSES_SHOWN else ""
    return f"## What comes out\n\n{what}: {', '.join(named)}{more}.\n"


def _numbers(target: NumberTarget) -> list[str]:
    """The first numbers, each with its centre and spread in training."""
    several = target.size > 1
    return [
        (f"{plain(name)} " if several else "") + f"{mean:.6g} ± {scale:.3g}"
        for name, mean, scale in zip(target.labels[:CLASSES_SHOWN], target.center, target.spread, strict=False)
    ]


def _data(card: ModelCard) -> str:
    found = {
        "": plain(card.data or ""),
        "Licence of the data: ": plain(card.data_license or ""),
        "Caveats: ": card.caveats,
    }
    lines = [f"{label}{text}\n" for label, text in found.items() if text]
    return "\n".join(["## Data\n", *lines]) if lines else ""


def _sizes(module: nn.Module, model: FusionModel) -> list[tuple[str, str]]:
    options = {name: getattr(model, name, None) for name in ("dim", "depth", "heads", "dropout")}
    given = ", ".join(f"{name} {value}" for name, value in options.items() if value is not None)
    relations = getattr(model, "relations", None)
    rows = [("model", f"`{type(model).__name__}`: {given}"), ("parameters", f"{_count(module):,}")]
    rows += [] if relations is None else [("relations", str(len(relations)))]
    return [*rows, ("gnnfuse", __version__), ("torch", torch.__version__)]


def _table(heading: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"## {heading}\n", "| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines, ""])


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _signals(node_types: Sequence[NodeType]) -> list[str]:
    return list(dict.fromkeys(node_type.signal for node_type in node_types if node_type.signal is not None))
