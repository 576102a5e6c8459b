"""`Discovery`: keys that a provider's own metadata lead to."""

import ssl
from typing import Final
from urllib.parse import urlsplit

from mantlet._internal.options import KnowsOptions, check_number
from mantlet.authentication.http import (
    ProviderError,
    check_tls,
    check_url,
    parse_document,
    send,
)
from mantlet.authentication.keys.jwks_url import MAX_TIMEOUT, fetch_key_set
from mantlet.authentication.keys.source import LoadedKeys, RenewedKeys

__all__ = ["Discovery"]

_MAX_SIZE: Final = 256 * 1024


class Discovery(KnowsOptions, RenewedKeys):
    """Find the keys of a provider by its issuer, and load them.

    The metadata are at ``/.well-known/openid-configuration`` below the issuer (OpenID Connect
    Discovery 1.0, 4), or, if that is not found, at ``/.well-known/oauth-authorization-server``,
    between the host and the path (RFC 8414, 3). Their ``issuer`` has to be exactly the one that was
    asked for, and their ``jwks_uri`` says where the keys are. Both documents are renewed together;
    see `JwksUrl`.

    Args:
        issuer: the provider's issuer, character for character as tokens have it in ``iss``.
        timeout: seconds for all responses together.
        tls: for the certificate check, if the provider's authority is not one that this machine
            trusts.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: an option is invalid; the message names it.
    """

    def __init__(
        self, issuer: str, *, timeout: float = 10.0, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__("Discovery", timeout=check_number("timeout", timeout, most=MAX_TIMEOUT))
        self._issuer = check_url("issuer", issuer)
        if "?" in issuer:
            raise ValueError(f"issuer must not have a query, such as in {issuer!r}")
        self._urls = _metadata_urls(issuer)
        self._tls = check_tls(tls)

    def load(self, deadline: float) -> LoadedKeys:
        """Fetch the metadata, and then the key set."""
        document = parse_document(self._fetch_metadata(deadline))
        if document.get("issuer") != self._issuer:
            raise ProviderError("sent the metadata of another issuer: issuer must be the same")
        return fetch_key_set(self._check_keys_url(document.get("jwks_uri")), deadline, self._tls)

    def _fetch_metadata(self, deadline: float) -> bytes:
        openid, oauth = self._urls
        try:
            return send(openid, deadline=deadline, max_size=_MAX_SIZE, tls=self._tls).body
        except ProviderError as error:
            if error.status != 404:
                raise
        return send(oauth, deadline=deadline, max_size=_MAX_SIZE, tls=self._tls).body

    def _check_keys_url(self, url: object) -> str:
        """Return the URL of the key set.

        A document from the network must not send the app to an address of its own machine.
        """
        if isinstance(url, str) and (
            url.startswith("https://") or self._issuer.startswith("http://")
        ):
            try:
                return check_url("jwks_uri", url)
            except ValueError:
                pass
        raise ProviderError("sent metadata whose jwks_uri is missing or not an HTTPS URL")


def _metadata_urls(issuer: str) -> tuple[str, str]:
    parts = urlsplit(issuer)
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/")
    return (
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )
