"""Run the Python blocks of the documents, each by itself, as a reader would paste them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted(ROOT.glob("docs/**/*.md"))]

blocks = {}
for page in PAGES:
    found = re.findall(r"^```python\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    blocks |= {f"{page.relative_to(ROOT)}, block {number}": block for number, block in enumerate(found, start=1)}
if not any(name.startswith("README.md") for name in blocks):
    raise SystemExit("README.md has no Python block")
for name, block in blocks.items():
    print(name, flush=True)
    exec(compile(block, name, "exec"), {"__name__": "__main__"})
