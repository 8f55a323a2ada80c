import ast
import doctest
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import gnnfuse

PACKAGE = Path(gnnfuse.__file__).parent
FILES = sorted(path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py"))
MODULES = [".".join(path.parts).removesuffix(".__init__") for path in FILES]
PACKAGES = [".".join(path.parts[:-1]) for path in FILES if path.name == "__init__"]
OPTIONAL = ("torch_scatter", "triton")  # an extra, and what only Linux has


def imported(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        pytest.skip(f"{module} needs {error.name}")


@pytest.mark.parametrize("module", MODULES)
def test_every_example_runs(module: str) -> None:
    found = imported(module)
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    for test in finder.find(found):
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


def test_every_module_says_what_it_is() -> None:
    assert [name for name in MODULES if not documented(name)] == []


def documented(module: str) -> bool:
    """Read from the source: nothing is imported for it."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return bool(ast.get_docstring(ast.parse(file.read_text())))


def test_every_public_class_function_and_method_says_what_it_is() -> None:
    assert [offender for package in PACKAGES for offender in undocumented(package)] == []


def undocumented(package: str) -> Iterator[str]:
    found = importlib.import_module(package)
    for name in getattr(found, "__all__", ()):
        thing = getattr(found, name)
        if not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue
        if not thing.__doc__ or thing.__doc__.startswith(f"{name}("):  # a dataclass's own docstring
            yield f"{package}.{name}"
        methods = vars(thing) if inspect.isclass(thing) else {}
        for method, function in methods.items():
            if inspect.isfunction(function) and not method.startswith("_") and not inspect.getdoc(function):
                yield f"{package}.{name}.{method}"


def test_a_stage_lists_what_it_imports_and_nothing_else() -> None:
    for package in PACKAGES:
        found = importlib.import_module(package)
        listed = list(getattr(found, "__all__", ()))
        assert listed == sorted(listed), package
        assert [name for name in listed if not hasattr(found, name)] == [], package
