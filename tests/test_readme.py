import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_code_runs_and_is_short() -> None:
    finished = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "readme_code.py")], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    (block,) = re.findall(r"^```python\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    assert sum(bool(line.strip()) for line in block.splitlines()) <= 15


def test_ci_runs_the_readmes_test_command() -> None:
    commands = re.findall(r"^pip install uv && (.*)$", README, flags=re.MULTILINE)
    assert len(commands) == 2
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert any(line.startswith(f"pip install uv && {commands[1]}") for line in lines)


def test_links_into_the_repository_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("gnnfuse/**/README.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page}: {link}"
