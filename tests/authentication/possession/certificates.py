"""A certification authority of the tests, and the forms in which proxies pass certificates on."""

from __future__ import annotations

import hashlib
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SPIFFE = "spiffe://example.org/billing"


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


class Authority:
    """A certification authority."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(
            _name("Test CA"), self.key, [], timedelta(days=1), timedelta(0), is_authority=True
        )

    def issue(
        self,
        common_name: str = "billing",
        *,
        uris: Sequence[str] = (SPIFFE,),
        dns_names: Sequence[str] = (),
        until: timedelta = timedelta(days=1),
        since: timedelta = timedelta(hours=-1),
    ) -> Issued:
        """Return a new certificate, with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, dns_names)]
        return Issued(self._sign(_name(common_name), key, names, until, since), key)

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: Sequence[x509.GeneralName],
        until: timedelta,
        since: timedelta,
        *,
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name("Test CA"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + since)
            .not_valid_after(now + until)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


class Issued:
    """A certificate with its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.key = key
        self.der = certificate.public_bytes(Encoding.DER)
        self.pem = certificate.public_bytes(Encoding.PEM).decode()

    @property
    def thumbprint(self) -> str:
        """The value of ``x5t#S256`` (RFC 8705, 3.1)."""
        return urlsafe_b64encode(hashlib.sha256(self.der).digest()).rstrip(b"=").decode()

    def as_nginx(self) -> str:
        """Return ``$ssl_client_escaped_cert`` of nginx."""
        return quote(self.pem, safe="")

    def as_apache(self) -> str:
        """Return ``%{SSL_CLIENT_CERT}s`` of Apache: spaces for line ends."""
        return self.pem.replace("\n", " ")

    def as_base64(self) -> str:
        """Return ``ssl_c_der,base64`` of HAProxy."""
        return b64encode(self.der).decode()

    def as_rfc9440(self) -> str:
        """Return ``Client-Cert`` (RFC 9440, 2.2)."""
        return f":{self.as_base64()}:"

    def as_envoy(self, *, cert: bool = True) -> str:
        """Return an element of ``x-forwarded-client-cert``."""
        parts = ["By=spiffe://example.org/api", f"Hash={hashlib.sha256(self.der).hexdigest()}"]
        if cert:
            parts.append(f'Cert="{quote(self.pem, safe="")}"')
        return ";".join([*parts, 'Subject="CN=billing"', f"URI={SPIFFE}"])

    def save(self, directory: Path, name: str) -> tuple[Path, Path]:
        """Write the certificate and the key; return their paths."""
        certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
        certificate.write_text(self.pem)
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, key
