"""Fitted models as `torch.export` programs: tensors in, numbers out, for batches of any size.

A program needs nothing of this library's Python but the custom operators of its kernels: `import gnnfuse.ops` where
it is loaded and run.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from gnnfuse.fusion import FusionModel
from gnnfuse.graph import GraphBatch
from gnnfuse.nodes import Layout
from gnnfuse.ops import Edges, Transpose
from gnnfuse.tasks import Task

LAYOUT = ("graph_id", "offsets", "shape", "position", "time", "dropped")
EDGES = ("offsets", "src", "relation", "transpose.offsets", "transpose.edge", "transpose.dst")
LOCK = threading.Lock()
PLACE = re.compile(r'File "(.+)", line (\d+), in .+\n\s*(.+)')  # of a traceback


def export(module: Task | FusionModel, batch: GraphBatch) -> ExportedProgram:
    """Trace a task or fusion model, in evaluation mode, into a program that runs on batches of any size.

    The program takes the result of `batch_tensors(batch)` as its only argument and returns the result of
    `module(batch)`: raw outputs of a task's head, vectors of a model. Numbers of graphs, nodes of each type and edges
    are free, including 0 nodes of a type or a single graph; node types and relations are those of `batch`. Use
    `torch.export.save` and `torch.export.load`. A program runs on the kind of device on which it was exported.

    Args:
        module: the module to export; its mode is restored afterwards.
        batch: an example, made by the module's builder, on the module's device; at least two samples, and each modality
            present in some of them.

    Raises:
        ValueError: an example too small to distinguish sizes, or a part that cannot be traced.

    Example:
        >>> from gnnfuse.fusion import Concat
        >>> from gnnfuse.graph import GraphBuilder
        >>> from gnnfuse.nodes import TextTokens
        >>> from gnnfuse.sample import Sample
        >>> builder = GraphBuilder([TextTokens()])
        >>> model = Concat(builder.node_types, dim=8, depth=1).eval()
        >>> batch, other = (builder([Sample({"text": text}) for text in texts]) for texts in (("a cat", "dog"), ("b",)))
        >>> program = export(model, batch)  # doctest: +SKIP
        >>> torch.allclose(program.module()(batch_tensors(other)), model(other))  # doctest: +SKIP
        True
    """
    _check_traceable(module)
    _check_example(batch)
    traced = _OfTensors(module, batch)
    tensors = {name: tensor.clone() for name, tensor in batch_tensors(batch).items()}  # a view's base has sizes too
    sizes = {name: {0: Dim.AUTO} for name in tensors}
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with _free_sizes(), torch.no_grad():
            return torch.export.export(traced, (tensors,), dynamic_shapes=(sizes,), strict=True)
    except Exception as error:  # errors of torch.export have no common base
        raise ValueError(
            f"{type(module).__name__} cannot be exported by torch {torch.__version__}: {_reason(error)}"
        ) from error
    finally:
        for part, mode in modes:
            part.training = mode


def batch_tensors(batch: GraphBatch) -> dict[str, Tensor]:
    """The tensors of a batch under plain names, as an exported program takes them.

    "values.<type>", "layout.<type>.<field>" as in `Layout`, "edges.<field>" as in `Edges`, "edges.weight"
    and "edges.features.<relation>" if edges carry them, and "present".

    Raises:
        ValueError: samples lost some of a type's nodes (`GraphBatch.keep`): programs support no places.

    Example:
        >>> from gnnfuse.graph import GraphBuilder
        >>> from gnnfuse.nodes import TextTokens
        >>> from gnnfuse.sample import Sample
        >>> list(batch_tensors(GraphBuilder([TextTokens()])([Sample({"text": "a"})])))[:3]
        ['values.text', 'layout.text.graph_id', 'layout.text.offsets']
    """
    found: dict[str, Tensor | None] = {f"values.{name}": tensor for name, tensor in batch.values.items()}
    for name, layout in batch.layout.items():
        if layout.place is not None:
            raise ValueError(
                f"node type {name!r}: found samples without some of its nodes, expected whole signals: exported "
                "programs number nodes by their order"
            )
        found |= {f"layout.{name}.{field}": getattr(layout, field) for field in LAYOUT}
    lists = (*batch.edges[:3], *batch.edges.transpose)
    found |= {f"edges.{field}": tensor for field, tensor in zip(EDGES, lists, strict=True)}
    found |= {"edges.weight": batch.edge_weight, "present": batch.present}
    found |= {f"edges.features.{relation}": features for relation, features in batch.edge_features.items()}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


class _OfTensors(nn.Module):
    """Wraps a module to take the tensors of a batch instead of the batch."""

    def __init__(self, module: nn.Module, batch: GraphBatch) -> None:
        super().__init__()
        self.module = module
        self.node_types = batch.node_types
        self.relations = batch.relations
        self.modalities = batch.modalities

    def forward(self, tensors: dict[str, Tensor]) -> Tensor:
        """The module's output for the batch."""
        layout = {
            name: Layout(**{field: tensors.get(f"layout.{name}.{field}") for field in LAYOUT})  # type: ignore[arg-type]
            for name in self.node_types
        }
        offsets, src, relation, *transpose = (tensors[f"edges.{field}"] for field in EDGES)
        out: Tensor = self.module(
            GraphBatch(
                values={name: tensors[f"values.{name}"] for name in self.node_types},
                layout=layout,
                edges=Edges(offsets, src, relation, Transpose(*transpose)),
                relations=self.relations,
                graph_id=torch.cat([layout[name].graph_id for name in self.node_types]),
                num_graphs=tensors["present"].shape[0],
                target=None,
                ids=(),
                modalities=self.modalities,
                present=tensors["present"],
                edge_weight=tensors.get("edges.weight"),
                edge_features={r: tensors[f"edges.features.{r}"] for r in self.relations if r.features},
            )
        )
        return out


@contextmanager
def _free_sizes() -> Iterator[None]:
    """Treat sizes 0 and 1 as ordinary, and fix attention's kernel whatever the sizes; one export at a time.

    The fast path of torch.nn's transformer layers, which torch.export cannot trace, is off meanwhile.
    """
    from torch.fx.experimental import _config
    from torch.nn.attention import SDPBackend, sdpa_kernel

    shapes: Any = _config  # its attributes are made when it is imported
    with (
        LOCK,
        shapes.patch(backed_size_oblivious=True),
        sdpa_kernel([SDPBackend.MATH]),  # other backends' checks depend on the number of graphs
    ):
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)


def _check_traceable(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if reason := getattr(part, "not_traceable", None):
            raise ValueError(f"{type(module).__name__} cannot be exported: its part {name!r} {reason}")


def _check_example(batch: GraphBatch) -> None:
    small = [
        name
        for name, tensor in batch_tensors(batch).items()
        if len(tensor) < 2 and (batch.relations or not name.startswith("edges."))
    ]
    if small:
        raise ValueError(
            f"the example has fewer than 2 of {small[0]!r}, expected two samples or more and 2 nodes or more of every "
            "type, so that sizes are not fixed to 0 or 1"
        )


def _reason(error: Exception) -> str:
    """Torch's error in one line: the operator and the line of the model's code, without advice and stack."""
    text, _, stack = str(error).partition("from user code:")
    detail = re.search(r"Developer debug context: (.+)", text)
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and "https://" not in line and not line.startswith("Developer debug")]
    reason = " ".join(line.removesuffix("Explanation:").strip() for line in lines[:3])[:600] or type(error).__name__
    foreign = (str(Path(torch.__file__).parent), __file__)
    places = [place for place in PLACE.findall(stack) if not place[0].startswith(foreign)]
    return f"{reason.strip()}{f' ({detail[1]})' if detail else ''}" + (
        "; at {}, line {}: {}".format(*places[-1]) if places else ""
    )
