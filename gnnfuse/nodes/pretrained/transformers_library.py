"""transformers models: configurations as plain values, models made and loaded without remote code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gnnfuse.nodes.pretrained.network import missing_weights

UNUSED = ("id2label", "label2id", "transformers_version", "architectures", "_name_or_path", "dtype", "torch_dtype")
# Masking needs recordings longer than its masks and draws from NumPy's global generator; caches serve generation only.
CHANGED: Mapping[str, Any] = {"apply_spec_augment": False, "use_cache": False}


def quiet_loading() -> None:
    """Disable transformers' progress bars during loading; for commands, which own their process."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]


def read_config(model: str, revision: str | None, part: str | None = None) -> dict[str, Any]:
    """A model's configuration as JSON values; for a model of several modalities, that of one of its models.

    Raises:
        FileNotFoundError: it is not available locally and cannot be fetched.
        ValueError: the model needs remote code, or its kind is unknown.
    """
    from transformers import AutoConfig

    config = _fetch(AutoConfig, model, revision)
    described: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    described = described.get(part, described) if part is not None else described
    changed = {name: value for name, value in CHANGED.items() if name in described}
    return {name: value for name, value in described.items() if name not in UNUSED} | changed


def make_config(described: Mapping[str, Any]) -> Any:
    """The configuration as a transformers object.

    Raises:
        ValueError: the model type is missing or unknown to transformers, or it refuses some values.
    """
    from transformers import CONFIG_MAPPING

    kind = described.get("model_type")
    if kind is None:
        names = ", ".join(described)
        raise ValueError(f"found no model_type in the configuration of a transformers model, only {names}")
    if kind not in CONFIG_MAPPING:
        raise ValueError(f"transformers does not know this model's type, {kind!r}; a newer version may")
    try:
        return CONFIG_MAPPING[kind].from_dict(dict(described))
    except Exception as error:  # its own validation, or any other error
        raise ValueError(f"transformers rejects this configuration of a {kind!r} model: {error}") from error


def make_model(described: Mapping[str, Any]) -> Any:
    """The model with random weights; for an encoder-decoder model, the encoder.

    Raises:
        ValueError: as `make_config`, or transformers cannot make a model from the configuration.
    """
    from transformers import AutoModel

    make: Any = AutoModel.from_config
    config = make_config(described)
    try:
        return _encoder_of(make(config, dtype=torch.float32, trust_remote_code=False))
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ZeroDivisionError) as error:
        kind = described["model_type"]
        raise ValueError(
            f"transformers cannot make a {kind!r} model from its configuration ({type(error).__name__}: {error})"
        ) from error


def load_model(described: Mapping[str, Any], model: str, revision: str | None) -> tuple[Any, list[nn.Parameter]]:
    """The model with its weights, and the parameters without weights.

    Args:
        described: its configuration.
        model: a name on the hub or a folder.
        revision: branch, tag or commit on the hub.

    Raises:
        FileNotFoundError: the weights are not available locally and cannot be fetched.
    """
    from transformers import AutoModel

    whole, report = _fetch(
        AutoModel,
        model,
        revision,
        config=make_config(described),
        dtype=torch.float32,
        weights_only=True,
        output_loading_info=True,
    )
    _leave_file(whole)
    parameters = dict(whole.named_parameters(remove_duplicate=False))
    return _encoder_of(whole), [parameters[name] for name in report["missing_keys"] if name in parameters]


def read_processor(kind: str, model: str, revision: str | None) -> Mapping[str, Any]:
    """The settings of "AutoImageProcessor" or "AutoFeatureExtractor".

    Raises:
        FileNotFoundError: the settings are not available locally and cannot be fetched.
    """
    import transformers

    processor = _fetch(getattr(transformers, kind), model, revision)
    described: dict[str, Any] = json.loads(processor.to_json_string())
    return described


def read_tokenizer(model: str, revision: str | None) -> Any:
    """The tokenizer of a model.

    Raises:
        FileNotFoundError: it is not available locally and cannot be fetched.
    """
    from transformers import AutoTokenizer

    return _fetch(AutoTokenizer, model, revision)


def _fetch(kind: Any, model: str, revision: str | None, **arguments: Any) -> Any:
    if _is_path(model) and not Path(model).is_dir():
        raise FileNotFoundError(f"found no folder {model}, expected one with a model of transformers, or a hub's name")
    pinned = {} if revision is None else {"revision": revision}
    try:
        return kind.from_pretrained(model, trust_remote_code=False, **pinned, **arguments)
    except OSError as error:
        if Path(model).is_dir():
            raise FileNotFoundError(f"folder {model!r} is no complete model of transformers: {error}") from error
        command = f"hf download {model}" + (f" --revision {revision}" if revision is not None else "")
        raise missing_weights(f"weights of {model!r}", command, error) from error
    except Exception as error:  # for a model of another kind, a tokenizer looks for files that never existed
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(
            f"transformers cannot read {model!r} by {kind.__name__} ({reason}), expected a model with one"
        ) from error


def _is_path(model: str) -> bool:
    """Whether a name cannot be a hub name, which is "model" or "owner/model"."""
    return model.startswith((".", "~", "/")) or model.count("/") > 1 or "\\" in model


def _leave_file(model: nn.Module) -> None:
    """Copy a model's weights into its own memory: transformers maps the weights' file, at arbitrary addresses.

    The summation order of matrix products depends on addresses, so the same weights at other addresses gave results
    with other last bits; and overwriting the file would have changed a running model.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()


def _encoder_of(model: Any) -> Any:
    return model.get_encoder() if model.config.is_encoder_decoder else model
