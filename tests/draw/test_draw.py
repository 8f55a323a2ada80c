import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import Tensor

from gnnfuse.draw import Box, Canvas, Drawer, Drawn, View, draw_sample
from gnnfuse.draw.drawer import Facing
from gnnfuse.draw.palette import looks
from gnnfuse.edges import Aligned, Complete, Grid, Nearest, Relation, Window
from gnnfuse.graph import GraphBuilder
from gnnfuse.graph.assemble import list_edges
from gnnfuse.nodes import AudioFrames, Features, Hub, ImagePatches, Layout, NodeEncoder, NodeSet, NodeType, TextTokens
from gnnfuse.sample import Audio, Sample

TYPES = (
    ImagePatches(patch=24),
    AudioFrames(sample_rate=8000, hop=0.1),
    TextTokens(),
    Features(signal="pose", width=3, coordinates=2),
    Hub(),
)
RULES = (
    Grid(),
    Window(size=1),
    Complete(dst="hub"),
    Complete(src="hub", name="from_hub"),
    Aligned(by="order"),
    Nearest(k=2, by="features"),
)


class Encoder(NodeEncoder):
    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        return values


class Atoms(NodeType):
    name = "atoms"
    signal = "atoms"
    provides = frozenset({"position", "grid"})

    def empty(self) -> NodeSet:
        return NodeSet(torch.zeros(0, 2), (0, 0, 0), torch.zeros(0, 3))

    def nodes(self, sample: Sample) -> NodeSet | None:
        count = sample.signals.get("atoms")
        if not isinstance(count, int):
            return None
        return NodeSet(torch.zeros(count, 2), (count, 1, 1), torch.rand(count, 3))

    def encoder(self, dim: int) -> NodeEncoder:
        return Encoder()


def some_sample(*, side: int = 96) -> Sample:
    generator = torch.Generator().manual_seed(0)
    signals: dict[str, object] = {
        "image": torch.rand(3, side, side, generator=generator),
        "audio": Audio(torch.rand(5000, generator=generator) - 0.5, 8000),
        "text": "a naïve cat costs $5 or $6",
        "pose": np.array([[1.0, -2.0, 0.5], [0.0, 1.0, 1.0], [2.0, 0.0, 0.0]]),
    }
    signals["pose"] = {"values": signals["pose"], "position": np.zeros((3, 2))}
    return Sample(signals, target="cat", id="row 7")


def without(sample: Sample, *names: str) -> Sample:
    return replace(sample, signals={name: signal for name, signal in sample.signals.items() if name not in names})


def words(figure: Figure) -> list[str]:
    found = figure.findobj(lambda artist: isinstance(artist, Text))
    return [artist.get_text() for artist in found if isinstance(artist, Text)]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    return file.getvalue()


def test_the_legend_names_every_relation_with_its_edges() -> None:
    builder = GraphBuilder(TYPES, RULES)
    edges = list_edges(builder([replace(some_sample(), target=None)]))
    found = legend(draw_sample(some_sample(), builder, max_edges=10_000))
    expected = {f"{r.src} → {r.dst} · {r.rule} · {pairs.shape[1]} edges" for r, (pairs, *_) in edges.items()}
    assert len(found) == len(builder.relations)
    assert set(found) == expected


def test_as_many_curves_as_the_legend_says() -> None:
    builder = GraphBuilder(TYPES, RULES)
    figure = draw_sample(some_sample(), builder, max_edges=20)
    edges = list_edges(builder([some_sample()]))
    expected = sorted(min(20, pairs.shape[1]) for pairs, *_ in edges.values() if pairs.shape[1])
    curves = [c for axes in figure.axes for c in axes.collections if type(c).__name__ == "PathCollection"]
    drawn = sorted(len(c.get_paths()) for c in curves if not len(c.get_sizes()))  # type: ignore[attr-defined]
    assert drawn == sorted(2 * expected)  # each once in white below, once in its colour


def test_a_choice_of_edges_says_so() -> None:
    found = legend(draw_sample(some_sample(), GraphBuilder(TYPES, RULES), max_edges=10))
    assert "image → image · grid · 10 of 84 shown" in found


@pytest.mark.parametrize("chosen", ["audio-aligned-text", Relation("audio", "aligned", "text")])
def test_relations_can_be_chosen(chosen: str | Relation) -> None:
    builder = GraphBuilder(TYPES, RULES)
    assert [entry.split(" · ")[:2] for entry in legend(draw_sample(some_sample(), builder, relations=[chosen]))] == [
        ["audio → text", "aligned"]
    ]
    assert len(legend(draw_sample(some_sample(), builder, relations=["grid", chosen]))) == 2
    with pytest.raises(ValueError, match="unknown relation 'gird', expected some of: audio-aligned-text"):
        draw_sample(some_sample(), builder, relations=["gird"])


def test_a_missing_signal_says_so() -> None:
    builder = GraphBuilder([*TYPES, Hub(name="image_hub", of="image")], RULES)
    found = words(draw_sample(without(some_sample(), "audio", "image"), builder))
    assert {"no audio", "no image", "no image_hub"} <= set(found)
    assert "no text" not in found
    alone = words(draw_sample(Sample({"text": ""}), builder))
    assert "text without nodes" in alone


def test_title_tokens_and_sizes_can_be_read() -> None:
    found = words(draw_sample(some_sample(), GraphBuilder(TYPES, RULES)))
    assert "sample row 7   target: cat" in found
    assert {"ï", "$", "\N{OPEN BOX}", "image", "audio", "text", "pose", "hub"} <= set(found)
    assert any(note.startswith("16 nodes (4 × 4)") for note in found)  # noqa: RUF001  # as drawn


@pytest.mark.parametrize(("rate", "top"), [(8000, "4"), (44100, "22.05")])
def test_a_spectrogram_ends_where_the_recording_that_is_read_does(rate: int, top: str) -> None:
    noise = torch.rand(rate // 4, generator=torch.Generator().manual_seed(0)) - 0.5
    builder = GraphBuilder([AudioFrames(sample_rate=rate, hop=0.05)], [Window(size=1)])
    notes = words(draw_sample(Sample({"audio": (noise, rate)}), builder))
    assert any(note.endswith(f"0.25 s · 0-{top} kHz") for note in notes), notes


def test_text_is_never_read_as_a_formula() -> None:
    sample = Sample({"text": "$\\frac{$"}, target="$x_{$", id="$\\bad$")
    assert png(draw_sample(sample, GraphBuilder([TextTokens()], [Window()])))


@pytest.mark.parametrize(
    ("node_types", "signals"),
    [
        ([ImagePatches(patch=2, channels=1)], {"image": torch.rand(8, 8)}),
        ([ImagePatches(patch=24, stride=12)], {"image": torch.rand(3, 70, 50)}),
        ([ImagePatches(patch=8, max_nodes=20)], {"image": torch.rand(3, 90, 50)}),
        ([ImagePatches(patch=8, dtype="uint8")], {"image": torch.rand(3, 20, 30)}),
        ([ImagePatches(patch=8, channels=5)], {"image": torch.rand(5, 16, 16)}),
        ([AudioFrames(signal="left"), AudioFrames(signal="right")], {"left": (torch.rand(900), 8000)}),
        ([TextTokens(max_nodes=4, overflow="pool")], {"text": "abcdefgh"}),
        ([TextTokens()], {"text": "日本 \x07\n" + "word " * 60}),
        ([TextTokens(max_nodes=4)], {"text": "日本"}),
        ([Atoms(), Hub(count=3)], {"atoms": 40}),
        ([Features(signal="row", width=2, timed=True)], {"row": {"values": [[0.0, 0.0]], "time": [1.0]}}),
        ([Hub()], {}),
    ],
)
@pytest.mark.filterwarnings("ignore:node type")
@pytest.mark.filterwarnings("error:Glyph")
def test_every_kind_of_node_is_drawn(node_types: list[NodeType], signals: dict[str, object]) -> None:
    figure = draw_sample(Sample(signals), GraphBuilder([*node_types, TextTokens(signal="other")], [Complete()]))
    assert png(figure)
    assert {node_type.name for node_type in node_types if node_type.signal in signals} <= set(words(figure))


def test_a_drawer_of_ones_own() -> None:
    class Crosses(Drawer):
        def accepts(self, view: View) -> bool:
            return view.node_type.name == "atoms"

        def height(self, view: View, width: float) -> float:
            return 1.0

        def draw(self, canvas: Canvas, view: View, box: Box, facing: Facing) -> Drawn:
            canvas.text(box.left, box.top, "crosses")
            return Drawn(np.array([[box.left, box.bottom]] * view.nodes.num_nodes))

    builder = GraphBuilder([Atoms(), Hub()], [Complete(dst="hub")])
    assert "crosses" in words(draw_sample(Sample({"atoms": 2}), builder, drawers=[Crosses()]))


def test_relations_between_two_types_differ_in_dashes() -> None:
    styles = looks(GraphBuilder(TYPES, RULES).relations)
    for one in styles:
        for other in styles:
            if one != other and {one.src, one.dst} == {other.src, other.dst}:
                assert styles[one][1] != styles[other][1], (one, other)


def test_the_same_sample_gives_the_same_picture() -> None:
    builder = GraphBuilder(TYPES, RULES)
    with ThreadPoolExecutor(2) as pool:
        pictures = list(pool.map(lambda _: png(draw_sample(some_sample(), builder)), range(4)))
    assert len(set(pictures)) == 1


def test_nothing_global_changes() -> None:
    before = dict(matplotlib.rcParams)
    draw_sample(some_sample(), GraphBuilder(TYPES, RULES))
    assert dict(matplotlib.rcParams) == before


def test_neither_pyplot_nor_the_top_level_is_loaded() -> None:
    code = (
        "import sys, gnnfuse.graph\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from gnnfuse import draw, edges, graph, nodes, sample\n"
        "builder = graph.GraphBuilder([nodes.TextTokens()], [edges.Window()])\n"
        "draw.draw_sample(sample.Sample({'text': 'ab'}), builder).savefig('/dev/null', format='png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_fewer_than_no_edges() -> None:
    builder = GraphBuilder(TYPES, RULES)
    assert "image → image · grid · 0 of 84 shown" in legend(draw_sample(some_sample(), builder, max_edges=0))
    with pytest.raises(ValueError, match="max_edges must be at least 0, found -1"):
        draw_sample(some_sample(), builder, max_edges=-1)
