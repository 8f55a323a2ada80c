"""Recordings: a spectrogram with a node under every frame."""

import torch
from torch import Tensor

from gnnfuse.draw.canvas import Box, Canvas
from gnnfuse.draw.drawer import Drawer, Drawn, Facing, View
from gnnfuse.draw.palette import FILL
from gnnfuse.draw.strip import draw_frame, draw_nodes, far_title, inner, node_line
from gnnfuse.sample import SignalError, read_audio

RATE = 16000  # Hz, for node types without a `sample_rate`
WINDOW, HOP = 0.032, 0.005  # seconds
RANGE, AUDIBLE = (
    70.0,
    55.0,
)  # decibels below the loudest: limit of what is drawn; limit of what counts as sound when the axis is chosen


class Spectrogram(Drawer):
    """Draws nodes with times, of a signal that is a recording, at the `sample_rate` that the node type reads."""

    def accepts(self, view: View) -> bool:
        """Whether the nodes have times, and the signal can be read as a recording."""
        return "time" in view.node_type.provides and _waveform(view) is not None

    def height(self, view: View, width: float) -> float:
        """A fixed height."""
        return 1.75

    def draw(self, canvas: Canvas, view: View, box: Box, facing: Facing) -> Drawn:
        """Power in decibels over time and frequency, up to the highest frequency with sound."""
        waveform, time, rate = _waveform(view), view.nodes.time, _rate(view)
        assert waveform is not None
        assert time is not None
        power, top = _decibels(waveform, rate)
        seconds = len(waveform) / rate
        end = max(seconds, float(time[:, 1].max()))
        picture = inner(box, facing)
        axes = canvas.axes(picture)
        axes.imshow(
            power.numpy(), origin="lower", aspect="auto", extent=(0, seconds, 0, top), cmap="magma", vmin=-RANGE, vmax=0
        )
        axes.axvspan(seconds, end, color=FILL, linewidth=0)  # the last frame's silence
        axes.set_xlim(0, end)
        edges = time[:, 0].tolist()
        if len(edges) <= 200:
            axes.vlines([start for start in edges if start > 0], 0, top, colors="white", linewidth=0.5, alpha=0.35)
        far_title(canvas, view, box, facing, note=f"{seconds:.2f} s · 0-{top / 1000:g} kHz")
        centers = picture.left + time.mean(dim=1).double().numpy() / end * picture.width
        draw_frame(canvas, picture)
        return draw_nodes(canvas, centers, picture, facing, node_line(box, facing))


def _rate(view: View) -> int:
    return int(getattr(view.node_type, "sample_rate", RATE))


def _waveform(view: View) -> Tensor | None:
    signal = view.node_type.signal
    if signal is None:
        return None
    try:
        return read_audio(view.sample, signal, sample_rate=_rate(view))
    except SignalError:
        return None  # another kind of signal, for another drawer


def _decibels(waveform: Tensor, rate: int) -> tuple[Tensor, float]:
    """Power `[frequencies, times]` in decibels below the loudest, and the highest frequency in hertz."""
    size, hop = max(16, round(WINDOW * rate)), max(1, round(HOP * rate))
    padded = torch.nn.functional.pad(waveform, (size // 2, size // 2))
    spectrum = torch.stft(padded, size, hop, window=torch.hann_window(size), center=False, return_complex=True)
    power = spectrum.abs().square()
    decibels = 10 * (power / power.max().clamp(min=1e-12)).clamp(min=1e-12).log10()
    heard = (decibels.amax(dim=1) > -AUDIBLE).nonzero()
    hertz = (int(heard.max()) + 1) * rate / size if len(heard) else rate / 2
    top = min(rate / 2, max(1000.0, -(-hertz // 500) * 500.0))
    return decibels[: int(top / rate * size) + 1], top
