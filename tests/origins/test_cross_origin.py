"""Unsafe requests of other sites are refused, and all others pass."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mantlet
from mantlet import Authenticator, CrossOrigin, ErrorEnvelope, Identity, Request
from mantlet.authentication.scheme import Scheme
from tests.drive import ADAPTERS, Adapter, both_adapters, drive_asgi, drive_wsgi, hello

HOST = ("Host", "app.example")
COOKIE = ("Cookie", "session=1")
EVIL = ("Origin", "https://evil.example")
OWN = ("Origin", "https://app.example")
CROSS = ("Sec-Fetch-Site", "cross-site")
POLICY = CrossOrigin()
Fields = list[tuple[str, str]]


def status(
    adapter: Adapter,
    method: str,
    fields: Fields,
    policy: CrossOrigin = POLICY,
    path: str = "/",
    **raw: Any,
) -> int | None:
    """Send a request with a session; return its status."""
    if all(name != "Host" for name, _ in fields):
        fields = [HOST, *fields]
    return adapter.drive(adapter.wrap(hello, policy), method, path, headers=fields, **raw).status


# -- The algorithm of Go, whose table of cases this is (src/net/http/csrf_test.go, BSD) ------------


@both_adapters
@pytest.mark.parametrize(
    ("method", "site", "origin", "expected"),
    [
        ("POST", "same-origin", None, 200),
        ("POST", "none", None, 200),
        ("POST", "cross-site", None, 403),
        ("POST", "same-site", None, 403),
        ("POST", None, None, 200),
        ("POST", None, "https://app.example", 200),
        ("POST", None, "https://attacker.example", 403),
        ("POST", None, "null", 403),
        ("GET", "cross-site", None, 200),
        ("HEAD", "cross-site", None, 200),
        ("OPTIONS", "cross-site", None, 200),
        ("PUT", "cross-site", None, 403),
        ("GET", None, "https://attacker.example", 200),
        ("PUT", "same-origin", "https://attacker.example", 200),
    ],
)
def test_the_table_of_go(
    adapter: Adapter, method: str, site: str | None, origin: str | None, expected: int
) -> None:
    """With cookies, as a browser sends them."""
    fields = [COOKIE]
    fields += [("Sec-Fetch-Site", site)] if site else []
    fields += [("Origin", origin)] if origin else []
    assert status(adapter, method, fields) == expected


@both_adapters
@pytest.mark.parametrize(
    "site",
    ["", "Same-Origin", "same-origin ", "same-origin, cross-site", "none;x", "unknown", "\x00"],
)
def test_an_unknown_site_is_another_one(adapter: Adapter, site: str) -> None:
    """Also one of a browser to come, and a repeated header."""
    assert status(adapter, "POST", [COOKIE, ("Sec-Fetch-Site", site)]) == 403


@both_adapters
def test_a_repeated_header_is_no_proof(adapter: Adapter) -> None:
    """Whichever comes first."""
    own = ("Sec-Fetch-Site", "same-origin")
    for fields in ([own, CROSS], [CROSS, own]):
        assert status(adapter, "POST", [COOKIE, *fields]) == 403
    assert status(adapter, "POST", [COOKIE, OWN, EVIL]) == 403


# -- Browsers without Sec-Fetch-Site, and over http ------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        ("app.example", "https://app.example", 200),
        ("app.example", "http://app.example", 200),  # the scheme is unknown behind proxies
        ("App.Example", "https://app.example", 200),
        ("app.example:8443", "https://app.example:8443", 200),
        ("app.example:443", "https://app.example", 200),
        ("app.example:80", "http://app.example", 200),
        ("[::1]:8000", "http://[::1]:8000", 200),
        ("app.example:80", "https://app.example", 403),
        ("app.example", "https://app.example:8443", 403),
        ("app.example:8443", "https://app.example", 403),
        ("app.example", "https://app.example.evil.example", 403),
        ("app.example", "https://evil.example/app.example", 403),
        ("app.example", "https://evil@app.example", 403),
        ("app.example", "https://sub.app.example", 403),
        ("app.example", "app.example", 403),
        ("app.example", "null", 403),
        ("app.example", "", 403),
        ("", "https://app.example", 403),
        ("app.example, evil.example", "https://evil.example", 403),
    ],
)
def test_the_origin_is_compared_with_the_host(
    adapter: Adapter, host: str, origin: str, expected: int
) -> None:
    """Host and port have to be the same."""
    assert status(adapter, "POST", [("Host", host), COOKIE, ("Origin", origin)]) == expected


# -- Requests that a form could not send -----------------------------------------------------------


@both_adapters
def test_api_requests_without_credentials_pass(adapter: Adapter) -> None:
    """They act on behalf of nobody; a token of the script's own is no cookie."""
    cors = ("Sec-Fetch-Mode", "cors")
    for fields in (
        [],
        [("Authorization", "Bearer abc")],
        [("authorization", "bearer abc")],
        [("Authorization", "DPoP abc")],
        [("X-API-Key", "abc")],
    ):
        assert status(adapter, "POST", [CROSS, EVIL, cors, *fields]) == 200
        assert status(adapter, "POST", [EVIL, *fields]) == 200


@both_adapters
@pytest.mark.parametrize(
    "credential",
    [
        COOKIE,
        ("Authorization", "Basic YTpi"),
        ("Authorization", "Digest username=a"),
        ("Authorization", "Negotiate YII="),
        ("Authorization", "NTLM TlRM"),
        ("Authorization", "Bearer"),
        ("Authorization", ""),
    ],
)
def test_credentials_that_browsers_add_count(adapter: Adapter, credential: tuple[str, str]) -> None:
    """All that a user has typed or been given once."""
    cors = ("Sec-Fetch-Mode", "cors")
    assert status(adapter, "POST", [CROSS, EVIL, cors, credential]) == 403
    assert status(adapter, "POST", [EVIL, credential]) == 403


def test_client_certificates_count() -> None:
    """As servers report them."""
    fields = [HOST, CROSS, EVIL, ("Sec-Fetch-Mode", "cors")]
    asgi, wsgi = (adapter.wrap(hello, POLICY) for adapter in ADAPTERS)
    for chain, name, expected in (
        ([], None, 200),
        (["PEM"], "CN=a", 403),
        ([], "CN=a", 403),
        (["PEM"], "", 403),  # names are in its subject alternative name alone
    ):
        tls = {
            "server_cert": None,
            "client_cert_chain": chain,
            "client_cert_name": name,
            "client_cert_error": None,
            "tls_version": None,
            "cipher_suite": None,
        }
        scope = {"extensions": {"tls": tls}}
        assert drive_asgi(asgi, "POST", headers=fields, scope=scope).status == expected
    for verified, expected in (("NONE", 200), ("SUCCESS", 403), ("GENEROUS", 403), ("", 200)):
        environ = {"SSL_CLIENT_VERIFY": verified}
        assert drive_wsgi(wsgi, "POST", headers=fields, environ=environ).status == expected


@pytest.mark.parametrize("key", ["SSL_CLIENT_CERT", "REMOTE_USER", "AUTH_TYPE"])
def test_what_the_server_has_authenticated_counts(key: str) -> None:
    """Apache keeps the credential to itself."""
    fields = [HOST, CROSS, EVIL, ("Sec-Fetch-Mode", "cors")]
    wsgi = ADAPTERS[1].wrap(hello, POLICY)
    for value, expected in (("x", 403), ("", 200)):
        assert drive_wsgi(wsgi, "POST", headers=fields, environ={key: value}).status == expected


class Network(Scheme):
    """A scheme of the app's own, for what a proxy says or the app knows by itself."""

    name = "network"
    header = "X-Known-Client"

    source = header

    def __init__(self, *, is_ambient: bool) -> None:
        self.is_ambient = is_ambient

    def find(self, request: Request) -> str | None:
        return request.headers.get(self.header)

    def verify(self, request: Request, credential: str) -> Identity:
        return Identity(credential, self.name)


@both_adapters
def test_what_the_authenticator_takes_for_ambient_counts(adapter: Adapter) -> None:
    """In whichever header a proxy forwards it."""
    fields = [HOST, CROSS, EVIL, ("Sec-Fetch-Mode", "cors"), ("X-Known-Client", "ada")]
    for is_ambient, expected in ((True, 403), (False, 200)):
        scheme = Network(is_ambient=is_ambient)
        stack = adapter.wrap(hello, Authenticator(scheme), POLICY)
        assert adapter.drive(stack, "POST", headers=fields).status == expected


@both_adapters
@pytest.mark.parametrize("mode", ["navigate", "no-cors"])
def test_forms_and_beacons_are_refused_without_credentials(adapter: Adapter, mode: str) -> None:
    """They could log the user in to the account of the attacker."""
    assert status(adapter, "POST", [CROSS, EVIL, ("Sec-Fetch-Mode", mode)]) == 403


@both_adapters
def test_a_form_over_plain_http_is_refused_without_credentials(adapter: Adapter) -> None:
    """Browsers tell no site and no mode there (as Chromium sends it to a host but localhost)."""
    origin = ("Origin", "http://evil.example")
    assert status(adapter, "POST", [origin, ("Upgrade-Insecure-Requests", "1")]) == 403
    assert status(adapter, "POST", [origin]) == 200  # or a script's
    assert status(adapter, "POST", [OWN, ("Upgrade-Insecure-Requests", "1")]) == 200


@both_adapters
def test_requests_without_credentials_may_be_refused(adapter: Adapter) -> None:
    """Where the network is a credential."""
    policy = CrossOrigin(without_credentials="refuse")
    assert status(adapter, "POST", [CROSS, EVIL, ("Sec-Fetch-Mode", "cors")], policy) == 403
    assert status(adapter, "POST", [EVIL], policy) == 403
    assert status(adapter, "POST", [], policy) == 200


# -- Unsafe in other ways --------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "field",
    [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Method-Override", "DELETE"),
        ("X-HTTP-Method", "delete"),
    ],
)
def test_a_header_that_replaces_the_method_makes_it_unsafe(
    adapter: Adapter, method: str, field: tuple[str, str]
) -> None:
    """A middleware in the app may read it."""
    assert status(adapter, method, [CROSS, COOKIE, field]) == 403
    assert status(adapter, method, [COOKIE, field, EVIL]) == 403
    assert status(adapter, method, [COOKIE, field, OWN]) == 200


@pytest.mark.parametrize("method", ["TRACE", "PATCH", "CONNECT", "PURGE", "PROPFIND"])
def test_other_methods_are_unsafe(method: str) -> None:
    """Whatever they are."""
    assert status(ADAPTERS[0], method, [CROSS, COOKIE]) == 403


def test_handshakes_under_wsgi() -> None:
    """Servers and extensions for WebSockets under WSGI begin with a GET request."""
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade"), COOKIE]
    adapter = ADAPTERS[1]
    assert status(adapter, "GET", [*upgrade, EVIL]) == 403
    assert status(adapter, "GET", [*upgrade, CROSS]) == 403
    assert status(adapter, "GET", [*upgrade, OWN]) == 200
    assert status(adapter, "GET", upgrade) == 200


def handshake(fields: Fields, policy: CrossOrigin = POLICY) -> list[dict[str, Any]]:
    """Open a WebSocket under ASGI; return what is sent to the server."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})

    sent: list[dict[str, Any]] = []

    async def run() -> None:
        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(name.lower().encode(), value.encode()) for name, value in [HOST, *fields]]
        scope = {
            "type": "websocket",
            "path": "/ws",
            "headers": headers,
            "extensions": {"websocket.http.response": {}},
        }
        await mantlet.asgi.wrap(app, policy, baseline=False)(scope, receive, send)

    asyncio.run(run())
    return sent


@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ([COOKIE, OWN], True),
        ([COOKIE, OWN, ("Sec-Fetch-Site", "same-origin")], True),
        ([COOKIE], True),  # no browser
        ([COOKIE, EVIL], False),
        ([COOKIE, EVIL, CROSS, ("Sec-Fetch-Mode", "websocket")], False),
        ([COOKIE, ("Origin", "null")], False),
        ([COOKIE, ("Origin", "https://sub.app.example"), ("Sec-Fetch-Site", "same-site")], False),
        ([EVIL, CROSS, ("Sec-Fetch-Mode", "websocket")], True),  # without credentials
    ],
)
def test_handshakes_under_asgi(fields: Fields, passes: bool) -> None:
    """Another site can open a WebSocket with the user's cookies, and CORS does not apply."""
    sent = handshake(fields)
    expected = "websocket.accept" if passes else "websocket.http.response.start"
    assert sent[0]["type"] == expected
    assert passes or sent[0]["status"] == 403


def test_a_handshake_of_a_trusted_origin() -> None:
    """Passes like its other requests."""
    policy = CrossOrigin(trusted="https://evil.example")
    assert handshake([COOKIE, EVIL, CROSS], policy)[0]["type"] == "websocket.accept"


# -- Trust, exemptions, modes ----------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://admin.example", 200),
        ("https://a.partner.example", 200),
        ("https://partner.example", 403),
        ("http://admin.example", 403),
        ("https://admin.example.", 403),
        ("https://admin.example, https://evil.example", 403),
        ("null", 403),
    ],
)
def test_trusted_origins(adapter: Adapter, origin: str, expected: int) -> None:
    """By the header Origin, also of a site that the browser calls another one."""
    policy = CrossOrigin(trusted=["https://admin.example", "https://*.partner.example"])
    for site in (CROSS, ("Sec-Fetch-Site", "same-site")):
        assert status(adapter, "POST", [site, COOKIE, ("Origin", origin)], policy) == expected
    assert status(adapter, "POST", [COOKIE, ("Origin", origin)], policy) == expected
    assert status(adapter, "POST", [COOKIE, CROSS], policy) == 403


EXEMPT = CrossOrigin(exempt=["POST /saml/acs", "POST /hooks/{name}", "POST /open/*"])


@both_adapters
@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/saml/acs", 200),
        ("POST", "/hooks/payments", 200),
        ("POST", "/open/", 200),
        ("POST", "/open/a/b", 200),
        ("PUT", "/saml/acs", 403),
        ("POST", "/saml", 403),
        ("POST", "/saml/acs/", 403),  # another route, maybe (as in Go, GO-2025-3955)
        ("POST", "/saml//acs", 403),
        ("POST", "//saml/acs", 403),
        ("POST", "/saml/./acs", 403),
        ("POST", "/x/../saml/acs", 403),
        ("POST", "/open/../admin", 403),
        ("POST", "/open/a;b", 403),
        ("POST", "/open/..\\admin", 403),
        ("POST", "/hooks/a/b", 403),
        ("POST", "/hooks/", 403),
        ("POST", "/SAML/ACS", 403),
    ],
)
def test_exempt_routes(adapter: Adapter, method: str, path: str, expected: int) -> None:
    """Only paths that all readers take alike."""
    assert status(adapter, method, [CROSS, EVIL, COOKIE], EXEMPT, path) == expected


@pytest.mark.parametrize("path", ["http://app.example/saml/acs", "saml/acs", ""])
def test_a_target_in_another_form_is_not_exempt(path: str) -> None:
    """Servers pass it on under ASGI, and apps differ in how they read it."""
    assert status(ADAPTERS[0], "POST", [CROSS, EVIL, COOKIE], EXEMPT, path) == 403


@both_adapters
def test_a_path_with_escapes_is_not_exempt(adapter: Adapter) -> None:
    """As sent, where the server tells."""
    raw: dict[str, Any] = (
        {"scope": {"raw_path": b"/saml/%61cs"}}
        if adapter.name == "asgi"
        else {"environ": {"RAW_URI": "/saml/%61cs?a=b"}}
    )
    assert status(adapter, "POST", [CROSS, COOKIE], EXEMPT, "/saml/acs", **raw) == 403


@both_adapters
def test_a_header_that_replaces_the_method_is_not_exempt(adapter: Adapter) -> None:
    """Unless that method is exempt as well."""
    override = ("X-HTTP-Method-Override", "DELETE")
    assert status(adapter, "POST", [CROSS, COOKIE, override], EXEMPT, "/saml/acs") == 403


@both_adapters
def test_a_root_path_is_another_reading(adapter: Adapter) -> None:
    """An app that does not remove it would route the request elsewhere."""
    policy = CrossOrigin(exempt=["POST /api/hook"])
    raw: dict[str, Any] = (
        {"scope": {"root_path": "/api", "raw_path": ...}}
        if adapter.name == "asgi"
        else {"environ": {"SCRIPT_NAME": "/api", "PATH_INFO": "/hook"}}
    )
    assert status(adapter, "POST", [CROSS, COOKIE], policy, "/api/hook", **raw) == 403


@both_adapters
def test_a_refusal_is_a_problem(adapter: Adapter) -> None:
    """That repeats nothing of the request."""
    app = adapter.wrap(hello, ErrorEnvelope(), POLICY)
    answer = adapter.drive(app, "POST", headers=[HOST, CROSS, EVIL, COOKIE])
    assert answer.status == 403
    assert answer.json()["detail"] == "The request comes from another site."
    assert answer.get("content-type") == "application/problem+json"
    assert answer.get("cache-control") == "no-store"


@both_adapters
def test_report_mode(adapter: Adapter, caplog: pytest.LogCaptureFixture) -> None:
    """It logs, and lets the request pass."""
    policy = CrossOrigin(mode="report")
    assert status(adapter, "POST", [CROSS, COOKIE], policy) == 200
    assert "CrossOrigin would have answered with 403" in caplog.text
    assert status(adapter, "POST", [CROSS, COOKIE], CrossOrigin(mode="off")) == 200
    by_route = CrossOrigin(mode={"POST /": "report"})
    assert status(adapter, "POST", [CROSS, COOKIE], by_route) == 200
    assert status(adapter, "POST", [CROSS, COOKIE], by_route, "/other") == 403


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"exempt": "POST /x"}, TypeError, "exempt must be a list"),
        ({"exempt": ["POST x"]}, ValueError, "x"),
        ({"exempt": [1]}, TypeError, "1"),
        ({"exempt": None}, TypeError, "exempt must be a list"),
        ({"without_credentials": True}, ValueError, 'must be "pass" or "refuse"'),
        ({"trust": ["https://a.example"]}, TypeError, "did you mean 'trusted'"),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """Are refused at construction."""
    with pytest.raises(error, match=message):
        CrossOrigin(**options)


# -- A model ---------------------------------------------------------------------------------------

sites = st.sampled_from([None, "same-origin", "same-site", "cross-site", "none", "else"])
origins = st.sampled_from(
    [None, "null", "https://app.example", "https://evil.example", "https://admin.example"]
)
credentials = st.sampled_from([None, COOKIE, ("Authorization", "Basic YTpi")])
fetch_modes = st.sampled_from([None, "cors", "navigate", "no-cors", "same-origin"])


@given(st.sampled_from(["GET", "HEAD", "POST", "DELETE"]), sites, origins, credentials, fetch_modes)
def test_a_refused_request_is_an_attack(
    method: str,
    site: str | None,
    origin: str | None,
    credential: tuple[str, str] | None,
    mode: str | None,
) -> None:
    """And every attack is refused: the rules once more, as one expression."""
    is_from_elsewhere = (
        site not in ("same-origin", "none")
        if site is not None
        else origin not in (None, "https://app.example")
    )
    is_attack = (
        method in ("POST", "DELETE")
        and is_from_elsewhere
        and origin != "https://admin.example"
        and (credential is not None or mode in ("navigate", "no-cors"))
    )
    fields = [credential] if credential else []
    fields += [("Sec-Fetch-Site", site)] if site else []
    fields += [("Origin", origin)] if origin else []
    fields += [("Sec-Fetch-Mode", mode)] if mode else []
    policy = CrossOrigin(trusted="https://admin.example")
    for adapter in ADAPTERS:
        assert status(adapter, method, fields, policy) == (403 if is_attack else 200)


def test_the_app_is_not_called() -> None:
    """Nothing of it runs for a refused request."""
    called: list[Any] = []

    def app(carrier: Any) -> Any:
        called.append(carrier)
        return 200, [], b""

    for adapter in ADAPTERS:
        reply = adapter.drive(adapter.wrap(app, POLICY), "POST", headers=[HOST, CROSS, COOKIE])
        assert reply.status == 403
    assert not called
