"""What a user says of a Vault, checked."""

import os
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["address", "segments", "trusted"]


def address(url: str | None) -> str:
    """Return the address of a server.

    Args:
        url: what the user says; None for ``$VAULT_ADDR``.

    Raises:
        ValueError: it is none. It is not shown, since it may have a password.
    """
    given = os.environ.get("VAULT_ADDR", "") if url is None else url
    good = False
    try:
        parts = urlsplit(given)
        named = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        good = bool(named) and not (parts.query or parts.fragment or "@" in parts.netloc)
    except ValueError:
        good = False
    if not good:
        raise ValueError(
            "url, or $VAULT_ADDR, must be http(s)://host:port, without a user and a query"
        )
    return given


def segments(option: str, text: str) -> str:
    """Return a path within Vault, without the slashes around it.

    Args:
        option: what it is given as.
        text: the path.

    Raises:
        ValueError: it would be another one once it is in a URL.
    """
    path = text.strip("/")
    if not path.isprintable() or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{option} must be a path without empty parts and dots, not {text!r}")
    return path


def trusted(verify: bool | str | os.PathLike[str]) -> bool | str:
    """Return whose certificates are trusted, as requests takes it.

    Args:
        verify: the path of a CA's certificate; True for ``$VAULT_CACERT``, if it is there.

    Raises:
        ValueError: nothing would be verified, or there is no such file.
    """
    if verify is False:
        raise ValueError("verify must be True, or the path of the CA's certificate, not False")
    path = os.environ.get("VAULT_CACERT") if verify is True else os.fspath(verify)
    if path and not Path(path).exists():
        raise ValueError(f"verify must be the path of the CA's certificate: {path!r} isn't there")
    return path or True
