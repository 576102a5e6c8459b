"""`ClientCertificate`: mutual TLS, ended by a proxy or by the server itself."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from time import time
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from mantlet._internal.options import KnowsOptions
from mantlet._internal.server_settings import drops_underscores
from mantlet.authentication.callbacks import as_identity, call, check_callback
from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.possession.presented_certificate import (
    MAX_LENGTH,
    Form,
    PresentedCertificate,
    reader,
)
from mantlet.authentication.scheme import Scheme
from mantlet.core.identity import Identity
from mantlet.core.request import Request
from mantlet.http.headers import HeaderNames
from mantlet.http.trusted_proxies import TrustedNetworks

__all__ = ["ClientCertificate"]

#: The part of a certificate that names the subject.
SubjectPart = Literal["uri", "dns", "dn"]
_PARTS: Final[tuple[SubjectPart, ...]] = get_args(SubjectPart)
Identified = Identity | str | None
Identify = Callable[[PresentedCertificate], Identified | Awaitable[Identified]]

_log = logging.getLogger("mantlet.authentication")

#: The forms of headers whose names tell it.
_FORMS: Final[dict[str, Form]] = {"client-cert": "rfc9440", "x-forwarded-client-cert": "xfcc"}
#: How many certificates are kept parsed, each with its header of at most `MAX_LENGTH`.
_CACHED: Final = 256
#: What proxies send where the client has no certificate; Apache writes null in words.
_NOTHING: Final = frozenset({"", "(null)"})


class ClientCertificate(KnowsOptions, Scheme):
    """Take who is asking from the client's TLS certificate.

    The proxy, or the server, makes the TLS handshake and verifies the chain against the
    certification authorities that it is configured with; none of that is repeated here. The dates
    of validity are checked again, since a connection may outlive them. The header is
    believed if the peer is one of ``trusted_proxies``, and ignored otherwise; the proxy has to
    remove or replace a header of that name that a client sends, and names with underscores.

    A browser adds its certificate to the requests of any site, so it counts only where the request
    has no other credential.

    Args:
        header: the header in which a proxy passes the certificate on. ``Client-Cert`` is taken for
            one of RFC 9440, and ``X-Forwarded-Client-Cert`` for Envoy's.
        trusted_proxies: networks of the proxies, such as ``"10.0.0.0/8"``, and ``"unix"``.
        form: of the header: ``"pem"`` (URL-encoded: nginx's ``$ssl_client_escaped_cert``, AWS; or
            with spaces for line ends: Apache), ``"xfcc"`` (Envoy, Istio), ``"rfc9440"``, or
            ``"base64"`` of DER (HAProxy, Traefik). By default the header's name decides.
        from_server: take the certificate from the server's own TLS, in place of a header: ASGI's
            TLS extension, or ``SSL_CLIENT_CERT`` in an environ.
        subject: ``"uri"``, ``"dns"`` or ``"dn"``: the only URI or DNS name of the certificate's
            subject alternative name, or the whole subject; or a function (``def`` or ``async def``)
            of the `PresentedCertificate` that returns an `Identity`, a subject, or None for a
            client that is unknown.
        drops_underscores: whether the proxy drops headers such as ``X_Client_Cert``, which many
            WSGI servers take for ``X-Client-Cert`` (nginx drops them by default). Under such a
            server a header with a hyphen is ignored unless this is set.
        clock: returns Unix time in seconds.

    Raises:
        ImportError: cryptography is not installed; the message names the extra.
        TypeError: an option is of the wrong type.
        ValueError: an option is invalid or contradicts another one; there is a header without
            trusted proxies, or neither a header nor ``from_server``.
    """

    name = "client_certificate"
    is_ambient = True

    def __init__(
        self,
        *,
        header: str | None = None,
        trusted_proxies: Iterable[str] = (),
        form: Form | None = None,
        from_server: bool = False,
        subject: SubjectPart | Identify = "uri",
        drops_underscores: bool = False,
        clock: Callable[[], float] = time,
    ) -> None:
        if header is not None and not isinstance(header, str):
            raise TypeError(f'header must be a name such as "X-Client-Cert", not {header!r}')
        self._networks = TrustedNetworks(trusted_proxies)
        self._names: HeaderNames | None = None
        self._header = header or ""
        if header is None:
            if not from_server:
                raise ValueError(
                    'ClientCertificate needs header="X-Client-Cert" and trusted_proxies, for a '
                    "proxy that ends TLS, or from_server=True"
                )
            if self._networks.texts or form is not None or drops_underscores:
                raise ValueError(
                    "trusted_proxies, form and drops_underscores apply to a header, not to "
                    "from_server=True"
                )
            self.source = "client certificate"
        else:
            if from_server:
                raise ValueError("header and from_server=True can't be combined")
            if not self._networks.texts:
                raise ValueError(
                    f"trusted_proxies must name the networks of the proxies that set {header}, "
                    f'such as ["10.0.0.0/8"]: anyone else can write any header'
                )
            self.source = header
            self.header = header
            self._names = HeaderNames(header)
            self.trusted_headers = frozenset({header})
        read = reader(form or _FORMS.get(self._header.lower(), "pem"))
        self._read = lru_cache(_CACHED)(read)
        self._identify = _identify_by(subject)
        self._may_be_smuggled = "-" in self._header and not drops_underscores
        self._clock = clock
        self._logged: set[str] = set()

    def find(self, request: Request) -> str | None:
        """Return the certificate as the proxy or the server passes it on.

        Raises:
            InvalidCredential: it is too long.
        """
        value = self._from_server(request) if self._names is None else self._forwarded(request)
        if value is not None and len(value) > MAX_LENGTH:
            raise InvalidCredential("the client certificate is too long")
        return value

    def present(self, request: Request) -> PresentedCertificate | None:
        """Return the certificate of a request, None if it has none.

        Raises:
            InvalidCredential: it is malformed, not valid yet, or has expired.
        """
        value = self.find(request)
        return None if value is None else self._valid(value)

    def verify(self, request: Request, credential: str) -> Identity | Awaitable[Identity]:
        """Return whose certificate it is.

        Raises:
            InvalidCredential: it is malformed, not valid yet, has expired, or names no subject.
        """
        certificate = self._valid(credential)
        if isinstance(self._identify, str):
            return _identity(certificate, _subject(certificate, self._identify))
        return self._call(request, self._identify, certificate)

    async def _call(
        self, request: Request, identify: Identify, certificate: PresentedCertificate
    ) -> Identity:
        result = await call(request, identify, certificate)
        if isinstance(result, str) and result:
            return _identity(certificate, result)
        return as_identity(result, self.name, "subject")

    def _valid(self, value: str) -> PresentedCertificate:
        certificate = self._read(value)
        certificate.check_dates(self._clock())
        return certificate

    def _forwarded(self, request: Request) -> str | None:
        assert self._names is not None  # noqa: S101  # for the type checker
        value = request.get_headers(self._names).get(self._header)
        if value is None or value in _NOTHING:
            return None
        if not self._networks.trusts(request.client):
            self._log_once(
                "%s was ignored: it came from an address outside of trusted_proxies. If a proxy "
                "sent it, add the address of the proxy; a server that replaces the peer's address "
                "by X-Forwarded-For, as uvicorn does by default for local proxies, needs "
                "--no-proxy-headers"
            )
            return None
        # An ASGI app may be under a WSGI server all the same, in an adapter such as a2wsgi's.
        environ = request.raw.get("wsgi_environ") if request.is_async else request.raw
        if self._may_be_smuggled and environ is not None and not drops_underscores(environ):
            self._log_once(
                "%s was ignored: this server takes a header with underscores for it, so any client "
                "may have written it. Use gunicorn or an ASGI server, or have the proxy drop names "
                "with underscores and pass drops_underscores=True"
            )
            return None
        return value

    @staticmethod
    def _from_server(request: Request) -> str | None:
        if not request.is_async:
            value = request.raw.get("SSL_CLIENT_CERT")
            # mod_ssl: a certificate that was asked for, but not required, may be unverified.
            is_verified = request.raw.get("SSL_CLIENT_VERIFY", "SUCCESS") == "SUCCESS"
            return value if isinstance(value, str) and value.strip() and is_verified else None
        tls = (request.raw.get("extensions") or {}).get("tls") or {}
        chain = tuple(tls.get("client_cert_chain") or ())
        if not chain or tls.get("client_cert_error") is not None:
            return None
        return str(chain[0])

    def _log_once(self, text: str) -> None:
        if text not in self._logged:
            self._logged.add(text)
            _log.warning(f"ClientCertificate: {text}", self._header)


# Any: the option, as it was given.
def _identify_by(subject: Any) -> SubjectPart | Identify:
    if not isinstance(subject, str):
        return check_callback("subject", subject)
    for part in _PARTS:
        if subject == part:
            known: SubjectPart = part
            return known
    raise ValueError(f'subject must be "uri", "dns", "dn" or a function, not {subject!r}')


def _subject(certificate: PresentedCertificate, part: SubjectPart) -> str:
    if part == "dn":
        subject = certificate.distinguished_name
    else:
        names = certificate.uris if part == "uri" else certificate.dns_names
        subject = names[0] if len(names) == 1 else ""
    if not subject:
        raise InvalidCredential(
            f"the client certificate does not have exactly one subject ({part})"
        )
    return subject


def _identity(certificate: PresentedCertificate, subject: str) -> Identity:
    return Identity(
        subject,
        ClientCertificate.name,
        claims=MappingProxyType(
            {
                "x5t#S256": certificate.thumbprint,
                "distinguished_name": certificate.distinguished_name,
                "uris": certificate.uris,
                "dns_names": certificate.dns_names,
            }
        ),
        expires=certificate.valid_until,
    )
