"""Draw one sample's graph: this is how the README's picture was made.

python examples/draw_a_sample.py examples/images/sample_graph.png
"""

import sys
from pathlib import Path
from tempfile import gettempdir

import gnnfuse as gf
from gnnfuse.data import digits


def main(path: Path) -> None:
    sample = next(s for s in digits().valid if s.signals["text"] == "Count both numbers together.")
    builder = gf.GraphBuilder(
        [
            gf.ImagePatches(patch=2, channels=1),
            gf.AudioFrames(sample_rate=8000, hop=0.04),
            gf.TextTokens(),
            gf.Hub(),
        ],
        [
            gf.Grid(),
            gf.Window(size=1),
            gf.Complete(dst="hub", name="to_hub"),
            gf.Complete(src="hub", name="from_hub"),
        ],
    )
    gf.draw_sample(sample, builder).savefig(path, dpi=110)
    print(f"wrote {path}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(gettempdir()) / "sample_graph.png"))
