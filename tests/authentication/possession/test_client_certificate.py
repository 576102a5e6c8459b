"""Client certificates as proxies pass them on, through whole stacks."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import Authenticator, ClientCertificate, Identity, PresentedCertificate
from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.possession.presented_certificate import reader
from tests.authentication.possession.certificates import SPIFFE, Authority, Issued
from tests.authentication.possession.known_tokens import KnownTokens, whoami
from tests.drive import ADAPTERS, Adapter, Answer, both_adapters

AUTHORITY = Authority()
ISSUED = AUTHORITY.issue()
PROXY = "10.0.0.7"
PROXIES = ["10.0.0.0/8"]
#: A server that drops headers with underscores.
SAFE = {"SERVER_SOFTWARE": "gunicorn/25.1"}


def send(adapter: Adapter, scheme: ClientCertificate, value: str | None, **options: Any) -> Answer:
    """Send a request through a proxy that passes a certificate on."""
    header = scheme.header or "X-Client-Cert"
    app = adapter.wrap(whoami, Authenticator(scheme))
    headers = [*options.pop("headers", ()), *([] if value is None else [(header, value)])]
    if adapter.name == "wsgi":
        options = {"environ": SAFE, **options}
    return adapter.drive(app, headers=headers, **{"client": PROXY, **options})


def certificate(header: str = "X-Client-Cert", **options: Any) -> ClientCertificate:
    """Return the scheme behind the proxies of the tests."""
    return ClientCertificate(header=header, trusted_proxies=PROXIES, **options)


@pytest.mark.parametrize(
    ("scheme", "value"),
    [
        (certificate(), ISSUED.as_nginx()),
        (certificate(), ISSUED.as_apache()),
        (certificate(form="base64"), ISSUED.as_base64()),
        (certificate("Client-Cert"), ISSUED.as_rfc9440()),
        (certificate(form="rfc9440"), ISSUED.as_rfc9440()),
        (certificate("X-Forwarded-Client-Cert"), ISSUED.as_envoy()),
        (certificate("x-forwarded-client-cert"), ISSUED.as_envoy(cert=False)),
    ],
    ids=["nginx", "apache", "base64", "rfc9440", "rfc9440-form", "envoy", "istio"],
)
@both_adapters
def test_each_form_names_the_subject(
    adapter: Adapter, scheme: ClientCertificate, value: str
) -> None:
    answer = send(adapter, scheme, value)
    assert (answer.status, answer.body) == (200, SPIFFE.encode())
    assert answer.get("cache-control") == "private"


@both_adapters
def test_without_a_certificate_a_request_is_refused(adapter: Adapter) -> None:
    for value in (None, "", "(null)"):
        assert send(adapter, certificate(), value).status == 401


@pytest.mark.parametrize("client", ["11.0.0.1", "192.0.2.1", None, "unix", "10.0.0.7.evil"])
@both_adapters
def test_the_header_of_anyone_else_is_ignored_and_logged_once(
    adapter: Adapter, client: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    scheme = certificate()
    for _ in range(3):
        more = (("X-Forwarded-For", PROXY), ("Forwarded", f"for={PROXY}"))
        answer = send(adapter, scheme, ISSUED.as_nginx(), client=client, headers=more)
        assert answer.status == 401
    ignored = [one for one in caplog.messages if "outside of trusted_proxies" in one]
    assert len(ignored) == 1
    assert "BEGIN" not in caplog.text


@both_adapters
def test_a_peer_on_a_unix_socket_can_be_trusted(adapter: Adapter) -> None:
    scheme = ClientCertificate(header="X-Client-Cert", trusted_proxies=["unix"])
    assert send(adapter, scheme, ISSUED.as_nginx(), client=None).status == 200
    assert send(adapter, scheme, ISSUED.as_nginx()).status == 401


def test_a_name_with_underscores_is_not_taken_for_the_header(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client writes X_Client_Cert, and the proxy leaves X-Client-Cert out."""
    asgi, wsgi = ADAPTERS
    forged = [("X_Client_Cert", ISSUED.as_nginx())]
    assert send(asgi, certificate(), None, headers=forged).status == 401
    # In an environ the two can't be told apart.
    for server in (..., "uWSGI", "granian", "hypercorn/h11", "WSGIServer/0.2 CPython/3.13"):
        answer = send(wsgi, certificate(), ISSUED.as_nginx(), environ={"SERVER_SOFTWARE": server})
        assert answer.status == 401
    assert "takes a header with underscores for it" in caplog.text
    for software, status in ({}, 401), (SAFE, 200):  # in a2wsgi.ASGIMiddleware
        scope = {"wsgi_environ": software}
        assert send(asgi, certificate(), ISSUED.as_nginx(), scope=scope).status == status
    scheme = certificate(drops_underscores=True)
    assert send(wsgi, scheme, ISSUED.as_nginx(), environ={}).status == 200
    # No other name stands for one without a hyphen.
    scheme = certificate("ClientCert")
    assert send(wsgi, scheme, ISSUED.as_nginx(), environ={}).status == 200


@both_adapters
def test_two_headers_are_refused(adapter: Adapter) -> None:
    more = [("X-Client-Cert", ISSUED.as_nginx())]
    assert send(adapter, certificate(), ISSUED.as_nginx(), headers=more).status == 401


@both_adapters
def test_a_long_header_is_refused(adapter: Adapter) -> None:
    for length in (17_000, 70_000):
        assert send(adapter, certificate(), "A" * length).status == 401


@both_adapters
def test_the_dates_of_validity_are_checked(adapter: Adapter) -> None:
    old = AUTHORITY.issue(since=timedelta(days=-2), until=timedelta(days=-1))
    assert send(adapter, certificate(), old.as_nginx()).status == 401
    new = AUTHORITY.issue(since=timedelta(hours=1))
    assert send(adapter, certificate(), new.as_nginx()).status == 401
    scheme = certificate(clock=lambda: time.time() + 7200)
    assert send(adapter, scheme, new.as_nginx()).status == 200


def test_a_certificate_that_is_kept_parsed_expires_all_the_same() -> None:
    now = time.time()
    scheme = certificate(clock=lambda: now)
    assert send(ADAPTERS[0], scheme, ISSUED.as_nginx()).status == 200
    now += 90_000
    assert send(ADAPTERS[0], scheme, ISSUED.as_nginx()).status == 401


@pytest.mark.parametrize(
    ("subject", "issued", "expected"),
    [
        ("uri", AUTHORITY.issue(uris=["spiffe://a", "spiffe://b"]), None),
        ("uri", AUTHORITY.issue(uris=[]), None),
        ("dns", AUTHORITY.issue(dns_names=["one.example"]), b"one.example"),
        ("dns", AUTHORITY.issue(dns_names=["one.example", "two.example"]), None),
        ("dns", AUTHORITY.issue(uris=[]), None),
        ("dn", AUTHORITY.issue("billing, inc."), b"CN=billing\\, inc."),
        (lambda one: one.uris[0].rpartition("/")[2], ISSUED, b"billing"),
        (lambda one: Identity(one.thumbprint, "mine"), ISSUED, ISSUED.thumbprint.encode()),
        ({}.get, ISSUED, None),
    ],
    ids=[
        *("uris", "no uri", "dns", "dns names", "no dns name", "dn"),
        *("function", "identity", "nobody"),
    ],
)
@both_adapters
def test_the_subject_is_a_part_of_the_certificate(
    adapter: Adapter, subject: Any, issued: Issued, expected: bytes | None
) -> None:
    answer = send(adapter, certificate(subject=subject), issued.as_nginx())
    assert answer.status == (401 if expected is None else 200)
    if expected is not None:
        assert answer.body == expected


@pytest.mark.parametrize("subject", ["uri", lambda one: one.uris[0]], ids=["part", "function"])
@both_adapters
def test_the_identity_has_the_parts_of_the_certificate(adapter: Adapter, subject: Any) -> None:
    found: list[Identity | None] = []

    def app(raw: Any) -> Any:
        found.append(mantlet.state(raw).identity)
        return 200, [], b""

    wrapped = adapter.wrap(app, Authenticator(certificate(subject=subject)))
    options: dict[str, Any] = {"environ": SAFE} if adapter.name == "wsgi" else {}
    headers = [("X-Client-Cert", ISSUED.as_nginx())]
    adapter.drive(wrapped, headers=headers, client=PROXY, **options)
    (identity,) = found
    assert identity is not None
    assert (identity.subject, identity.scheme) == (SPIFFE, "client_certificate")
    assert identity.expires == ISSUED.certificate.not_valid_after_utc.timestamp()
    assert identity.claims == {
        "x5t#S256": ISSUED.thumbprint,
        "distinguished_name": "CN=billing",
        "uris": (SPIFFE,),
        "dns_names": (),
    }


@both_adapters
def test_a_certificate_counts_only_without_another_credential(adapter: Adapter) -> None:
    auth = Authenticator(KnownTokens({"token": {}}), certificate())
    app = adapter.wrap(whoami, auth)
    options: dict[str, Any] = {"environ": SAFE} if adapter.name == "wsgi" else {}
    headers = [("X-Client-Cert", ISSUED.as_nginx()), ("Authorization", "Bearer token")]
    assert adapter.drive(app, headers=headers, client=PROXY, **options).body == b"alice"
    assert auth.trusted_headers == {"X-Client-Cert"}


@pytest.mark.parametrize(
    "pattern", ["{}", ":{}", "{}:", "x{}x", "::{}::", ":{}:;a=1", ":{}:, :{}:"]
)
@both_adapters
def test_a_byte_sequence_is_between_colons(adapter: Adapter, pattern: str) -> None:
    value = pattern.replace("{}", ISSUED.as_base64())
    assert send(adapter, certificate("Client-Cert"), value).status == 401


# -- Envoy ----------------------------------------------------------------------------------------


OTHER = AUTHORITY.issue(uris=["spiffe://example.org/admin"])


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        (f"{OTHER.as_envoy()},{ISSUED.as_envoy()}", SPIFFE),  # APPEND_FORWARD
        (f"{OTHER.as_envoy()}, {ISSUED.as_envoy()}", SPIFFE),  # two lines
        (f'Subject="CN=\\"x\\",O=a;b,c=d",{ISSUED.as_envoy()}', SPIFFE),
        (f'Hash="x,{ISSUED.as_envoy()}', None),  # a quote that is never closed
        (f'{ISSUED.as_envoy()};Subject="x', None),
        (f'Subject="a"b",{ISSUED.as_envoy()}', None),
        (f"{ISSUED.as_envoy()},", None),
        (f"{ISSUED.as_envoy()},By=x", None),  # neither a certificate nor its hash
        (f"{ISSUED.as_envoy(cert=False)};Hash={'0' * 64}", None),
        (f"{ISSUED.as_envoy()};{OTHER.as_envoy()}", None),
        (f"{ISSUED.as_envoy(cert=False)};URI={SPIFFE}/admin", None),  # two subjects
        (f'Hash=x;Cert="{ISSUED.as_nginx()}"', SPIFFE),
        ("Hash=xyz;URI=spiffe://a", None),
        ("", None),
        (";", None),
        ("=", None),
        ("Hash", None),
    ],
)
@both_adapters
def test_only_the_last_element_of_a_well_formed_header_counts(
    adapter: Adapter, value: str, subject: str | None
) -> None:
    answer = send(adapter, certificate("X-Forwarded-Client-Cert"), value)
    assert answer.status == (401 if subject is None else 200)
    if subject is not None:
        assert answer.body == subject.encode()


# -- the server's own TLS -------------------------------------------------------------------------


def test_the_server_can_tell_the_certificate_itself() -> None:
    asgi, wsgi = ADAPTERS
    scheme = ClientCertificate(from_server=True)
    tls: dict[str, Any] = {
        "server_cert": None,
        "client_cert_chain": [ISSUED.pem, OTHER.pem],
        "client_cert_name": "CN=billing",
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": None,
    }
    assert send(asgi, scheme, None, scope={"extensions": {"tls": tls}}).status == 200
    for change in ({"client_cert_error": "expired"}, {"client_cert_chain": ()}):
        extensions = {"tls": tls | change}
        assert send(asgi, scheme, None, scope={"extensions": extensions}).status == 401
    nothing: list[Any] = [{}, ...]
    for extensions in nothing:
        assert send(asgi, scheme, None, scope={"extensions": extensions}).status == 401
    environ = {"SSL_CLIENT_CERT": ISSUED.pem}
    assert send(wsgi, scheme, None, environ=environ).status == 200
    assert (
        send(wsgi, scheme, None, environ=environ | {"SSL_CLIENT_VERIFY": "SUCCESS"}).status == 200
    )
    for result in ("NONE", "GENEROUS", "FAILED:expired"):
        assert (
            send(wsgi, scheme, None, environ=environ | {"SSL_CLIENT_VERIFY": result}).status == 401
        )
    assert send(wsgi, scheme, None, environ={"SSL_CLIENT_CERT": ""}).status == 401
    # A header can't stand for either.
    for adapter in ADAPTERS:
        headers = [("SSL-Client-Cert", ISSUED.as_apache()), ("X-Client-Cert", ISSUED.as_nginx())]
        assert send(adapter, scheme, None, headers=headers).status == 401


# -- hostile headers ------------------------------------------------------------------------------


FORMS: dict[Any, str] = {
    "pem": ISSUED.as_nginx(),
    "xfcc": ISSUED.as_envoy(),
    "rfc9440": ISSUED.as_rfc9440(),
    "base64": ISSUED.as_base64(),
}


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_header_is_refused_and_raises_nothing_else(
    form: Any, data: st.DataObject
) -> None:
    value = FORMS[form]
    place = data.draw(st.integers(0, len(value)))
    length = data.draw(st.integers(0, 40))
    text = data.draw(st.text(st.characters(max_codepoint=255), max_size=6))
    try:
        read: object = reader(form)(value[:place] + text + value[place + length :])
    except InvalidCredential as error:
        read = error
    assert isinstance(read, PresentedCertificate | InvalidCredential)
    assert "BEGIN" not in str(read)


@given(value=st.text(st.characters(max_codepoint=255), max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(value: str) -> None:
    for form in FORMS:
        with pytest.raises(InvalidCredential):
            reader(form)(value)


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({}, ValueError, "from_server=True"),
        ({"header": "X-Client-Cert"}, ValueError, "trusted_proxies"),
        ({"header": "X-Client-Cert", "trusted_proxies": PROXIES[0]}, TypeError, "list"),
        (
            {"header": "X-Client-Cert", "trusted_proxies": ["0.0.0.0/0"]},
            ValueError,
            "every address",
        ),
        ({"header": "X Client", "trusted_proxies": PROXIES}, ValueError, "header"),
        ({"header": 1, "trusted_proxies": PROXIES}, TypeError, "header"),
        ({"header": "X", "trusted_proxies": PROXIES, "form": "der"}, ValueError, "form"),
        ({"header": "X", "trusted_proxies": PROXIES, "subject": "cn"}, ValueError, "subject"),
        ({"header": "X", "trusted_proxies": PROXIES, "subject": 1}, TypeError, "subject"),
        ({"header": "X", "trusted_proxies": PROXIES, "from_server": True}, ValueError, "combined"),
        ({"from_server": True, "trusted_proxies": PROXIES}, ValueError, "apply to a header"),
        ({"from_server": True, "form": "pem"}, ValueError, "apply to a header"),
        ({"head": "X"}, TypeError, "header"),
    ],
)
def test_options_that_are_wrong_are_refused(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        ClientCertificate(**options)
