"""Who takes part, under which names, and who must agree with whom."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from layer_timing.block import Block, Problem
from layer_timing.dense import flex_attention, full_attention, sdpa_op
from layer_timing.ours import attention_op, gather, gatv2, relation_attention, sage
from layer_timing.projections import projections, projections_plain
from layer_timing.pyg import hgt, pyg_gatv2, pyg_hgt

Make = Callable[[Problem, str], Block]


@dataclass(frozen=True)
class Contender:
    """One row of the report.

    Args:
        name: in the report.
        impl: in the report, and handed to `make`.
        make: makes the block.
        group: the contenders that must agree; None where there is nothing to agree with.
        ours: must be as exact as the reference in the dtype that is timed; others are checked in float32, as what
            16-bit sums cost them is their own affair.
    """

    name: str
    impl: str
    make: Make
    group: str | None = None
    ours: bool = True


# What defines the right result of each group, as its implementation "reference".
REFERENCES: dict[str, Make] = {"RelationAttention": relation_attention, "HGT": hgt, "GATv2": gatv2, "SAGE": sage}
IMPLS = {
    "RelationAttention": ("auto", "reference", "numba", "dense", "triton"),
    "HGT": ("auto", "reference", "numba", "triton"),
    "GATv2": ("auto", "reference", "numba", "triton"),
    "SAGE": ("auto", "reference", "numba", "triton"),
}

CONTENDERS = (
    *(Contender(name, impl, REFERENCES[name], name) for name, impls in IMPLS.items() for impl in impls),
    Contender("pyg.HGTConv", "pyg", pyg_hgt, "HGT", ours=False),
    Contender("pyg.HeteroConv(GATv2Conv)", "pyg", pyg_gatv2, ours=False),
    Contender("gather", "torch", gather, "RelationAttention", ours=False),
    Contender("full_attention", "sdpa", full_attention, ours=False),
    Contender("flex_attention", "compiled", flex_attention, ours=False),
    Contender("projections", "TypedLinear", projections),
    Contender("projections_plain", "nn.Linear", projections_plain, ours=False),
)
# The operators without projections, for the figures on CUDA.
OPERATORS = (
    Contender("op.graph_attention", "auto", attention_op),
    Contender("op.sdpa", "sdpa", sdpa_op, ours=False),
)


def named(names: Sequence[str] | None, device: str) -> tuple[Contender, ...]:
    """The contenders of these names, for None all that are asked for on the device.

    Raises:
        ValueError: nobody has that name.
    """
    everybody = (*CONTENDERS, *OPERATORS)
    known = list(dict.fromkeys(contender.name for contender in everybody))
    for name in names or ():
        if name not in known:
            raise ValueError(f"found the name {name!r}, expected some of {', '.join(known)}")
    if names is None:
        return everybody if device == "cuda" else CONTENDERS
    return tuple(contender for contender in everybody if contender.name in names)
