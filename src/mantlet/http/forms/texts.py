"""The text that a field's octets are."""

__all__ = ["read_text"]


def read_text(octets: bytes | bytearray) -> str | None:
    """Return octets as text, or None where they are not UTF-8 or have a NUL.

    What is not UTF-8 some parsers refuse, some replace and some read as latin-1; at a NUL some end.
    """
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
