"""`save_pretrained` and `from_pretrained`: a task or a model as a folder, in the manner of Hugging Face."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import torch
from torch import Tensor, nn

from gnnfuse import __version__
from gnnfuse.fusion import FusionModel
from gnnfuse.nodes import weights_follow
from gnnfuse.saving.build import build
from gnnfuse.saving.describe import Json, describe
from gnnfuse.saving.texts import FOLDER as TEXTS
from gnnfuse.saving.texts import move_texts_out, read_texts
from gnnfuse.tasks import Task

FORMAT = 1
CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save_pretrained(module: Task | FusionModel, folder: str | os.PathLike[str]) -> None:
    """Write a task or a fusion model into a folder: its construction and its weights.

    `config.json` holds the format's number, the versions that wrote it, and the whole construction (`describe`): model,
    node types with what they learned in fitting, edge rules, readout, layers, target encoding with label names.
    `model.safetensors` holds the weights, `texts/` what is too long for the configuration (tokenizers). Files of these
    names that are there already are replaced, other files stay.

    Args:
        module: the task or model.
        folder: made if it is not there.

    Raises:
        ValueError: a part does not keep its constructor's arguments, or is a function or a tensor.

    Example:
        >>> import tempfile
        >>> from gnnfuse.fusion import JointTransformer
        >>> from gnnfuse.nodes import TextTokens
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_pretrained(JointTransformer([TextTokens()], dim=8, depth=1), folder)
        ...     from_pretrained(folder).depth
        1
    """
    from safetensors.torch import save_file

    described = describe(module)
    # A copy of each: safetensors refuses tensors that share memory, as tied weights do.
    weights = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in module.state_dict().items()}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{uuid4().hex}"  # a reader never meets half a file
    partial.mkdir()
    try:
        config: Json = {
            "format": FORMAT,
            "gnnfuse": __version__,
            "torch": torch.__version__,
            "object": move_texts_out(described, partial),
        }
        save_file(weights, partial / WEIGHTS, metadata={"format": "pt"})
        (partial / CONFIG).write_text(json.dumps(config, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        for text in (partial / TEXTS).glob("*"):
            (folder / TEXTS).mkdir(exist_ok=True)
            os.replace(text, folder / TEXTS / text.name)
        for name in (WEIGHTS, CONFIG):
            os.replace(partial / name, folder / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def from_pretrained(folder: str | os.PathLike[str], *, classes: Sequence[type] = ()) -> Task | FusionModel:
    """Read a task or a fusion model from a folder, on the CPU and in evaluation mode.

    Nothing is unpickled; only classes that this library or the catalogue lists are built, and those passed in.

    Args:
        folder: what `save_pretrained` wrote.
        classes: the caller's own node types, rules, layers, readouts, models or tasks that the folder may name.

    Raises:
        FileNotFoundError: the folder lacks one of its files.
        ValueError: another format, a class that is not allowed, or weights that are missing, unexpected or of another
            shape.
    """
    folder = Path(folder)
    config = _read_config(folder / CONFIG)
    weights = _read_weights(folder / WEIGHTS)
    with torch.random.fork_rng(devices=[]), weights_follow():  # the weights drawn in building are thrown away
        module = build(read_texts(config["object"], folder), classes=classes)
    if not isinstance(module, Task | FusionModel):
        raise ValueError(f"{folder / CONFIG}: found a {type(module).__name__}, expected a task or a fusion model")
    _load_weights(module, weights, folder / WEIGHTS)
    return module.eval()


def _read_config(path: Path) -> Mapping[str, Json]:
    if not path.is_file():
        raise FileNotFoundError(f"found no {path.name} in {path.parent}, expected what save_pretrained wrote")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    found = config.get("format") if isinstance(config, dict) else None
    if found != FORMAT or "object" not in config:
        writer = config.get("gnnfuse") if isinstance(config, dict) else None
        raise ValueError(
            f"{path}: found format {found!r}, written by gnnfuse {writer}; gnnfuse {__version__} reads {FORMAT}"
        )
    return dict(config)


def _read_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise FileNotFoundError(f"found no {path.name} in {path.parent}, expected what save_pretrained wrote")
    try:
        weights: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: unreadable weights ({error})") from error
    return weights


def _load_weights(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    expected = module.state_dict()
    wrong = {
        "missing": sorted(expected.keys() - weights.keys()),
        "unexpected": sorted(weights.keys() - expected.keys()),
        "of another shape": [
            f"{name} {list(weights[name].shape)} (expected {list(tensor.shape)})"
            for name, tensor in expected.items()
            if name in weights and weights[name].shape != tensor.shape
        ],
    }
    found = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in wrong.items() if names)
    if found:
        raise ValueError(f"{path}: the weights do not fit the model, {found}")
    dtypes = [tensor.dtype for tensor in weights.values() if tensor.is_floating_point()]
    mixed = len(set(dtypes)) > 1
    if dtypes and not mixed:
        module.to(dtypes[0])  # buffers that are not saved follow
    module.load_state_dict(weights, assign=mixed)
