import doctest
import importlib
import inspect
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


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module: str) -> None:
    assert imported(module).__doc__


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_class_function_and_method_says_what_it_is(package: str) -> None:
    found = imported(package)
    for name in getattr(found, "__all__", ()):
        thing = getattr(found, name)
        if not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue
        assert thing.__doc__, f"{package}.{name}"
        assert not thing.__doc__.startswith(f"{name}("), f"{package}.{name} has a dataclass's own docstring only"
        methods = vars(thing) if inspect.isclass(thing) else {}
        for method, function in methods.items():
            if inspect.isfunction(function) and not method.startswith("_"):
                assert inspect.getdoc(getattr(thing, method)), f"{package}.{name}.{method}"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_stage_lists_what_it_imports_and_nothing_else(package: str) -> None:
    found = imported(package)
    if package == "gnnfuse":
        return
    listed = list(getattr(found, "__all__", ()))
    assert listed == sorted(listed)
    assert all(hasattr(found, name) for name in listed)
