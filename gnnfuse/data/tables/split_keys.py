"""The chance in splits: every row or group has a key that depends on its name and the seed alone."""

import hashlib


def split_key(name: str, seed: int) -> int:
    """A 64-bit number, evenly spread over names: the first bytes of BLAKE2b of the seed and the name.

    Example:
        >>> split_key("row 1", 0) == split_key("row 1", 0) != split_key("row 1", 1)
        True
    """
    text = f"{seed}\0{name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def check_fractions(fractions: tuple[float, float, float]) -> None:
    """Refuse shares of training, validation and test that are no shares.

    Raises:
        ValueError: not three, a negative one, none for training, or not 1 in all.
    """
    if len(fractions) != 3 or min(fractions) < 0 or fractions[0] <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions of train, valid and test must be three and add up to 1, found {fractions}")
