"""The mean of every node's neighbours along each relation, mapped per relation and summed over relations."""

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.graph import GraphBatch
from gnnfuse.message_passing.edge_terms import EdgeTerms
from gnnfuse.ops import neighbor_sum, relation_matmul
from gnnfuse.ops.neighbor_sum.neighbor_sum import Impl


def relation_mean(
    states: Float[Tensor, "nodes in_dim"],
    weight: Float[Tensor, "relations in_dim out_dim"],
    batch: GraphBatch,
    edge_terms: EdgeTerms,
    *,
    impl: Impl = "auto",
) -> Float[Tensor, "nodes out_dim"]:
    r"""The neighbours' contribution in SAGE and RGCN, over all relations together.

    $$ o_i = \sum_r \frac{1}{|N_r(i)|} \sum_{j \in N_r(i)} w_{ij} (x_j W_r + F_r f_{ij}) $$

    with the weights w and features f of the edges, where they have any; the mean divides by the number of edges.

    The states are projected first, one row per (relation, source), and read in one sum over all relations with weight
    1 / |N_r(i)| per edge. Aggregating first would take as many products if types have equal size, and one pass over the
    edges into a row per (relation, destination). A node without edges gets zeros.

    Args:
        states: `[nodes, in_dim]`.
        weight: `[relations, in_dim, out_dim]`, in the batch's order of relations.
        batch: provides the edges.
        edge_terms: maps the edges' features.
        impl: which `neighbor_sum` to use.

    Raises:
        ValueError: from the operators, for shapes that do not fit.

    Example:
        >>> from gnnfuse.testing import example_builder, random_samples
        >>> batch = example_builder()(random_samples(torch.Generator().manual_seed(0)), empty=True)
        >>> weight = torch.zeros(len(batch.relations), 4, 6)
        >>> relation_mean(torch.zeros(batch.num_nodes, 4), weight, batch, EdgeTerms(batch.relations, 6)).shape[1]
        6
    """
    rows = relation_matmul(states.unsqueeze(1), weight.unsqueeze(1), batch.relation_spans).squeeze(1)
    share = batch.relation_degree.to(torch.promote_types(rows.dtype, torch.float32)).reciprocal()
    if batch.edge_weight is not None:
        share = share * batch.edge_weight
    received = neighbor_sum(rows, batch.relation_edges, weight=share, impl=impl)
    of_features = edge_terms.sums(batch, share)
    return received if of_features is None else received + of_features
