"""The catalogue: names for command lines, sweeps and loading, each with the place of its object.

Nothing needs to be listed here to work: node types, edge rules, layers, readouts, models, tasks and target encodings
are passed as objects. A package that installs an entry point in the group `gnnfuse` named `kind.name` adds a name here.
"""

import difflib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points

KINDS: Mapping[str, Mapping[str, str]] = {
    "node_type": {
        "image_patches": "gnnfuse.nodes.image_patches:ImagePatches",
        "audio_frames": "gnnfuse.nodes.audio_frames:AudioFrames",
        "text_tokens": "gnnfuse.nodes.text_tokens:TextTokens",
        "features": "gnnfuse.nodes.features:Features",
        "hub": "gnnfuse.nodes.hub:Hub",
        "pretrained_image": "gnnfuse.nodes.pretrained.pretrained_image:PretrainedImage",
        "pretrained_audio": "gnnfuse.nodes.pretrained.pretrained_audio:PretrainedAudio",
        "pretrained_text": "gnnfuse.nodes.pretrained.pretrained_text:PretrainedText",
    },
    "edge_rule": {
        "grid": "gnnfuse.edges.grid:Grid",
        "window": "gnnfuse.edges.window:Window",
        "complete": "gnnfuse.edges.complete:Complete",
        "aligned": "gnnfuse.edges.aligned:Aligned",
        "nearest": "gnnfuse.edges.nearest:Nearest",
        "given": "gnnfuse.edges.given:GivenEdges",
    },
    "layer": {
        "relation_attention": "gnnfuse.message_passing.relation_attention:RelationAttention",
        "hgt": "gnnfuse.message_passing.hgt:HGT",
        "gatv2": "gnnfuse.message_passing.gatv2:GATv2",
        "sage": "gnnfuse.message_passing.sage:SAGE",
        "rgcn": "gnnfuse.message_passing.rgcn:RGCN",
        "simmim": "gnnfuse.message_passing.simmim:SimMIM",
        "pyg": "gnnfuse.message_passing.pyg_layer:PyGLayer",
        "nearest_states": "gnnfuse.message_passing.nearest_states:NearestStates",
    },
    "readout": {
        "mean": "gnnfuse.readout.mean:MeanReadout",
        "attention": "gnnfuse.readout.attention:AttentionReadout",
        "hub": "gnnfuse.readout.hub:HubReadout",
        "typed": "gnnfuse.readout.typed:TypedReadout",
        "additive": "gnnfuse.readout.additive:AdditiveReadout",
        "joined": "gnnfuse.readout.joined:JoinedReadout",
        "interaction": "gnnfuse.readout.interaction:InteractionReadout",
    },
    "model": {
        "graph": "gnnfuse.fusion.graph.graph_fusion:GraphFusion",
        "joint_transformer": "gnnfuse.fusion.attention.joint_transformer:JointTransformer",
        "modality_attention": "gnnfuse.fusion.attention.modality_attention:ModalityAttention",
        "cross_attention": "gnnfuse.fusion.attention.cross_attention:CrossAttention",
        "concat": "gnnfuse.fusion.classical.concat:Concat",
        "unimodal": "gnnfuse.fusion.classical.unimodal:Unimodal",
        "pooled": "gnnfuse.fusion.classical.pooled_states:PooledStates",
    },
    "task": {
        "classification": "gnnfuse.tasks.classification:Classification",
        "multilabel": "gnnfuse.tasks.multilabel:MultiLabel",
        "regression": "gnnfuse.tasks.regression:Regression",
        "node_classification": "gnnfuse.tasks.node_classification:NodeClassification",
    },
    "objective": {
        "cross_entropy": "gnnfuse.tasks.objectives.cross_entropy:CrossEntropy",
        "binary_cross_entropy": "gnnfuse.tasks.objectives.binary_cross_entropy:BinaryCrossEntropy",
        "focal_loss": "gnnfuse.tasks.objectives.focal_loss:FocalLoss",
        "huber": "gnnfuse.tasks.objectives.huber:Huber",
        "squared_error": "gnnfuse.tasks.objectives.squared_error:SquaredError",
        "left_out": "gnnfuse.tasks.objectives.left_out:LeftOut",
        "node_cross_entropy": "gnnfuse.tasks.objectives.node_cross_entropy:NodeCrossEntropy",
        "each_modality": "gnnfuse.tasks.objectives.each_modality:EachModality",
    },
    "target": {
        "class": "gnnfuse.graph.target:ClassTarget",
        "multilabel": "gnnfuse.graph.target:MultiLabelTarget",
        "number": "gnnfuse.graph.target:NumberTarget",
        "node": "gnnfuse.graph.node_target:NodeTarget",
    },
    "benchmark": {
        "digits": "gnnfuse.bench.tasks.digits:digits",
        "av_digits_pairs": "gnnfuse.bench.tasks.av_digits:av_digits_pairs",
        "av_digits_pairs_hard": "gnnfuse.bench.tasks.av_digits:av_digits_pairs_hard",
        "av_digits_questions": "gnnfuse.bench.tasks.av_digits:av_digits_questions",
        "picture_words": "gnnfuse.bench.tasks.picture_words:picture_words",
        "mosi_utterances": "gnnfuse.bench.tasks.mosi:mosi_utterances",
    },
}

# Methods of an early stage's classes that are shortcuts to functions of a later stage, which it does not import.
LATER: Mapping[str, str] = {
    "save_pretrained": "gnnfuse.saving.pretrained:save_pretrained",
    "from_pretrained": "gnnfuse.saving.pretrained:from_pretrained",
    "push_to_hub": "gnnfuse.saving.hub:push_to_hub",
}


@cache
def entries(kind: str) -> Mapping[str, str]:
    """Every name of one kind, with its "module:object".

    Raises:
        ValueError: the kind is unknown, or an installed plug-in uses a name that is already taken.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}, expected one of: {', '.join(KINDS)}")
    found = dict(KINDS[kind])
    for point in _plug_ins():
        point_kind, _, name = point.name.partition(".")
        if point_kind != kind:
            continue
        if name in found:
            raise ValueError(f"two entries for {kind} {name!r}: {found[name]} and {point.value}")
        found[name] = point.value
    return found


@cache
def _plug_ins() -> EntryPoints:
    """The entry points of installed plug-ins; warns, once, about those of unknown kinds."""
    points = entry_points(group="gnnfuse")
    for point in points:
        if point.name.partition(".")[0] not in KINDS or not point.name.partition(".")[2]:
            warnings.warn(
                f"plug-in entry point {point.name!r} ({point.value}) is ignored: expected kind.name, of one of the "
                f"kinds {', '.join(KINDS)}",
                stacklevel=3,
            )
    return points


def names(kind: str) -> tuple[str, ...]:
    """The names of one kind, sorted."""
    return tuple(sorted(entries(kind)))


def load(kind: str, name: str) -> object:
    """The object that a name denotes.

    Raises:
        ValueError: no such name (the message lists the most similar ones), or a plug-in names a missing object.

    Example:
        >>> load("edge_rule", "grid").__name__
        'Grid'
        >>> load("layer", "hgtt")
        Traceback (most recent call last):
        ...
        ValueError: unknown layer 'hgtt', did you mean 'hgt'? Known: gatv2, hgt, nearest_states, pyg, \
relation_attention, rgcn, sage, simmim
    """
    found = entries(kind)
    if name not in found:
        raise ValueError(unknown(kind, name, found))
    try:
        return _object(found[name])
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{kind} {name!r}: cannot load {found[name]!r}: {error}") from error


def later(name: str) -> object:
    """The function of a later stage under this name in `LATER`, imported at the call."""
    return _object(LATER[name])


def _object(place: str) -> object:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for an unknown name, with similar ones suggested."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f", did you mean {' or '.join(map(repr, near))}?" if near else "."
    return f"unknown {kind} {name!r}{hint} Known: {listed(known, 100)}"


def shown(found: object) -> str:
    """An argument of the wrong kind, in words.

    Example:
        >>> shown(dict), shown(3)
        ('the class dict', 'a int')
    """
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names for people to read: the first ones, and the number of the rest.

    Example:
        >>> listed(["a", "b"]), listed([str(number) for number in range(9)], 2)
        ('a, b', '0, 1 and 7 more')
    """
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more:,} more"
