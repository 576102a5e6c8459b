"""`PresentedCertificate`: a client's certificate, from the forms in which proxies pass it on.

A proxy has made the TLS handshake: it has verified the chain, and that the client has the key.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, get_args
from urllib.parse import unquote_to_bytes

from mantlet._internal.extras import import_extra
from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.jwt.base64url import encode_base64url

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["MAX_LENGTH", "Form", "PresentedCertificate", "reader"]

Form = Literal["pem", "xfcc", "rfc9440", "base64"]

#: The most characters of a header. A certificate has 1 to 2 KiB, escaped and with a chain 8.
MAX_LENGTH: Final = 16 * 1024
_PEM: Final = re.compile(
    rb"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----\s*"
)
_MALFORMED: Final = "the client certificate is malformed"
# Envoy's grammar: elements after commas, pairs after semicolons, values in quotes where they have
# one of these. A quote that does not span a whole value is refused: it would shift all others.
_PAIR: Final = re.compile(r'([A-Za-z]{1,16})=(?:"((?:[^"\\]|\\.)*+)"|([^",;\\]*+))([,;]|\Z)')
_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class PresentedCertificate:
    """A certificate that a client has presented in TLS.

    Attributes:
        thumbprint: the SHA-256 digest of the certificate in base64url, as tokens have it in
            ``x5t#S256`` (RFC 8705, 3.1).
        distinguished_name: the subject, as text (RFC 4514); may be empty.
        uris: the URIs of the subject alternative name (RFC 5280, 4.2.1.6), such as SPIFFE IDs.
        dns_names: its DNS names.
        valid_from: in seconds of Unix time; None if the proxy has passed on no certificate, but
            parts of it.
        valid_until: the same.
        certificate: all of it, None in the same case.
    """

    thumbprint: str
    distinguished_name: str = ""
    uris: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    valid_from: float | None = None
    valid_until: float | None = None
    certificate: "Certificate | None" = None

    def check_dates(self, now: float) -> None:
        """Check the dates of validity (RFC 5280, 4.1.2.5).

        Raises:
            InvalidCredential: it is not valid yet, or has expired.
        """
        if self.valid_from is not None and now < self.valid_from:
            raise InvalidCredential("the client certificate is not valid yet")
        if self.valid_until is not None and now > self.valid_until:
            raise InvalidCredential("the client certificate has expired")


def reader(form: Form) -> Callable[[str], PresentedCertificate]:
    """Return the function that reads a header's value in a form.

    It raises an InvalidCredential for a malformed one.

    Raises:
        ImportError: cryptography is not installed; the message names the extra.
        ValueError: the form is unknown.
    """
    import_extra("cryptography.x509", "identity")
    readers: dict[str, Callable[[str], PresentedCertificate]] = {
        "pem": _from_pem,
        "xfcc": _from_xfcc,
        "rfc9440": _from_byte_sequence,
        "base64": _from_base64,
    }
    if form not in readers:
        known = ", ".join(f'"{one}"' for one in get_args(Form))
        raise ValueError(f"form must be one of {known}, not {form!r}")
    return readers[form]


def _from_pem(value: str) -> PresentedCertificate:
    """Read PEM, URL-encoded (nginx, AWS) or with spaces for its line ends (Apache)."""
    match = _PEM.fullmatch(unquote_to_bytes(value))
    if match is None:
        raise InvalidCredential(_MALFORMED)
    return _from_der(_decoded(b"".join(match[1].split())))


def _from_byte_sequence(value: str) -> PresentedCertificate:
    """Read ``Client-Cert`` (RFC 9440, 2.2): a byte sequence (RFC 9651, 3.3.5)."""
    text = value.strip(" ")
    if len(text) < 2 or text[0] != ":" or text[-1] != ":":
        raise InvalidCredential(_MALFORMED)
    return _from_base64(text[1:-1])


def _from_base64(value: str) -> PresentedCertificate:
    """Read DER in base64 (HAProxy, Traefik)."""
    return _from_der(_decoded(value.encode()))


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(text, validate=True)
    except Base64Error:
        raise InvalidCredential(_MALFORMED) from None


def _from_xfcc(value: str) -> PresentedCertificate:
    """Read the last element of Envoy's ``x-forwarded-client-cert``.

    Envoy appends its own element to those of proxies that are nearer to the client; the last one is
    about the client of the proxy that sends the request here.
    """
    element: dict[str, list[str]] = {}
    place = 0
    while True:
        pair = _PAIR.match(value, place)
        if pair is None:
            raise InvalidCredential(_MALFORMED)
        name, quoted, plain, end = pair.groups()
        text = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
        element.setdefault(name.lower(), []).append(text)
        place = pair.end()
        if not end:
            break
        if end == ",":
            element = {}
            while value[place : place + 1] == " ":  # lines of the header, joined
                place += 1
    # Names that say who it is occur once, apart from alternative ones.
    if any(len(element.get(name, ())) > 1 for name in ("hash", "cert", "subject")):
        raise InvalidCredential(_MALFORMED)
    if element.get("cert", [""])[0]:
        return _from_pem(element["cert"][0])
    (digest,) = element.get("hash", [""])
    if not re.fullmatch("[0-9A-Fa-f]{64}", digest):
        raise InvalidCredential("the proxy passes on neither a certificate nor its hash")
    return PresentedCertificate(
        thumbprint=encode_base64url(bytes.fromhex(digest)),
        distinguished_name=element.get("subject", [""])[0],
        uris=tuple(one for one in element.get("uri", ()) if one),
        dns_names=tuple(one for one in element.get("dns", ()) if one),
    )


def _from_der(der: bytes) -> PresentedCertificate:
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(der)
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
            dns_names = names.value.get_values_for_type(x509.DNSName)
        except x509.ExtensionNotFound:
            uris, dns_names = [], []
        return PresentedCertificate(
            thumbprint=encode_base64url(sha256(der).digest()),
            distinguished_name=certificate.subject.rfc4514_string(),
            uris=tuple(uris),
            dns_names=tuple(dns_names),
            valid_from=certificate.not_valid_before_utc.timestamp(),
            valid_until=certificate.not_valid_after_utc.timestamp(),
            certificate=certificate,
        )
    except (
        ValueError,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ):
        raise InvalidCredential(_MALFORMED) from None
