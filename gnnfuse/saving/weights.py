"""A model's tensors in a safetensors file, with a checksum for each: writing and reading."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from gnnfuse.fusion import NodeEncoders
from gnnfuse.nodes.pretrained.network import misfits
from gnnfuse.saving.within_bounds import refuse_more_than_memory

MARK = "gnnfuse"  # metadata key of the file's digest
MOST_HEADER, FREE_HEADER, PER_TENSOR = 16 * 2**20, 2**16, 512  # bytes of a header
SHOWN = 8  # names listed in a message; the rest are counted


class Entry(TypedDict):
    """The entry of one tensor in config.json."""

    dtype: str
    shape: list[int]
    sha256: str
    derived: bool


Form = tuple[str, list[int]]  # dtype and shape
Listing = Mapping[str, Entry]
"""Name of a tensor -> its entry in config.json."""


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer by name, on the CPU, each a separate copy (safetensors refuses shared memory).

    Derived buffers (torch's non-persistent ones) are included: recomputed under another default dtype, or by another
    version, they would differ in their last bits.

    Raises:
        ValueError: the state holds a value that is not a tensor.
    """
    found = {**dict(module.named_buffers(remove_duplicate=False)), **module.state_dict()}
    strange = [name for name, value in found.items() if not isinstance(value, Tensor)]
    if strange:
        raise ValueError(
            f"found a {type(found[strange[0]]).__name__} as {strange[0]!r} in the state, expected a tensor"
        )
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in sorted(found.items())}


def listing(tensors: Mapping[str, Tensor], module: nn.Module) -> dict[str, Entry]:
    """The entries of the tensors in config.json, for checking later that all are present and unchanged."""
    kept = module.state_dict().keys()
    return {name: _entry(tensor, derived=name not in kept) for name, tensor in tensors.items()}


def digest_of(listed: Listing) -> str:
    """A short digest of all tensors together; the file stores it too, to distinguish the files of two saves."""
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()[:16]


def mark_of(path: Path) -> str | None:
    """The digest stored in a weights file; None if there is none or the file cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get(MARK)
    except (OSError, RuntimeError, SafetensorError):  # RuntimeError: too large to map
        return None


def write_weights(tensors: Mapping[str, Tensor], path: Path, digest: str) -> None:
    """Write the file."""
    from safetensors.torch import save_file

    save_file(dict(tensors), path, metadata={MARK: digest})  # several keys would come in varying order


def read_weights(path: Path, listed: Listing | None = None) -> tuple[dict[str, Tensor], str | None]:
    """The tensors of a file, and its digest (None if another program wrote it).

    Args:
        path: the file.
        listed: their entries in config.json; if it is of the same save, sizes are compared before any tensor is read.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it is not a safetensors file or is truncated; or it has other tensors than listed, a far longer
            header than they need, or a size beyond this machine's memory.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"found no {path.name} in {path.parent}, expected what save_pretrained wrote")
    _check_header(path, listed)
    refuse_more_than_memory(path.stat().st_size, path)  # mapping it would raise a vague error
    try:
        with safe_open(path, "pt") as file:
            mark = (file.metadata() or {}).get(MARK)
            found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            if listed is not None and mark in (None, digest_of(listed)):
                _check_forms({name: _form(part) for name, part in found.items()}, listed, path)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            return weights, mark
    except SafetensorError as error:
        raise ValueError(f"{path}: unreadable weights ({error})") from error


def check_unchanged(weights: Mapping[str, Tensor], listed: Listing, path: Path) -> None:
    """Refuse weights that differ from the entries in config.json.

    Raises:
        ValueError: names the tensors that are missing, were added or were altered.
    """
    _check_forms({name: (_dtype(tensor), list(tensor.shape)) for name, tensor in weights.items()}, listed, path)
    altered = [
        f"{name} (other numbers)"
        for name, entry in listed.items()
        if _entry(weights[name], derived=entry["derived"])["sha256"] != entry["sha256"]
    ]
    if altered:
        raise ValueError(f"{path}: not the weights that config.json lists; {_shown({'altered': altered})}")


def _check_header(path: Path, listed: Listing | None) -> None:
    """Refuse an oversized header, because safetensors reads all of it into memory and parses it.

    Raises:
        ValueError: names the file and both sizes.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    most = MOST_HEADER if listed is None else FREE_HEADER + sum(len(name) + PER_TENSOR for name in listed)
    if most < length <= path.stat().st_size:
        raise ValueError(f"{path}: unreadable weights (a header of {length:,} bytes, expected at most {most:,})")


def _check_forms(found: Mapping[str, Form], listed: Listing, path: Path) -> None:
    altered = []
    for name, entry in listed.items():
        expected = (entry["dtype"], entry["shape"])
        if name in found and found[name] != expected:
            (dtype, shape), (dtype_listed, shape_listed) = found[name], expected
            altered.append(f"{name} ({dtype} {shape} instead of {dtype_listed} {shape_listed})")
    wrong = {
        "missing": sorted(listed.keys() - found.keys()),
        "added": sorted(found.keys() - listed.keys()),
        "altered": altered,
    }
    if any(wrong.values()):
        raise ValueError(f"{path}: not the weights that config.json lists; {_shown(wrong)}")


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], listed: Listing | None, path: Path) -> None:
    """Load tensors into a module, in their dtypes.

    Args:
        module: just built.
        weights: the content of the file.
        listed: their entries in config.json; None in format 1, which kept no derived buffers.
        path: the file, for messages.

    Raises:
        ValueError: weights are missing, unexpected or of another shape; the message names node types that differ.
    """
    kept = {name: tensor for name, tensor in weights.items() if listed is None or not listed[name]["derived"]}
    _check_fit(module, kept, path)
    dtypes = {tensor.dtype for tensor in kept.values() if tensor.is_floating_point()}
    if listed is None and len(dtypes) == 1:
        module.to(dtypes.pop())  # buffers that were not saved follow
    own = dict(chain(module.named_parameters(), module.named_buffers()))
    same = {name: tensor for name, tensor in weights.items() if name in own and own[name].shape == tensor.shape}
    for name, tensor in same.items():
        own[name].data = own[name].data.to(tensor.dtype)
    module.load_state_dict(kept)
    for name in same.keys() - kept.keys():  # of another shape: a cache that had grown; the module makes its own
        own[name].data.copy_(same[name])


def _entry(tensor: Tensor, *, derived: bool) -> Entry:
    raw = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return {
        "dtype": _dtype(tensor),
        "shape": list(tensor.shape),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "derived": derived,
    }


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _form(part: Any) -> Form:
    """Dtype and shape of a tensor in a file before it is read, in the notation of config.json."""
    from safetensors.torch import _TYPES  # the table by which the library itself reads them

    return str(_TYPES[part.get_dtype()]).removeprefix("torch."), list(part.get_shape())


def _check_fit(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    wrong = misfits(module.state_dict(), weights)
    if any(wrong.values()):
        types = _node_types(module, weights)
        raise ValueError(f"{path}: the weights do not fit the model that config.json describes; {types}{_shown(wrong)}")


def _node_types(module: nn.Module, weights: Mapping[str, Tensor]) -> str:
    """The node types that only one of the two has, in words; empty if they are the same."""
    described, found = set(), set()
    for prefix, part in module.named_modules():
        if isinstance(part, NodeEncoders):
            start = f"{prefix}.encoders." if prefix else "encoders."
            with_weights = {name for name, encoder in part.encoders.items() if encoder.state_dict()}
            described |= with_weights
            found |= {name.removeprefix(start).partition(".")[0] for name in weights if name.startswith(start)}
    if described == found:
        return ""
    return f"node types in config.json: {_listed(described)}, in the weights: {_listed(found)}; "


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _shown(wrong: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{kind}: {_first(names)}" for kind, names in wrong.items() if names)


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
