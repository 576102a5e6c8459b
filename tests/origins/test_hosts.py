"""The app gets requests for its own hosts alone, with one Host, and only over https if asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from a2wsgi import WSGIMiddleware
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.middleware.proxy_fix import ProxyFix

import mantlet
from mantlet import Cors, ErrorEnvelope, Health, Hosts
from tests.drive import ADAPTERS, Adapter, Answer, both_adapters, drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tests.drive import Said

ALLOWED = ["example.com", "*.example.org", "localhost:8000", "[::1]", "[::1]:8000", "127.0.0.1"]
POLICY = Hosts(allowed=ALLOWED)
PROXY = "10.0.0.7"
PROXIED = Hosts(allowed=ALLOWED, https=True, trusted_proxies=["10.0.0.0/8"])
Fields = list[tuple[str, str]]


def told(carrier: MutableMapping[str, Any]) -> Said:
    """Answer with the host headers that the app gets."""
    if "headers" in carrier:
        pairs = [(name.decode(), value.decode()) for name, value in carrier["headers"]]
    else:
        pairs = [
            (key[5:].replace("_", "-").lower(), value)
            for key, value in carrier.items()
            if key.startswith("HTTP_")
        ]
    words = [f"{name}: {value}" for name, value in sorted(pairs)]
    return 200, [("content-type", "text/plain")], "\n".join(words).encode()


def ask(adapter: Adapter, fields: Fields, policy: Hosts = POLICY, *args: Any, **raw: Any) -> Answer:
    """Send a request."""
    return adapter.drive(adapter.wrap(told, policy), *args, headers=fields, **raw)


# -- Host ------------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com"),
        ("example.com:80", "example.com"),
        ("www.example.org", "www.example.org"),
        ("WWW.example.org.:80", "www.example.org"),
        ("localhost:8000", "localhost:8000"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[0::1]:8000", "[::1]:8000"),
        ("[::1]:80", "[::1]"),
        # Another host:
        ("evil.example", 421),
        ("example.com.evil.example", 421),
        ("evilexample.com", 421),
        ("example.org", 421),
        ("a.b.example.org", 421),
        ("*.example.org", 400),
        ("localhost", 421),
        ("127.0.0.2", 421),
        ("[::2]", 421),
        # Another port:
        ("example.com:8080", 421),
        ("example.com:443", 421),
        ("localhost:8001", 421),
        ("localhost:80", 421),
        # No host:
        ("", 400),
        (" ", 400),
        (".", 400),
        ("example.com..", 400),
        (".example.com", 400),
        ("user@example.com", 400),
        ("user:password@example.com", 400),
        ("example.com@evil.example", 400),
        ("example.com, example.com", 400),
        ("example.com evil.example", 400),
        ("example.com/path", 400),
        ("example.com?x", 400),
        ("example.com#x", 400),
        ("example.com\\evil.example", 400),
        ("http://example.com", 400),
        ("example.com:", 400),
        ("example.com:0", 400),
        ("example.com:080", 400),
        ("example.com:http", 400),
        ("example.com:80:80", 400),
        ("example.com:99999", 400),
        ("example.com%00", 400),
        ("ex\xe4mple.com", 400),
        ("[::1", 400),
        ("::1", 400),
        ("[::1%25lo]", 400),
        ("[::1]evil.example", 400),
        ("127.1", 400),
        ("0x7f000001", 400),
        ("a" * 300, 400),
    ],
)
def test_hosts(adapter: Adapter, host: str, expected: str | int) -> None:
    """The app gets an allowed one in its usual spelling, and the others not at all."""
    answer = ask(adapter, [("Host", host)])
    if isinstance(expected, int):
        assert answer.status == expected
        assert host.encode() not in answer.body or len(host) < 3
    else:
        assert (answer.status, answer.body.decode()) == (200, f"host: {expected}")


def test_a_missing_host() -> None:
    """Is refused, of HTTP/1.0 too, where apps would use the server's own name."""
    assert ask(ADAPTERS[0], []).status == 400
    assert ask(ADAPTERS[1], [], environ={"HTTP_HOST": ...}).status == 400


@both_adapters
def test_a_repeated_host(adapter: Adapter) -> None:
    """Is refused, the same twice as well (RFC 9112, 3.2)."""
    for second in ("evil.example", "example.com"):
        assert ask(adapter, [("Host", "example.com"), ("Host", second)]).status == 400


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30))
def test_no_other_text_reaches_the_app(text: str) -> None:
    """Whatever is around an allowed host."""
    usual = {"host: example.com", "host: 127.0.0.1", "host: [::1]", "host: localhost:8000"}
    for adapter in ADAPTERS:
        for host in (text, f"{text}example.com", f"example.com{text}"):
            answer = ask(adapter, [("Host", host)])
            if answer.status == 200:
                body = answer.body.decode()
                assert body in usual or body.endswith((".example.org", ":8000"))
            else:
                assert answer.status in (400, 421)


# -- Targets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", 200),
        ("*", 200),
        ("http://example.com/", 200),
        ("http://EXAMPLE.com:80/x", 200),
        ("http://example.com", 200),
        ("http://evil.example/", 400),
        ("http://www.example.org/", 400),  # allowed, but not the host
        ("http://example.com:8080/", 400),
        ("http://user@example.com/", 400),
        ("http://example.com@evil.example/", 400),
        ("ftp://example.com/", 400),
        ("http:example.com", 400),
        ("example.com:80", 400),
        ("login", 400),
        ("//evil.example/", 200),  # a path
    ],
)
def test_targets_in_absolute_form(target: str, expected: int) -> None:
    """A server must take the target's host (RFC 9112, 3.2.2), and apps take the header's."""
    fields = [("Host", "example.com")]
    scope = {"path": target, "raw_path": target.encode()}
    app = mantlet.asgi.wrap(ADAPTERS[0].app(told), POLICY, baseline=False)  # type: ignore[arg-type]
    assert drive_asgi(app, "GET", target, headers=fields, scope=scope).status == expected
    for key in ("RAW_URI", "REQUEST_URI"):
        assert ask(ADAPTERS[1], fields, environ={key: target}).status == expected


# -- Headers in the place of Host ------------------------------------------------------------------

OTHERS = [
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "8080"),
    ("X-Forwarded-Server", "evil.example"),
    ("X-Host", "evil.example"),
    ("X-HTTP-Host-Override", "evil.example"),
    ("X-Original-Host", "evil.example"),
]


@both_adapters
def test_other_headers_do_not_reach_the_app(adapter: Adapter) -> None:
    """A framework or a middleware may believe each of them."""
    answer = ask(adapter, [("Host", "example.com"), *OTHERS, ("X-Other", "1")])
    assert answer.body == b"host: example.com\nx-other: 1"


@both_adapters
@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("www.example.org", "www.example.org"),
        ("Example.com:443", "example.com"),
        ("evil.example, example.com", "example.com"),
        ("example.com,  www.example.org ", "www.example.org"),
        ("example.com:80", 421),
        ("example.com, evil.example", 421),
        ("evil.example", 421),
        ("user@example.com", 400),
        ("", 400),
        ("example.com,", 400),
    ],
)
def test_the_host_of_a_trusted_proxy(adapter: Adapter, forwarded: str, expected: str | int) -> None:
    """Takes the place of the header, and is checked as well: proxies pass on what they get."""
    fields = [("Host", "backend"), ("X-Forwarded-Host", forwarded), ("X-Forwarded-Proto", "https")]
    answer = ask(adapter, fields, PROXIED, client=PROXY)
    if isinstance(expected, int):
        assert answer.status == expected
    else:
        assert answer.body.decode() == f"host: {expected}\nx-forwarded-proto: https"


@both_adapters
def test_the_host_of_anyone_else_is_ignored(adapter: Adapter) -> None:
    """Also where proxies are trusted."""
    fields = [("Host", "example.com"), ("X-Forwarded-Host", "www.example.org")]
    assert ask(adapter, fields, PROXIED).status == 308  # and not trusted with the scheme
    assert ask(adapter, fields).body == b"host: example.com"


@both_adapters
@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("for=192.0.2.1;proto=https", 200),
        ("for=192.0.2.1;host=example.com", 200),
        ('host="EXAMPLE.com:80"', 200),
        ("host=example.com, host=evil.example", 421),
        ("host=evil.example, host=example.com", 421),
        ("HOST=evil.example", 421),
        ('host="evil.example', 421),
        ("for=1;host", 421),
        ("host=" + "a" * 1000, 421),
        ("for=1," * 200 + "host=evil.example", 421),
    ],
)
def test_hosts_in_forwarded(adapter: Adapter, forwarded: str, expected: int) -> None:
    """All of them must be allowed, since the header has to stay for other uses."""
    fields = [("Host", "example.com"), ("Forwarded", forwarded)]
    assert ask(adapter, fields).status == expected


# -- https -----------------------------------------------------------------------------------------

HTTPS = Hosts(allowed=ALLOWED, https=True, allow_http=["GET /.well-known/acme-challenge/*"])


@both_adapters
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("host", "path", "query", "location"),
    [
        ("example.com", "/a/b", "x=1&y=%20", "https://example.com/a/b?x=1&y=%20"),
        ("EXAMPLE.com.:80", "/", "", "https://example.com/"),
        ("localhost:8000", "/", "", "https://localhost/"),
        ("[::1]:8000", "/", "", "https://[::1]/"),
        ("example.com", "//evil.example/", "", "https://example.com//evil.example/"),
        ("example.com", "/%0d%0aSet-Cookie:%20a", "", "https://example.com/%0d%0aSet-Cookie:%20a"),
        ("example.com", "/\xe4", "\xe4", "https://example.com/%E4?%E4"),
        ("example.com", '/"<>', '"', "https://example.com/%22%3C%3E?%22"),
    ],
)
def test_redirects(
    adapter: Adapter, method: str, *, host: str, path: str, query: str, location: str
) -> None:
    """To the checked host, and nowhere else."""
    target = path.encode("latin-1")
    raw: dict[str, Any] = (
        {"scope": {"raw_path": target, "query_string": query.encode("latin-1")}}
        if adapter.name == "asgi"
        else {"environ": {"RAW_URI": path, "QUERY_STRING": query}}
    )
    answer = ask(adapter, [("Host", host)], HTTPS, method, **raw)
    assert answer.status == 308
    assert answer.get("location") == location
    assert answer.get("cache-control") == "no-store"
    assert answer.body == b""


@both_adapters
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_requests_that_are_refused_over_http(adapter: Adapter, method: str) -> None:
    """A browser that follows a redirect would send the body in the clear again."""
    answer = ask(adapter, [("Host", "example.com")], HTTPS, method)
    assert (answer.status, answer.get("location")) == (403, None)


def test_an_upgrade_is_refused_over_http() -> None:
    """A WebSocket follows no redirect."""
    fields = [("Host", "example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
    assert ask(ADAPTERS[1], fields, HTTPS).status == 403


@both_adapters
def test_hosts_come_before_https(adapter: Adapter) -> None:
    """There is no redirect for another host."""
    for fields, status in (([("Host", "evil.example")], 421), ([("Host", "a@b")], 400)):
        answer = ask(adapter, fields, HTTPS)
        assert (answer.status, answer.get("location")) == (status, None)


@both_adapters
def test_requests_over_https_pass(adapter: Adapter) -> None:
    """As the server or a trusted proxy says; the default port is that of https."""
    raw: dict[str, Any] = (
        {"scope": {"scheme": "https"}}
        if adapter.name == "asgi"
        else {"environ": {"wsgi.url_scheme": "https"}}
    )
    for host in ("example.com", "example.com:443"):
        assert ask(adapter, [("Host", host)], HTTPS, "POST", **raw).body == b"host: example.com"
    assert ask(adapter, [("Host", "example.com:80")], HTTPS, **raw).status == 421
    forwarded = [("Host", "example.com"), ("X-Forwarded-Proto", "https")]
    assert ask(adapter, forwarded, PROXIED, client=PROXY).status == 200
    assert ask(adapter, forwarded, PROXIED).status == 308  # of somebody else
    assert ask(adapter, forwarded, HTTPS, client=PROXY).status == 308
    insecure = [("Host", "example.com"), ("X-Forwarded-Proto", "http")]
    assert ask(adapter, insecure, PROXIED, client=PROXY).status == 308


@both_adapters
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/.well-known/acme-challenge/token", 200),
        ("POST", "/.well-known/acme-challenge/token", 403),
        ("GET", "/.well-known/acme-challenge/../../admin", 308),
        ("GET", "/.well-known/other", 308),
    ],
)
def test_challenges_of_certificates(adapter: Adapter, method: str, path: str, status: int) -> None:
    """May come over http, for allowed hosts (RFC 8555, 8.3)."""
    assert ask(adapter, [("Host", "example.com")], HTTPS, method, path).status == status
    assert ask(adapter, [("Host", "evil.example")], HTTPS, method, path).status == 421


def handshake(fields: Fields, scheme: str, policy: Hosts = HTTPS) -> int | None:
    """Open a WebSocket; return the status of a refusal."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})

    sent: list[dict[str, Any]] = []

    async def run() -> None:
        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "scheme": scheme,
            "path": "/ws",
            "headers": [(name.lower().encode(), value.encode()) for name, value in fields],
            "extensions": {"websocket.http.response": {}},
        }
        await mantlet.asgi.wrap(app, policy, baseline=False)(scope, receive, send)

    asyncio.run(run())
    return sent[0].get("status")


def test_handshakes() -> None:
    """Are requests like any other, but for redirects, which clients do not follow."""
    host = [("Host", "example.com")]
    assert handshake(host, "wss") is None
    assert handshake(host, "ws", POLICY) is None
    assert handshake(host, "ws") == 403
    assert handshake([("Host", "evil.example")], "wss") == 421
    assert handshake([], "wss") == 400


# -- Beside other policies and frameworks ----------------------------------------------------------


@both_adapters
def test_health_checks_by_address(adapter: Adapter) -> None:
    """Load balancers ask the address of a host, over http; Health is further out."""
    app = adapter.wrap(told, ErrorEnvelope(), Health(), HTTPS)
    fields = [("Host", "192.0.2.10:8000")]
    assert adapter.drive(app, "GET", "/-/ready", headers=fields).status == 200
    answer = adapter.drive(app, "GET", "/", headers=fields)
    assert answer.status == 421
    assert answer.json()["detail"] == "This server does not serve the requested host."


@both_adapters
def test_refusals_can_be_read_by_other_origins(adapter: Adapter) -> None:
    """Cors is further out."""
    app = adapter.wrap(told, Cors(origins=["https://app.example"]), POLICY)
    fields = [("Host", "evil.example"), ("Origin", "https://app.example")]
    answer = adapter.drive(app, headers=fields)
    assert answer.status == 421
    assert answer.get("access-control-allow-origin") == "https://app.example"


@both_adapters
def test_report_mode(adapter: Adapter, caplog: pytest.LogCaptureFixture) -> None:
    """It logs, and changes nothing, not even a spelling."""
    policy = Hosts(allowed=["example.com"], https=True, mode="report")
    for host in ("evil.example", "EXAMPLE.com"):
        answer = ask(adapter, [("Host", host), ("X-Host", "a")], policy)
        assert answer.body.decode() == f"host: {host}\nx-host: a"
    assert "Hosts would have answered with 421" in caplog.text
    assert "Hosts would have answered with 308" in caplog.text
    assert "evil.example" not in caplog.text


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"allowed": []}, ValueError, "allowed must not be empty"),
        ({"allowed": None}, TypeError, "allowed must be a list"),
        ({"allowed": [1]}, TypeError, "allowed must hold texts"),
        ({"allowed": ["*"]}, ValueError, "one whole label"),
        ({"allowed": ["*.com"]}, ValueError, "that is your own"),
        ({"allowed": ["a*.example.com"]}, ValueError, "one whole label"),
        ({"allowed": ["https://example.com"]}, ValueError, "without a scheme and a path"),
        ({"allowed": ["example.com/"]}, ValueError, "without a scheme and a path"),
        ({"allowed": ["bücher.example"]}, ValueError, "in ASCII"),
        ({"allowed": ["::1"]}, ValueError, "allowed must hold hosts"),
        ({"allowed": ["example.com:0"]}, ValueError, "allowed must hold hosts"),
        ({"allowed": [""]}, ValueError, "allowed must hold hosts"),
        ({"https": 1}, TypeError, "https must be True or False"),
        ({"allow_http": ["GET /x"]}, ValueError, "no effect without https=True"),
        ({"allow_http": "GET /x", "https": True}, TypeError, "allow_http must be a list"),
        ({"trusted_proxies": ["0.0.0.0/0"]}, ValueError, "every address"),
        ({"trusted_proxies": "10.0.0.0/8"}, TypeError, "trusted_proxies must be a list"),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """Are refused at construction."""
    with pytest.raises(error, match=message):
        Hosts(**({"allowed": ["example.com"]} | options))


def test_one_host_needs_no_list() -> None:
    """And it may be written in any case."""
    assert ask(ADAPTERS[1], [("Host", "example.com")], Hosts(allowed="Example.com")).status == 200


@pytest.mark.parametrize("name", ["x_forwarded_host", "x-forwarded_host", "x_forwarded-host"])
def test_underscores_are_hyphens_to_a_wsgi_app_in_an_asgi_app(name: str) -> None:
    """A bridge makes one key of both (RFC 3875, 4.1.18)."""

    def bridged(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["HTTP_HOST"].encode()]

    believing: Any = ProxyFix(bridged, x_host=1)
    app = WSGIMiddleware(believing)
    fields = [("Host", "example.com"), (name, "evil.example")]
    assert drive_asgi(app, headers=fields).body == b"evil.example"
    wrapped = mantlet.asgi.wrap(app, POLICY, baseline=False)
    assert drive_asgi(wrapped, headers=fields).body == b"example.com"


def test_what_werkzeug_believes_is_what_was_checked() -> None:
    """Behind a proxy, with the middleware by which apps trust its headers."""
    from werkzeug.wrappers import Request as WerkzeugRequest

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [WerkzeugRequest(environ).host_url.encode()]

    fixed = ProxyFix(app, x_host=1, x_port=1, x_proto=1)
    fields = [
        ("Host", "backend"),
        ("X-Forwarded-Host", "evil.example, Example.com"),
        ("X-Forwarded-Port", "6666"),
        ("X-Forwarded-Proto", "https"),
    ]
    wrapped = mantlet.wsgi.wrap(fixed, PROXIED, baseline=False)
    assert drive_wsgi(wrapped, headers=fields, client=PROXY).body == b"https://example.com/"
    fields[0] = ("Host", "example.com")
    wrapped = mantlet.wsgi.wrap(fixed, POLICY, baseline=False)
    assert drive_wsgi(wrapped, headers=fields).body == b"https://example.com/"
