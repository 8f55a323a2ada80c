"""What a program reaches by `import gnnfuse`, and what each command loads before it answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gnnfuse
from gnnfuse.edges import Complete
from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import Hub, TextTokens
from gnnfuse.tables import Columns
from gnnfuse.tasks import Classification
from gnnfuse.workflow import TableNote

ROOT = Path(__file__).parents[1]
# Each takes a fifth of the time of `import torch` or more: lightning brings torchmetrics, that torchvision, that sympy.
HEAVY = (
    *("torch", "lightning", "torchmetrics", "torchvision", "sympy", "scipy", "numba", "transformers", "datasets"),
    *("pandas", "matplotlib", "timm", "sklearn", "torch_geometric", "networkx", "triton", "huggingface_hub"),
)
# In this order, in one process: what the commands before have loaded is loaded.
MAY_LOAD: dict[str, set[str]] = {
    "names": set(),
    "from_pretrained": {"torch"},
    "doctor --quick": {"torch", "huggingface_hub"},  # whose constants name its folder; the rest of it is lazy
    "predict": {"torch", "huggingface_hub"},
    "embed": {"torch", "huggingface_hub"},
    "first line of fit": {"torch", "huggingface_hub"},
    "first line of bench": {"torch", "huggingface_hub"},
}
PROGRAM = f"""
import contextlib, io, json, sys
import gnnfuse
from gnnfuse.cli import main

class FirstLine(io.StringIO):
    def write(self, text):
        if text.strip():
            raise SystemExit
        return len(text)

def command(*words, out=io.StringIO):
    sys.argv = ["gnnfuse", *words]
    with contextlib.redirect_stdout(out()), contextlib.suppress(SystemExit):
        main()

def loaded(what):
    found[what] = [name for name in {HEAVY} if name in sys.modules]

found = {{}}
command("names")
loaded("names")
gnnfuse.from_pretrained("model")
loaded("from_pretrained")
command("doctor", "--quick")
loaded("doctor --quick")
command("predict", "model", "one.csv", "--out", "answers.csv")
loaded("predict")
command("embed", "model", "one.csv", "--out", "vectors.npy")
loaded("embed")
command("fit", "table.csv", "--out", "fitted", out=FirstLine)
loaded("first line of fit")
command("bench", "--out", "benched", out=FirstLine)
loaded("first line of bench")
print(json.dumps(found))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a model and tables."""
    builder = GraphBuilder([TextTokens(), Hub()], [Complete(dst="hub")], target=ClassTarget(("no", "yes")))
    model = GraphFusion(builder.node_types, builder.relations, dim=8, depth=1)
    gnnfuse.save_pretrained(Classification(model, builder), tmp_path / "model")
    TableNote(columns=Columns(text=("text",), target=("label",)), source="table").write(tmp_path / "model")
    (tmp_path / "one.csv").write_text("text\nyes it is\n")
    (tmp_path / "table.csv").write_text("text,size,label\n" + "yes it is,1.5,yes\nno it is not,2,no\n" * 20)
    return tmp_path


def test_commands_load_what_they_need_and_no_more(folder: Path) -> None:
    """One fresh process for all, as each takes twice the time of `import torch`: some 4 seconds."""
    words = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(words, cwd=folder, env=fresh(), capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert {name: sorted(set(loaded) - MAY_LOAD[name]) for name, loaded in found.items()} == {
        name: [] for name in MAY_LOAD
    }
    made = {path.name for path in folder.iterdir()}
    assert {"answers.csv", "vectors.npy"} <= made
    assert not made & {"fitted", "benched"}


def fresh() -> dict[str, str]:
    """An environment in which the package is found from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_every_folder_is_reached_without_being_imported_first() -> None:
    folders = sorted(path.parent.name for path in (ROOT / "gnnfuse").glob("*/__init__.py"))
    code = f"import gnnfuse as gf; print(*[getattr(gf, name).__name__ for name in {[*folders, 'catalog']}])"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=fresh(), capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"gnnfuse.{name}" for name in (*folders, "catalog")]


def test_dir_names_what_is_public_and_all_of_it_is_there() -> None:
    names = dir(gnnfuse)
    assert {"Task", "Prediction", "Objective", "Readout", "TargetEncoding", "fit", "testing", "ops"} <= set(names)
    assert [name for name in names if name.startswith("_")] == ["__version__"]
    assert all(hasattr(gnnfuse, name) for name in names)


def test_a_wrong_name_suggests_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AttributeError) as raised:
        gnnfuse.Windoww  # type: ignore[attr-defined]  # noqa: B018
    assert (raised.value.name, raised.value.obj) == ("Windoww", gnnfuse)
    sys.__excepthook__(AttributeError, raised.value, raised.value.__traceback__)
    shown = capsys.readouterr().err.splitlines()[-1]
    assert shown == "AttributeError: module 'gnnfuse' has no attribute 'Windoww'. Did you mean: 'Window'?"


def test_names_that_moved_are_refused_with_their_new_place() -> None:
    with pytest.raises(ImportError, match=r"from gnnfuse\.tables import open_table"):
        getattr(gnnfuse.data, "open_table")  # noqa: B009  # a type checker knows that it is not there
    with pytest.raises(ImportError, match=r"from gnnfuse\.reading import survey"):
        getattr(gnnfuse.train, "survey")  # noqa: B009
    with pytest.raises(AttributeError, match="no attribute 'opne_table'"):
        getattr(gnnfuse.data, "opne_table")  # noqa: B009
