"""The documents: their code runs, their commands and links exist."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from gnnfuse.cli.commands import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted(
    {*ROOT.glob("*.md"), *(page for top in ("docs", "benchmarks", "gnnfuse") for page in ROOT.glob(f"{top}/**/*.md"))}
)
FOR_USERS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_code_runs(tmp_path: Path) -> None:  # seconds: one process trains four tiny models and imports it all
    finished = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "documents_code.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_readme_is_short() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    assert sum(bool(line.strip()) for line in block.splitlines()) <= 15
    assert len(README.splitlines()) <= 130


def test_ci_runs_the_readmes_test_command() -> None:
    commands = re.findall(r"^pip install uv && (.*)$", README, flags=re.MULTILINE)
    assert len(commands) == 2
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert any(line.startswith(f"pip install uv && {commands[1]}") for line in lines)


def commands_in(page: str) -> Iterator[tuple[str | None, list[str]]]:
    """The command (None for options by themselves) and the options of every code span or bash line of gnnfuse."""
    bash = "".join(re.findall(r"^```bash\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^(?:pip install uv && uv run .*)?(gnnfuse .*)$", bash, flags=re.MULTILINE)
    spans = re.findall(r"(?<!`)`((?:gnnfuse\s|--)[^`]*)`", page)
    for words in (text.split() for text in lines + spans):
        command = words[1] if words[0] == "gnnfuse" and not words[1].startswith("-") else None
        yield command, [word for word in words if re.fullmatch(r"--[a-z-]+", word)]


def test_commands_and_options_exist() -> None:
    group = typer.main.get_command(app)
    commands = getattr(group, "commands")  # noqa: B009  # typed as a command, which has none
    known = {
        name: {word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)}
        for name, command in commands.items()
    }
    known[None] = set().union(*known.values())
    found = 0
    for page in FOR_USERS:
        for command, options in commands_in(page.read_text()):
            assert command in known, f"{page.name}: gnnfuse {command}"
            assert {*options} <= known[command] | {"--help"}, f"{page.name}: {command} {options}"
            found += len(options)
    assert found > 30


def anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_into_the_repository_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            if "://" in link:
                continue
            place, _, anchor = re.sub(r"\s", "", link).partition("#")
            target = page.parent / place if place else page
            assert target.exists(), f"{page}: {link}"
            assert not anchor or anchor in anchors(target.read_text()), f"{page}: {link}"


def test_paths_of_tests_and_files_in_contributing_exist() -> None:
    words = re.findall(
        r"\b((?:tests|gnnfuse|examples|benchmarks)/[\w/.]*\w)(?!\w*[<*])", (ROOT / "CONTRIBUTING.md").read_text()
    )
    missing = {word for word in words if "format_N" not in word and not (ROOT / word).exists()}
    assert missing == set()
