"""Checks the options of layers with attention heads."""


def check_heads(dim: int, heads: int, dropout: float) -> None:
    """Raise ValueError unless the heads divide the states and the dropout is a probability below 1."""
    if dim < 1 or heads < 1 or dim % heads:
        raise ValueError(f"heads must divide dim, found heads={heads} and dim={dim}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, found {dropout}")
