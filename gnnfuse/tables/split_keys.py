"""The randomness of splits: every row or group has a key that depends on its name and the seed alone."""

import hashlib

from gnnfuse.fit_defaults import FRACTIONS

Fractions = tuple[float, float, float]


def split_key(name: str, seed: int) -> int:
    """A 64-bit number, evenly spread over names: the first bytes of BLAKE2b of the seed and the name.

    Example:
        >>> split_key("row 1", 0) == split_key("row 1", 0) != split_key("row 1", 1)
        True
    """
    text = f"{seed}\0{name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def check_fractions(fractions: Fractions) -> None:
    """Refuse invalid shares of training, validation and test.

    Raises:
        ValueError: not three, a negative one, none for training, or not 1 in all.
    """
    if len(fractions) != 3 or min(fractions) < 0 or fractions[0] <= 0 or not abs(sum(fractions) - 1) < 1e-6:
        raise ValueError(
            f"found fractions {fractions}, expected three shares, of train, valid and test rows, that are not "
            f"negative, leave some for training and add up to 1, such as {FRACTIONS}"
        )


def shares(fractions: Fractions) -> str:
    """The shares in words.

    Example:
        >>> shares((0.8, 0.2, 0.0))
        '80% train, 20% valid'
    """
    named = zip(fractions, ("train", "valid", "test"), strict=True)
    return ", ".join(f"{100 * fraction:.3g}% {name}" for fraction, name in named if fraction)
