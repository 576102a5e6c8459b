"""The options of a storage URI that are about TLS."""

import ssl
from collections.abc import Mapping
from typing import Final

__all__ = ["TLS_OPTIONS", "tls_context"]

TLS_OPTIONS: Final = (
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "ssl_check_hostname",
)


def tls_context(options: Mapping[str, str]) -> ssl.SSLContext:
    """Return what these options say: by default, the server must prove its name.

    Args:
        options: as in the URI. ``ssl_cert_reqs=none`` believes any server.

    Raises:
        ValueError: an option has no right value, or its file can't be read.
    """
    required = _choice(options, "ssl_cert_reqs", {"required": True, "none": False}, default=True)
    check = _choice(options, "ssl_check_hostname", {"true": True, "false": False}, default=required)
    if check and not required:
        raise ValueError("ssl_check_hostname=true needs ssl_cert_reqs=required")
    certfile, keyfile = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if keyfile is not None and certfile is None:
        raise ValueError("ssl_keyfile needs ssl_certfile")
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    except OSError as error:
        raise ValueError(f"ssl_ca_certs can't be read: {_why(error)}") from None
    context.check_hostname = check
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_NONE
    if certfile is not None:
        try:
            # Without a password at hand, OpenSSL would ask for one at the terminal.
            context.load_cert_chain(certfile, keyfile, password="")
        except OSError as error:
            raise ValueError(
                f"ssl_certfile, with ssl_keyfile, can't be read: {_why(error)}"
            ) from None
    return context


def _choice(
    options: Mapping[str, str], name: str, meanings: Mapping[str, bool], *, default: bool
) -> bool:
    chosen = options.get(name)
    if chosen is None:
        return default
    if chosen not in meanings:
        raise ValueError(f"{name} must be {' or '.join(meanings)}, not {chosen!r}")
    return meanings[chosen]


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
