"""Exported programs give what the models give, on batches of other sizes, in a process without the models' code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gnnfuse import catalog
from gnnfuse.saving import batch_tensors, export
from gnnfuse.saving.export import _free_sizes, _reason
from tests.saving.export_checks import CARRYING, MODELS, OTHERS, task
from tests.saving.models import few_samples, small_task

ROOT = Path(__file__).parents[2]

USUAL = ("graph",)  # tracing takes seconds: the others with `pytest -m long`

Checked = dict[str, dict[str, float]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


def checks(folder: Path, *names: str) -> Checked:
    """What `export_checks.py` found, which runs where nothing checks shapes."""
    words = [sys.executable, "-m", "tests.saving.export_checks", str(folder), *names]
    path = os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    finished = subprocess.run(
        words, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    found: Checked = json.loads(finished.stdout.strip().splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def checked(folder: Path) -> Checked:
    return checks(folder, *USUAL)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    return checks(tmp_path_factory.mktemp("others"), *(name for name in MODELS if name not in USUAL), *CARRYING, "pyg")


def test_every_model_and_layer_of_the_catalogue_is_tried() -> None:
    layers = set(catalog.names("layer")) - {"relation_attention"}  # the layer of "graph"
    assert set(catalog.names("model")) | layers == MODELS.keys() | OTHERS.keys()


@pytest.mark.parametrize("name", USUAL)
def test_a_program_gives_what_the_model_gives_on_other_sizes(name: str, checked: Checked) -> None:
    assert checked[name]["off"] <= checked[name]["allowed"], checked[name]


@pytest.mark.long
def test_all_other_programs_do_so_too(others: Checked) -> None:
    assert [name for name, found in others.items() if "off" in found and found["off"] > found["allowed"]] == []
    assert (MODELS.keys() | CARRYING.keys()) - set(USUAL) <= {name for name, found in others.items() if "off" in found}


def test_a_process_with_the_operators_alone_runs_it(checked: Checked, folder: Path) -> None:
    code = """
import sys
import torch
import gnnfuse.ops
program = torch.export.load(sys.argv[1] + "/graph.pt2")
inputs = torch.load(sys.argv[1] + "/inputs.pt", weights_only=True)
torch.save(program.module()(inputs), sys.argv[1] + "/outputs.pt")
print(sorted(name for name in sys.modules if name.startswith("gnnfuse.") and not name.startswith("gnnfuse.ops")))
"""
    words = [sys.executable, "-c", code, str(folder)]
    finished = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert finished.stdout.strip().splitlines()[-1] == "[]"
    found, expected = (torch.load(folder / f"{name}.pt", weights_only=True) for name in ("outputs", "expected"))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_exported_says_so(tmp_path: Path) -> None:
    """How many edges it adds follows from the states, and it searches block by block."""
    checked = checks(tmp_path, "nearest_states")
    assert str(checked["nearest_states"]["refused"]).startswith("Classification cannot be exported by torch 2.")
    assert "nearest_search.py" in str(checked["nearest_states"]["refused"])


def test_a_refusal_names_the_operator_and_the_line_of_the_model() -> None:
    said = f"""Operator does not support running with fake tensors
  Explanation:
  Hint: see https://docs.google.com/document for how to fix

  Developer debug context: unsupported operator: aten._transformer_encoder_layer_fwd.default

 For more details about this graph break, please visit: https://meta-pytorch.github.io/gb0090.html

from user code:
   File "{torch.__path__[0]}/_dynamo/functional_export.py", line 221, in forward
    res = self._export_root(*args, **kwargs)
  File "mine/layers.py", line 15, in forward
    states = self.layer(states)
  File "{torch.__path__[0]}/nn/modules/transformer.py", line 921, in forward
    return torch._transformer_encoder_layer_fwd(

Set TORCHDYNAMO_VERBOSE=1 for the internal stack trace"""
    assert _reason(RuntimeError(said)) == (
        "Operator does not support running with fake tensors (unsupported operator: "
        "aten._transformer_encoder_layer_fwd.default); at mine/layers.py, line 15: states = self.layer(states)"
    )
    assert _reason(RuntimeError("one\ntwo\n\nthree\nfour")) == "one two three"
    assert _reason(RuntimeError()) == "RuntimeError"


def test_the_fast_path_of_torchs_transformer_layers_is_off_while_tracing_only() -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    for inside in (True, False):
        torch.backends.mha.set_fastpath_enabled(inside)
        with _free_sizes():
            assert not torch.backends.mha.get_fastpath_enabled()
        assert torch.backends.mha.get_fastpath_enabled() == inside
    torch.backends.mha.set_fastpath_enabled(before)


def test_an_example_that_is_too_small_says_so() -> None:
    exported = small_task()
    for samples, name in (([few_samples()[-1]] * 2, "values.audio"), (few_samples()[:1], "values.hub")):
        with pytest.raises(ValueError, match=rf"fewer than 2 of '{name}', expected two samples or more"):
            export(exported, exported.builder(samples, empty=True))


def test_the_names_of_the_tensors_say_where_they_are_from() -> None:
    exported = task("graph")
    batch = exported.builder(few_samples(), empty=True)
    tensors = batch_tensors(batch)
    assert tensors["values.image"] is batch.values["image"]
    assert tensors["layout.audio.time"] is batch.layout["audio"].time
    assert "layout.text.time" not in tensors
    assert tensors["edges.transpose.dst"] is batch.edges.transpose.dst
    assert tensors["present"] is batch.present
