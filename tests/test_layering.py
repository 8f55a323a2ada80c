"""Which stage may use which: imports point from later stages to earlier ones, and the early stages stay light."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gnnfuse"
FILES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def read_table(page: str) -> dict[str, tuple[str, ...]]:
    """The last table of ARCHITECTURE.md: folder or file -> what it may import; "a to b" is every row from a to b."""
    rows = re.findall(r"^\| `([\w.]+)` \| (.+) \|$", page.partition("\n## Imports\n")[2], flags=re.MULTILINE)
    order = [row for row, _ in rows]
    assert len(set(order)) == len(order), f"ARCHITECTURE.md has two rows of one name: {order}"
    found: dict[str, tuple[str, ...]] = {}
    for row, cell in rows:
        named: list[str] = []
        for first, last in re.findall(r"`([\w.]+)`(?: to `([\w.]+)`)?", cell):
            named += order[order.index(first) : order.index(last) + 1] if last else [first]
        assert named or cell == "nothing", f"row {row} of ARCHITECTURE.md: found {cell!r}, expected names or nothing"
        found[row] = tuple(named)
    return found


MAY_IMPORT = read_table((ROOT / "ARCHITECTURE.md").read_text())
LIGHT_STAGES = (
    *(
        "catalog",
        "saveable",
        "model_card",
        "sample",
        "nodes",
        "edges",
        "graph",
        "ops",
        "message_passing",
        "readout",
        "fusion",
        "tasks",
    ),
)
LIGHT = {"torch", "numpy", "jaxtyping", "gnnfuse"}
HEAVY = (
    "numba",
    "llvmlite",
    "triton",
    "timm",
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
        assert line is not None, f"{file} has no row in ARCHITECTURE.md"
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
