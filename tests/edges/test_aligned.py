from fractions import Fraction
from typing import Any

import pytest
import torch

from gnnfuse.edges import Aligned, aligned
from gnnfuse.nodes import AudioFrames, Features, ImagePatches, NodeSet, TextTokens

MARGINS = (0.0, 0.0625, 0.25, 1.5)


def spans(*ends: tuple[float, float]) -> NodeSet:
    return NodeSet(torch.zeros(len(ends)), (len(ends),), time=torch.tensor(ends).float().reshape(-1, 2))


def random_spans(count: int, seed: int) -> NodeSet:
    """Ends on sixteenths of a second, exact in float32, so that spans touch and coincide."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randint(0, 32, (count,), generator=generator) / 16
    length = torch.randint(0, 8, (count,), generator=generator) / 16
    return NodeSet(torch.zeros(count), (count,), time=torch.stack([start, start + length], dim=1))


def overlap(src: tuple[float, float], dst: tuple[float, float], margin: float) -> bool:
    (a, b), (c, d) = src, dst
    if b < c:
        return margin > 0 and c - b <= margin
    if d < a:
        return margin > 0 and a - d <= margin
    shared = min(b, d) - max(a, c)
    inside = shared == 0 and (c < a == b < d or a < c == d < b)  # a moment within a span
    return shared > 0 or inside or (a, b) == (c, d) or margin > 0


def joined(rule: Aligned, src: NodeSet, dst: NodeSet) -> list[tuple[int, int]]:
    return list(zip(*rule.edges(src, dst).tolist(), strict=True))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("margin", MARGINS)
def test_spans_that_come_within_the_margin_are_joined(seed: int, margin: float) -> None:
    for num_src, num_dst in ((0, 3), (3, 0), (0, 0), (1, 1), (20, 13)):
        src, dst = random_spans(num_src, seed), random_spans(num_dst, seed + 100)
        assert src.time is not None
        assert dst.time is not None
        expected = [
            (s, d)
            for d, there in enumerate(dst.time.tolist())
            for s, here in enumerate(src.time.tolist())
            if overlap(tuple(here), tuple(there), margin)
        ]
        assert joined(Aligned(margin=margin), src, dst) == expected


def test_spans_that_touch_do_not_overlap_but_equal_moments_do() -> None:
    assert joined(Aligned(), spans((0, 1)), spans((1, 2))) == []
    assert joined(Aligned(), spans((1, 1)), spans((1, 1))) == [(0, 0)]
    assert joined(Aligned(), spans((1, 1)), spans((0, 2))) == [(0, 0)]
    assert joined(Aligned(), spans((1, 1)), spans((1, 2))) == []
    assert joined(Aligned(margin=0.5), spans((0, 1)), spans((1.5, 2))) == [(0, 0)]
    assert joined(Aligned(margin=0.5), spans((0, 1)), spans((1.75, 2))) == []


@pytest.mark.parametrize("offset", [1.7e9, -1.7e9, 1e6])
@pytest.mark.parametrize("margin", [0.0, 0.1, 0.3])
def test_times_with_an_offset_are_joined_as_without_it(offset: float, margin: float) -> None:
    def tenths(count: int, step: int, begin: float) -> NodeSet:
        start = torch.arange(0, count * step, step).double() / 10
        return NodeSet(torch.zeros(count), (count,), time=torch.stack([start, start], dim=1) + begin)

    expected = [(s, d) for d in range(12) for s in range(8) if abs(3 * s - 2 * d) <= round(10 * margin)]
    for begin in (0.0, offset):
        assert joined(Aligned(margin=margin), tenths(8, 3, begin), tenths(12, 2, begin)) == expected


def test_comparing_block_by_block_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    src, dst = random_spans(20, 0), random_spans(13, 1)
    at_once = Aligned().edges(src, dst)
    monkeypatch.setattr(aligned, "PAIRS_AT_ONCE", 50)
    assert torch.equal(Aligned().edges(src, dst), at_once)


@pytest.mark.parametrize("margin", ["0", "0.05", "0.1", "0.3", "1", "7.5"])
def test_overlapping_fractions_of_two_sequences_are_joined(margin: str) -> None:
    rule, slack = Aligned(by="order", margin=float(margin)), Fraction(margin)
    sizes = [(0, 0), (0, 3), (3, 0), (1, 1), (1, 6), (5, 5), (10, 3), (4, 30), (7, 11)]
    for num_src, num_dst in sizes:
        src, dst = NodeSet(torch.zeros(num_src), (num_src,)), NodeSet(torch.zeros(num_dst), (num_dst,))
        expected = [
            (s, d)
            for d in range(num_dst)
            for s in range(num_src)
            if Fraction(s, num_src) < Fraction(d + 1, num_dst) + slack
            and Fraction(s + 1, num_src) > Fraction(d, num_dst) - slack
        ]
        assert joined(rule, src, dst) == expected


def test_every_node_of_two_sequences_is_joined() -> None:
    for num_src in range(1, 12):
        for num_dst in range(1, 12):
            src, dst = NodeSet(torch.zeros(num_src), (num_src,)), NodeSet(torch.zeros(num_dst), (num_dst,))
            edges = Aligned(by="order").edges(src, dst)
            assert set(edges[0].tolist()) == set(range(num_src))
            assert set(edges[1].tolist()) == set(range(num_dst))


def test_it_joins_different_types_that_provide_what_it_aligns_by() -> None:
    text, audio, image = TextTokens(), AudioFrames(), ImagePatches()
    words = Features(signal="words", width=1, timed=True)
    assert Aligned().applies(audio, words)
    assert Aligned().applies(words, audio)
    assert not Aligned().applies(audio, audio)
    assert not Aligned().applies(audio, text)
    assert Aligned(by="order").applies(audio, text)
    assert not Aligned(by="order").applies(audio, words)
    assert not Aligned(by="order").applies(image, text)
    assert Aligned(src="audio").applies(audio, words)
    assert not Aligned(src="audio").applies(words, audio)
    assert not Aligned(dst=("text",)).applies(audio, words)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("arguments", [{"margin": -0.1}, {"margin": float("nan")}, {"by": "place"}])
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"margin must be at least 0, found|found by='place', expected 'time' or 'or"):
        Aligned(**arguments)
