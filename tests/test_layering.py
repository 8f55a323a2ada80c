"""Which stage may use which: imports point from later stages to earlier ones, and the early stages stay light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "gnnfuse"
FILES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}

SAVED = ("saveable", "model_card")
UP_TO_DATA = (
    *SAVED,
    "sample",
    "nodes",
    "edges",
    "graph",
    "ops",
    "message_passing",
    "readout",
    "fusion",
    "tasks",
    "data",
    "tables",
)
UP_TO_READING = (*UP_TO_DATA, "saving", "draw", "devices", "busy_cores", "reading")
UP_TO_TRAIN = (*UP_TO_READING, "train")
# Folder or file -> what it may import from gnnfuse, besides itself and the catalogue. A folder within a folder has its
# own line where it may do more.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "catalog": (),
    "model_card": (),
    "moved": (),
    "fit_defaults": (),
    "threads": (),
    "devices": (),
    "busy_cores": ("ops", "threads"),
    "progress_output": (),
    "saveable": ("model_card",),  # reaches saving through catalog.later, when a method is called
    "sample": (),
    "ops": (),
    "nodes": ("sample", "ops"),
    "edges": ("sample", "nodes"),
    "graph": ("sample", "nodes", "edges", "ops"),
    "message_passing": ("ops", "graph"),
    "readout": ("ops", "graph"),
    "fusion": ("saveable", "nodes", "graph", "readout", "ops"),
    "fusion.graph": ("nodes", "graph", "readout", "ops", "message_passing", "fusion"),
    "tasks": (
        "saveable",
        "sample",
        "graph",
        "ops",
        "readout.fused",
        "fusion.fusion_model",
    ),  # a task predicts for single samples too
    "data": ("sample", "moved"),
    "tables": ("sample", "data", "fit_defaults"),
    "saving": UP_TO_DATA,
    "draw": UP_TO_DATA,
    "reading": (*UP_TO_READING, "threads"),
    "train": (*UP_TO_TRAIN, "threads", "moved"),
    "diagnosis": ("ops", "tables.arrow_cache", "threads"),
    "explain": UP_TO_TRAIN,
    "testing": UP_TO_TRAIN,
    "workflow": (*UP_TO_TRAIN, "model_card", "fit_defaults", "progress_output"),
    "bench": (*UP_TO_TRAIN, "explain", "testing", "workflow", "progress_output"),
    "cli": (
        *UP_TO_TRAIN,
        "explain",
        "testing",
        "workflow",
        "bench",
        "diagnosis",
        "fit_defaults",
        "progress_output",
        "threads",
    ),
}
LIGHT_STAGES = (
    *("catalog", *SAVED, "sample", "nodes", "edges", "graph", "ops", "message_passing", "readout", "fusion", "tasks"),
)
LIGHT = {"torch", "numpy", "jaxtyping", "gnnfuse"}
HEAVY = (
    "numba",
    "llvmlite",
    "triton",
    "torchvision",
    "torchaudio",
    "torch_geometric",
    "lightning",
    "transformers",
    "matplotlib",
    "sklearn",
    "datasets",
    "PIL",
    "soundfile",
)


def dotted(file: str) -> str:
    return file.removesuffix(".py").removesuffix("__init__").strip("/").replace("/", ".")


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that a file imports, anywhere; from a package the name too, as it may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "gnnfuse":
            yield f"gnnfuse.{node.attr}"  # what the package's own lazy attributes resolve to


def within(module: str, folder: str) -> bool:
    return f"{module}.".startswith(f"{folder}.")


def test_a_stage_imports_earlier_stages_only() -> None:
    offenders = []
    for file in FILES:
        here = dotted(file)
        if not here:
            continue
        line = max((folder for folder in MAY_IMPORT if within(here, folder)), key=len, default=None)
        assert line is not None, f"{file} belongs to no stage in MAY_IMPORT"
        allowed = (*MAY_IMPORT[line], line, "catalog", "__version__")
        for module in imports(FILES[file]):
            target = module.removeprefix("gnnfuse").strip(".")
            if within(module, "gnnfuse") and target and not any(within(target, folder) for folder in allowed):
                offenders.append(f"{file} imports {module}, allowed: {allowed}")
    assert offenders == []


def test_imports_are_absolute() -> None:
    relative = [
        f"{file}:{node.lineno}"
        for file, tree in FILES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_models_that_are_no_graph_models_see_no_edges() -> None:
    offenders = []
    for file, tree in FILES.items():
        if not file.startswith(("fusion/attention", "fusion/classical")):
            continue
        seen = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "edges"]
        offenders += [f"{file}:{line} reads .edges" for line in seen]
        hidden = ("gnnfuse.edges", "gnnfuse.message_passing")
        found = [module for module in imports(tree) if any(within(module, stage) for stage in hidden)]
        offenders += [f"{file} imports {module}" for module in found]
    assert offenders == []


def top_level_imports(tree: ast.Module) -> Iterator[str]:
    """What importing the file imports: not inside functions, and not for the type checker only."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending += node.orelse
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)
        pending += ast.iter_child_nodes(node)


def test_early_stages_import_torch_numpy_and_jaxtyping_only() -> None:
    offenders = []
    for file, tree in FILES.items():
        stage, name = dotted(file).split(".")[0], Path(file).stem
        if stage not in LIGHT_STAGES:
            continue
        for module in top_level_imports(tree):
            root = module.split(".")[0]
            root = "numba" if root == "llvmlite" else root  # numba's own lower half
            own = stage == "ops" and name.startswith(root)  # ops/attention/numba.py is imported only when it runs
            own = own or (file == "tasks/metrics.py" and root == "torchmetrics")  # imported only by Task.metrics
            if not (root in LIGHT or root in sys.stdlib_module_names or own):
                offenders.append(f"{file} imports {module}")
    assert offenders == []


def test_importing_the_package_and_its_early_stages_costs_what_torch_costs() -> None:
    stages = [f"gnnfuse.{stage}" for stage in LIGHT_STAGES]
    lines = ["import sys", "import torch", "before = set(sys.modules)", "import gnnfuse"]
    lines += [f"import {stage}" for stage in stages]
    lines += [f"print(*[name for name in {HEAVY} if name in sys.modules and name not in before])"]
    found = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []


def test_importing_the_package_imports_no_stage() -> None:
    code = "import sys, gnnfuse; print(*[name for name in sys.modules if name.startswith('gnnfuse.')])"
    found = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
