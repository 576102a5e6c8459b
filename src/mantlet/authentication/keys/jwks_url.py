"""`JwksUrl`: keys from the URL of a JWK Set."""

import re
import ssl
from typing import Final

from mantlet._internal.options import KnowsOptions, check_number
from mantlet.authentication.http import check_tls, check_url, send
from mantlet.authentication.keys.source import LoadedKeys, RenewedKeys

__all__ = ["MAX_TIMEOUT", "JwksUrl", "fetch_key_set"]

#: The longest timeout, in seconds.
MAX_TIMEOUT: Final = 60.0
_MAX_SIZE: Final = 512 * 1024
#: RFC 7517, 8.5.2, and what most providers send.
_MEDIA_TYPES: Final = ("application/json", "application/jwk-set+json")
_MAX_AGE: Final = re.compile(r"[ \t]*max-age[ \t]*=[ \t]*\"?(\d{1,10})\"?[ \t]*", re.IGNORECASE)
#: Seconds for which keys are used before they are renewed: the bounds of ``max-age``. A key that
#: the provider withdraws stays valid for as long.
_SHORTEST, _LONGEST = 300.0, 3600.0


class JwksUrl(KnowsOptions, RenewedKeys):
    """Load keys from the URL of a JWK Set (RFC 7517, 5), for a provider without discovery.

    They are renewed after the ``max-age`` of the response, but from 5 to 60 minutes; and when a
    token names another key.

    Args:
        url: the URL of the key set (``jwks_uri``).
        timeout: seconds for the response.
        tls: for the certificate check, if the provider's authority is not one that this machine
            trusts.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: an option is invalid; the message names it.
    """

    def __init__(
        self, url: str, *, timeout: float = 10.0, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__("JwksUrl", timeout=check_number("timeout", timeout, most=MAX_TIMEOUT))
        self._url = check_url("url", url)
        self._tls = check_tls(tls)

    def load(self, deadline: float) -> LoadedKeys:
        """Fetch the key set."""
        return fetch_key_set(self._url, deadline, self._tls)


def fetch_key_set(url: str, deadline: float, tls: ssl.SSLContext | None) -> LoadedKeys:
    """Fetch a JWK Set, and return it with the time for which it can be cached.

    Raises:
        ProviderError: it can't be fetched.
    """
    response = send(url, deadline=deadline, max_size=_MAX_SIZE, media_types=_MEDIA_TYPES, tls=tls)
    return LoadedKeys(response.body, _lifetime(response.cache_control))


def _lifetime(cache_control: str) -> float:
    for directive in cache_control.split(","):
        match = _MAX_AGE.fullmatch(directive)
        if match is not None:
            return min(max(float(match[1]), _SHORTEST), _LONGEST)
    return _SHORTEST if "no-" in cache_control.lower() else _LONGEST
