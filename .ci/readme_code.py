"""Run the Python blocks of the README, each by itself, as a reader would paste them."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"

blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)
if not blocks:
    raise SystemExit("README.md has no Python block")
for number, block in enumerate(blocks, start=1):
    print(f"block {number} of {len(blocks)}")
    exec(compile(block, f"README.md, block {number}", "exec"), {"__name__": "__main__"})
