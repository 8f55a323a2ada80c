"""Rows of two modalities of numbers, some of them missing, with targets that depend on both."""

from functools import cache

import torch

from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NumberTarget, TargetEncoding
from gnnfuse.nodes import Features
from gnnfuse.sample import Sample
from gnnfuse.train import prepare
from gnnfuse.workflow.members.pooled_rows import PooledRows

ROWS, WIDE = 120, 40
CLASSES = ("cat", "dog", "owl")
TARGETS: dict[str, TargetEncoding] = {
    "class": ClassTarget(CLASSES),
    "labels": MultiLabelTarget(("red", "round")),
    "numbers": NumberTarget(2, mean=(1.0, 2.0), scale=(3.0, 4.0)),
}


@cache
def samples(kind: str) -> tuple[Sample, ...]:
    """Every tenth row lacks "wide", every seventh "few"."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(3, WIDE, generator=generator)
    found = []
    for row in range(ROWS):
        hidden = torch.randn(3, generator=generator)
        wide = hidden @ mixing + 0.3 * torch.randn(WIDE, generator=generator)
        few = hidden[:2] + 0.3 * torch.randn(2, generator=generator)
        signals = {"wide": wide if row % 10 else None, "few": few if row % 7 else None}
        targets = {
            "class": CLASSES[int(hidden.argmax())],
            "labels": [name for name, here in zip(("red", "round"), hidden > 0, strict=False) if here],
            "numbers": (hidden[:2] * 3 + 1).tolist(),
        }
        held = {name: signal for name, signal in signals.items() if signal is not None}
        found.append(Sample(held or {"wide": wide}, targets[kind], str(row)))
    return tuple(found)


def builder(kind: str) -> GraphBuilder:
    widths = {"wide": WIDE, "few": 2}
    node_types = [Features(signal=name, width=width, standardise=False) for name, width in widths.items()]
    return GraphBuilder(node_types, target=TARGETS[kind])


@cache
def pooled(kind: str) -> PooledRows:
    made = builder(kind)
    return PooledRows.of(made, prepare(made, samples(kind)))
