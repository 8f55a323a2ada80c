"""The fourth step from a table to a fitted task: samples, as graphs if they are the same in every epoch."""

from collections.abc import Mapping

from gnnfuse.reading import UsableSamples, UsableStream
from gnnfuse.train import Samples, prepare
from gnnfuse.train.graphs import graph_bytes
from gnnfuse.workflow.table_plan import TablePlan

GIB = 2**30
IN_MEMORY = 2 * GIB  # memory of a machine for prepared graphs


def training_samples(plan: TablePlan) -> tuple[Samples, Samples]:
    """Training and validation samples; as graphs if they need not be read again in each epoch.

    Raises:
        ValueError: there are no usable validation rows.
    """
    train, valid = plan.rows.samples["train"], plan.rows.samples["valid"]
    if not plan.rows.sizes["valid"]:
        raise ValueError(f"table {plan.request.table.name}: found no usable validation rows, expected at least one")
    if isinstance(train, UsableStream) or isinstance(valid, UsableStream):
        return train, valid
    anew = plan.augments and bool(plan.changing)  # dropping whole signals works on prepared graphs too
    once = {"valid": valid} if anew else {"valid": valid, "train": train}
    kept = _kept(plan, once)
    with plan.request.observer.begins("building graphs", sum(map(len, kept.values()))) as advance:
        graphs = {split: prepare(plan.task.builder, samples, advance=advance) for split, samples in kept.items()}
    return graphs.get("train", train), graphs.get("valid", valid)


def _kept(plan: TablePlan, samples: Mapping[str, UsableSamples]) -> dict[str, UsableSamples]:
    """The splits, among those that need not be read again, whose graphs fit in memory."""
    left, kept = IN_MEMORY / plan.request.config.devices, {}
    for split, found in samples.items():
        size = graph_bytes(plan.task.builder, found)
        if size <= left:
            left, kept[split] = left - size, found
        else:
            plan.request.observer.says(
                f"{split} rows are read in every epoch: their graphs would take about {size / GIB:,.1f} GiB of "
                f"memory, and each process may use {left / GIB:,.1f} GiB for them"
            )
    return kept
