"""Identify the record of a request: by its owner, its key and its fingerprint."""

import re
from hashlib import blake2b
from typing import Any, Final

from mantlet.core.preflight import METHOD_OVERRIDES
from mantlet.core.request import Request
from mantlet.http.headers import HeaderNames
from mantlet.redact.names import INNOCENT_NAMES, SECRET_NAMES, NameMatcher

__all__ = ["fingerprint_of", "owner_of", "parse_key", "record_key"]

#: A string of structured fields (RFC 9651, 3.3.3), or the same characters without quotes, except
#: blanks, quotes, backslashes, and the separators of values and parameters.
_KEY: Final = re.compile(
    r'"([ !#-\[\]-~]{1,255})"|([!#-+\--:<-\[\]-~]{1,255})|"((?:[ !#-\[\]-~]|\\["\\]){1,255})"'
)
_ESCAPE: Final = re.compile(r"\\(.)")

_INNOCENT: Final = (*INNOCENT_NAMES, "idempotency_key", "sec_websocket_key", "user_agent")
#: Headers whose values may tell users apart: credentials, and the names of users and tenants that
#: authenticating proxies send. Several matchers, since the time of one grows with all its names.
_WHO: Final = tuple(
    NameMatcher(names, _INNOCENT)
    for names in (
        SECRET_NAMES,
        (
            "account*", "apikey", "auth_*", "client_cert*", "client_id", "customer*", "merchant*",
            "on_behalf_of", "organization*", "principal*", "ssl_client*", "tenant*", "user*",
            "workspace*",
        ),
        (
            "*_account*", "*_apikey", "*_assertion", "*_auth", "*_auth_*", "*_authenticated_*",
            "*_cert", "*_client_cert*", "*_client_id", "*_customer*", "*_email", "*_iap_*",
            "*_identity*", "*_key", "*_login",
        ),
        (
            "*_merchant*", "*_oidc_*", "*_on_behalf_of", "*_org", "*_org_*", "*_organization*",
            "*_principal*", "*_session*", "*_ssl_client*", "*_subject", "*_tenant*", "*_user",
            "*_user_*", "*_userid", "*_username", "*_workspace*",
        ),
    )
)  # fmt: skip
#: Headers that make two requests different: those of the content and the conditions, and those by
#: which proxies replace the host or the path.
_CONTENT: Final = HeaderNames(
    *("Host", "Content-Type", "Content-Encoding", "Content-Range", "Upload-Offset"),
    *("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"),
    *("X-Forwarded-Host", "X-Forwarded-Prefix", "X-Original-URL", "X-Rewrite-URL"),
    *METHOD_OVERRIDES,
)
#: Several clients may choose the same key if it has fewer characters, such as a number.
_RANDOM_KEY: Final = 20
#: The maximum length of a header's name that is matched; longer names, which nobody uses, count as
#: names that tell users apart. And the maximum number of cached names.
_MAX_NAME: Final = 128
_MAX_NAMES: Final = 1024
#: Entries of an environ by which WSGI servers identify the client.
_WSGI_WHO: Final = frozenset(
    {"REMOTE_USER", "SSL_CLIENT_CERT", "SSL_CLIENT_S_DN", "SSL_CLIENT_M_SERIAL"}
)


# Any: a native name, of bytes or str.
class _Telling(dict[Any, bool]):
    """For each header or entry of an environ, whether its value may tell users apart."""

    def __missing__(self, name: Any) -> bool:
        if len(name) > _MAX_NAME:
            return True
        if len(self) >= _MAX_NAMES:
            self.clear()
        if isinstance(name, str) and not name.startswith("HTTP_"):
            found = name in _WSGI_WHO
        else:
            text = name.decode("latin-1") if isinstance(name, bytes) else name[5:].lower()
            found = any(matcher.matches(text) for matcher in _WHO)
        self[name] = found
        return found


_tells_apart: Final = _Telling()


def parse_key(text: str) -> str | None:
    r"""Return the key in an ``Idempotency-Key`` header; None if it is malformed.

    The draft requires a quoted string such as ``"8e03978e"``
    (draft-ietf-httpapi-idempotency-key-header-07, 2.1). The same characters without quotes, as many
    clients send them, are the same key. Repeated headers, which are joined by commas, are
    malformed.

    Args:
        text: the header's value.
    """
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    plain, bare, escaped = match.groups()
    return plain or bare or _ESCAPE.sub(r"\1", escaped)


def owner_of(request: Request, key: str) -> tuple[str, ...]:
    """Return the owner of a request's key.

    The owner is the identity: its subject with its issuer, or with the scheme of its credential if
    it has no issuer. Without an identity, the owner is everything in the request that an app may
    tell users apart by. If that is empty and the key is short, so other clients may have chosen it
    too, the owner is the client's address.

    Args:
        request: the request.
        key: the client's key.
    """
    identity = request.state.identity
    if identity is not None:
        issuer = identity.claims.get("iss")
        named = ("iss", issuer) if isinstance(issuer, str) else ("scheme", identity.scheme)
        return ("identity", *named, identity.subject)
    raw = request.raw
    # Any: native names and values, and values of the server.
    found: list[Any] = [
        pair
        for pair in (raw["headers"] if request.is_async else raw.items())
        if _tells_apart[pair[0]]
    ]
    found.sort()
    tls = (raw.get("extensions") or {}).get("tls")
    if tls:
        found.append(tls.get("client_cert_chain"))
    if not found and len(key) < _RANDOM_KEY:
        return "address", str(request.client)
    return "credentials", repr(found)


def record_key(owner: tuple[str, ...], key: str) -> bytes:
    """Return the key of a record, a hash. No client can choose the key of another client's record.

    Args:
        owner: the result of `owner_of()`, or of the ``by`` option.
        key: the client's key.
    """
    # The quotes in Python's notation make it unambiguous.
    parts = repr((owner, key)).encode()
    return blake2b(parts, digest_size=32, person=b"mantlet-idem-key").digest()


# Any: a hash of hashlib.
def fingerprint_of(request: Request) -> Any:
    """Return a hash that tells requests with the same key apart; the caller adds the body."""
    found = request.get_headers(_CONTENT)
    parts = (
        request.method,
        request.raw_path,
        request.query,
        found.pop("Host", "").lower(),
        vars(request.state).get("version"),
        sorted(found.items()),
    )
    return blake2b(repr(parts).encode(), digest_size=32, person=b"mantlet-idem-req")
