"""Fingerprints: short keyed hashes, to recognize a value in logs without showing it."""

from hashlib import blake2b

__all__ = ["keyed_fingerprint"]


def keyed_fingerprint(value: bytes, key: bytes) -> str:
    """Return 12 hexadecimal digits that are the same for equal values and equal keys.

    With a random key, nobody finds a value by guessing.

    Args:
        value: the value.
        key: at most 64 bytes.
    """
    return blake2b(value, digest_size=6, key=key).hexdigest()
