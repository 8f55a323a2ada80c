"""A saved model with pretrained encoders needs neither the hub nor the folders that its weights came from."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import squeezenet1_1

from gnnfuse.fusion import Concat
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import NodeType, PretrainedImage, TextTokens
from gnnfuse.sample import Audio, Sample
from gnnfuse.saving import from_pretrained, save_pretrained
from gnnfuse.saving.texts import LONG
from gnnfuse.tasks import Classification
from tests.nodes.pretrained.tiny_models import (
    RATE,
    timm_image,
    tiny_tokenizer,
    torchaudio_audio,
    transformers_audio,
    transformers_image,
    transformers_text,
)

SAVING = """
import sys, torch
from pathlib import Path
from tests.saving.test_pretrained_encoders import output_of, save_pretrained, signals, task_of
torch.set_num_threads(1)  # as below: sums are split by threads
torch.manual_seed(0)
task = task_of(Path(sys.argv[1])).eval()
save_pretrained(task, sys.argv[2])
torch.save(signals(), sys.argv[3])
torch.save(output_of(task), sys.argv[4])
"""
FRESH = """
import sys, torch
from gnnfuse.sample import Audio, Sample
from gnnfuse.saving import from_pretrained
torch.set_num_threads(1)
task = from_pretrained(sys.argv[1])
signals = torch.load(sys.argv[2]).items()
given = {name: Audio(value, RATE) if name.endswith("audio") else value for name, value in signals}
torch.save(task(task.builder(Sample(given))), sys.argv[3])
"""


def signals() -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(3, 40, 50, generator=generator)
    waveform = torch.rand(333, generator=generator) * 2 - 1
    return {
        "squeeze": pixels,
        "vit": pixels,
        "timm": pixels,
        "own_audio": waveform,
        "hf_audio": waveform,
        "ast_audio": waveform,
        "bert": "a cat",
        "words": "a cat",
    }


def node_types(folder: Path) -> list[NodeType]:
    save_file(squeezenet1_1().state_dict(), folder / "squeeze.safetensors")
    return [
        PretrainedImage(
            signal="squeeze", model="torchvision/squeezenet1_1", weights=str(folder / "squeeze.safetensors")
        ),
        transformers_image(folder, "vit", signal="vit"),
        timm_image(folder, "test_vit", signal="timm"),
        torchaudio_audio(folder, "wavlm", signal="own_audio"),
        transformers_audio(folder, "hubert", signal="hf_audio", frozen=False),
        transformers_audio(folder, "ast", signal="ast_audio"),
        transformers_text(folder, "bert", signal="bert"),
        TextTokens(signal="words", tokenizer=tiny_tokenizer(specials=True), special_tokens=True),
    ]


def task_of(folder: Path) -> Classification:
    builder = GraphBuilder(node_types(folder), target=ClassTarget(("no", "yes")))
    return Classification(Concat(builder.node_types, dim=8, depth=1), builder)


def output_of(task: Classification) -> Tensor:
    given = {name: Audio(v, RATE) if isinstance(v, Tensor) and v.ndim == 1 else v for name, v in signals().items()}
    outputs: Tensor = task(task.builder(Sample(given)))
    return outputs.detach()


def test_a_fresh_process_gives_the_same_without_hub_cache_or_source(tmp_path: Path) -> None:
    """What one process saves another loads; nothing that ran before in either can move a last bit."""
    source = tmp_path / "source"
    source.mkdir()
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "empty"),
        "TORCH_HOME": str(tmp_path / "empty"),
    }
    saved, inputs, expected, found = (
        str(tmp_path / name) for name in ("saved", "signals.pt", "expected.pt", "found.pt")
    )

    def run(code: str, *files: str) -> None:
        subprocess.run([sys.executable, "-c", code, *files], check=True, env=environment, cwd=Path(__file__).parents[2])

    run(SAVING, str(source), saved, inputs, expected)
    shutil.rmtree(source)
    run(FRESH.replace("RATE", str(RATE)), saved, inputs, found)
    assert torch.equal(torch.load(found), torch.load(expected))
    loaded = from_pretrained(saved)
    assert isinstance(loaded, Classification)
    torch.testing.assert_close(output_of(loaded), torch.load(expected))  # whatever ran before


def test_what_is_too_long_to_read_is_a_file_of_its_own(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    task = Classification(
        Concat([transformers_text(source, "bert")], dim=8, depth=1),
        GraphBuilder([transformers_text(source, "bert")], target=ClassTarget(("no", "yes"))),
    )
    save_pretrained(task, tmp_path / "saved")
    texts = list((tmp_path / "saved" / "texts").iterdir())
    assert len(texts) == 1  # once, though the task and the model both have it
    assert max(map(len, _strings(json.loads((tmp_path / "saved" / "config.json").read_text())))) <= LONG
    texts[0].write_text(texts[0].read_text().replace("cat", "dog"))
    with pytest.raises(ValueError, match="its content is not what was saved"):
        from_pretrained(tmp_path / "saved")
    texts[0].unlink()
    with pytest.raises(FileNotFoundError, match="expected what save_pretrained wrote"):
        from_pretrained(tmp_path / "saved")


def test_node_types_of_a_loaded_model_do_not_make_random_encoders(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    builder = GraphBuilder([transformers_text(source, "bert")], target=ClassTarget(("no", "yes")))
    save_pretrained(Classification(Concat(builder.node_types, dim=8, depth=1), builder), tmp_path / "saved")
    shutil.rmtree(source)
    loaded = from_pretrained(tmp_path / "saved")
    assert isinstance(loaded, Classification)
    with pytest.raises(FileNotFoundError, match=r"found no folder .*source"):
        loaded.builder.node_types[0].encoder(8)


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in _strings(item)]
