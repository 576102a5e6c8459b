"""The headers of every response: some are removed, some are added, and no other is changed."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mantlet
from mantlet import OutputSanitizer
from mantlet.sanitize import Cookies, Csp, SecurityHeaders
from mantlet.sanitize.body_kind import classify_body
from mantlet.sanitize.headers import HeaderPolicy
from tests.drive import ADAPTERS, Adapter, Answer, both_adapters, drive_asgi
from tests.sanitize.test_policy import Told, answering, ask

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from mantlet._internal.asgi_types import Receive, Scope, Send

pytestmark = pytest.mark.breaks_rules("apps send fields in any case, and such that must not be")

HTTPS: dict[str, dict[str, Any]] = {
    "asgi": {"scope": {"scheme": "https"}},
    "wsgi": {"environ": {"wsgi.url_scheme": "https"}},
}


def bare(**options: Any) -> OutputSanitizer:
    """Return a policy that adds nothing."""
    return OutputSanitizer(headers=None, cookies=None, leaks=None, **options)


def said(
    adapter: Adapter, fields: list[tuple[str, str]], policy: OutputSanitizer, **options: Any
) -> Answer:
    """Return the answer of an app with just these fields."""

    def app(_carrier: MutableMapping[str, Any]) -> Any:
        return 200, fields, b"hello"

    return adapter.drive(adapter.wrap(app, policy), **options)


# -- safe fields ----------------------------------------------------------------------------------

BAD_VALUES = [
    "a\r\nset-cookie: x=1",
    "a\nb",
    "a\rb",
    "a\x00b",
    "a\x7fb",
    "\x01",
    "a\x0bb",
    "a\x1b[2J",
]


@both_adapters
@pytest.mark.parametrize("value", BAD_VALUES, ids=range(len(BAD_VALUES)))
def test_a_value_that_must_not_be_sent_is_dropped(adapter: Adapter, value: str) -> None:
    """And reported, by its name; the fields around it stay (RFC 9110, 5.5)."""
    told = Told()
    fields = [("x-a", "1"), ("location", value), ("x-b", "2")]
    answer = said(adapter, fields, bare(on_finding=told))
    assert answer.headers == [("x-a", "1"), ("x-b", "2")]
    assert [(one.rule, one.place) for one in told] == [("header-injection", "header location")]


@both_adapters
@pytest.mark.parametrize("name", ["x a", "x:a", "", "x\r\ny", "x\x00", "(x)", "x\x7f", "é"])
def test_a_name_that_is_none_is_dropped(adapter: Adapter, name: str) -> None:
    """And reported by its place, for the name itself must not stand in a log (RFC 9110, 5.6.2)."""
    told = Told()
    policy = bare(on_finding=told)
    answer = said(adapter, [("x-a", "1"), (name, "2"), ("x-b", "3")], policy)
    assert answer.headers == [("x-a", "1"), ("x-b", "3")]
    assert [(one.rule, one.place) for one in told] == [("header-injection", "header 1")]


@both_adapters
def test_an_answer_with_an_unsafe_field_can_be_refused(adapter: Adapter) -> None:
    """A clean 500, without the field."""
    policy = OutputSanitizer(unsafe_headers="refuse")
    answer = said(adapter, [("location", "a\r\nb: c")], policy)
    assert (answer.status, answer.get("location")) == (500, None)


@both_adapters
@pytest.mark.parametrize("value", ["a\tb", "caf\xe9", "\xa0", "\xad", "", " a ", 'a,b;c="d"'])
def test_a_value_that_may_be_sent_stays(adapter: Adapter, value: str) -> None:
    """Tabs and bytes beyond ASCII are allowed (RFC 9110, 5.5)."""
    answer = said(adapter, [("x-a", value)], bare())
    assert answer.headers == [("x-a", value)]


@pytest.mark.parametrize("text", ["\u2028", "5 €"])
def test_text_beyond_latin_1_is_dropped_under_wsgi(text: str) -> None:
    """No server can send it (PEP 3333)."""
    adapter = ADAPTERS[1]
    answer = said(adapter, [("x-a", text), ("x-b", "1")], bare())
    assert answer.headers == [("x-b", "1")]


@pytest.mark.parametrize(
    "pair",
    [(b"x-a",), (b"x-a", b"1", b"2"), (b"x-a", 5), (b"x-a", None), "x-a: 1", None, (5, b"x")],
    ids=range(7),
)
def test_what_is_no_field_is_dropped(pair: Any) -> None:
    """And reported; the rest is sent."""
    told = Told()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"x-b", b"1"), pair, (b"x-c", bytearray(b"2"))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})

    answer = drive_asgi(mantlet.asgi.wrap(app, bare(on_finding=told), baseline=False))
    assert answer.headers == [("x-b", "1"), ("x-c", "2")]
    assert told.rules == ["malformed-header"]


@pytest.mark.parametrize("kind", [bytearray, memoryview])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-encoding", b"identity"),
        (b"set-cookie", b"theme=dark"),
        (b"x-a", b"caf\xe9"),
    ],
    ids=["content-type", "content-encoding", "set-cookie", "latin-1"],
)
def test_values_like_bytes_are_read(kind: Any, name: bytes, value: bytes) -> None:
    """Servers take them."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(name, kind(value))]})
        await send({"type": "http.response.body", "body": b"hello"})

    sent: list[Any] = []

    async def outside(scope: Scope, receive: Receive, send: Send) -> None:
        async def keep(message: Any) -> None:
            sent.append(message)
            await send(message | ({"headers": []} if "headers" in message else {}))

        await mantlet.asgi.wrap(app, OutputSanitizer(), baseline=False)(scope, receive, keep)

    assert drive_asgi(outside).error is None
    assert next((n, bytes(v)) for n, v in sent[0]["headers"]) == (name, value)


@both_adapters
@pytest.mark.parametrize(
    "name", ["Server", "X-Powered-By", "X-AspNet-Version", "x-aspnetmvc-version", "X-Generator"]
)
def test_what_tells_of_the_software_is_taken_out(adapter: Adapter, name: str) -> None:
    """Wherever it stands."""
    for fields in itertools.permutations([(name, "x/1.2"), ("x-a", "1"), ("x-b", "2")]):
        answer = said(adapter, list(fields), bare())
        assert sorted(answer.headers) == [("x-a", "1"), ("x-b", "2")]


# -- security fields ------------------------------------------------------------------------------

NAMES = [
    "strict-transport-security", "content-security-policy", "x-content-type-options",
    "x-frame-options", "referrer-policy", "permissions-policy", "cross-origin-opener-policy",
    "cross-origin-embedder-policy", "cross-origin-resource-policy",
]  # fmt: skip


@both_adapters
@pytest.mark.parametrize("preset", ["api", "web"])
def test_a_preset_sets_the_fields_of_owasp(adapter: Adapter, preset: Any) -> None:
    """Each once, with the transport's over https alone."""
    policy = OutputSanitizer(headers=preset)
    # It would keep a page from showing what other sites do not offer for it.
    left_out = {"web": ["cross-origin-embedder-policy"], "api": []}[preset]
    answer = said(adapter, [], policy, **HTTPS[adapter.name])
    assert [name for name in NAMES if answer.get(name) is None] == left_out
    answer = said(adapter, [], policy)
    assert [name for name in NAMES if answer.get(name) is None] == [NAMES[0], *left_out]


@both_adapters
def test_the_default_is_what_breaks_no_app(adapter: Adapter) -> None:
    """No policy of content, of frames or of transport."""
    answer = said(adapter, [], OutputSanitizer(), **HTTPS[adapter.name])
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
    ]


@both_adapters
@pytest.mark.parametrize("name", NAMES)
def test_the_app_s_own_value_wins(adapter: Adapter, name: str) -> None:
    """Whatever it is, in any case of its name, and it is not sent twice."""
    answer = said(
        adapter, [(name.title(), "own")], OutputSanitizer(headers="api"), **HTTPS[adapter.name]
    )
    assert answer.get(name) == "own"


@both_adapters
def test_the_app_s_own_value_can_be_overridden(adapter: Adapter) -> None:
    """Field by field."""
    headers = SecurityHeaders(
        x_frame_options="DENY", referrer_policy="no-referrer", override=["X-Frame-Options"]
    )
    own = [("X-Frame-Options", "ALLOWALL"), ("x-frame-options", "x"), ("Referrer-Policy", "origin")]
    answer = said(adapter, own, OutputSanitizer(headers=headers))
    assert answer.get("x-frame-options") == "DENY"
    assert answer.get("referrer-policy") == "origin"


@both_adapters
def test_no_other_field_is_harmed_in_any_order(adapter: Adapter) -> None:
    """One widely used package drops Content-Type if certain fields come before it."""
    own = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("X-Frame-Options", "DENY"),
        ("Server", "x"),
        ("ETag", '"1"'),
        ("Set-Cookie", "a=1"),
    ]
    policy = OutputSanitizer(headers="api")
    for fields in itertools.permutations(own):
        answer = said(adapter, list(fields), policy)
        kept = [pair for pair in answer.headers if pair[0].lower() in ("content-type", "etag",
                "x-frame-options", "set-cookie")]  # fmt: skip
        expected = [pair for pair in fields if pair[0] != "Server"]
        assert [(n.lower(), v) for n, v in kept] == [(n.lower(), v) for n, v in expected]


#: Those of which an answer has one.
ONCE = [NAMES[0], NAMES[2], NAMES[3], *NAMES[6:]]


@given(st.lists(st.tuples(
    st.sampled_from([*NAMES, "content-type", "etag", "x-a", "server", "vary", "cache-control"]),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=8),
), max_size=8))  # fmt: skip
def test_any_fields_keep_their_order_and_values(fields: list[tuple[str, str]]) -> None:
    """What the app sent comes first, as it was; what is added comes behind, once each."""
    policy = OutputSanitizer(headers="api", leaks=None)
    for adapter in ADAPTERS:
        answer = said(adapter, fields, policy)
        own = [
            pair
            for index, pair in enumerate(fields)
            if pair[0] != "server"
            and not (pair[0] in ONCE and pair[0] in [name for name, _ in fields[:index]])
        ]
        kept = [(n.lower(), v) for n, v in answer.headers]
        assert kept[: len(own)] == own
        added = [name for name, _ in kept[len(own) :]]
        assert len(added) == len(set(added))
        assert not set(added) & {name for name, _ in own}


@both_adapters
@pytest.mark.parametrize(
    ("own", "kept"),
    [
        (["DENY", "DENY"], "DENY"),
        (["SAMEORIGIN", "nonsense"], "SAMEORIGIN"),
        (["SAMEORIGIN", "deny"], "deny"),
        (["SAME\nORIGIN", "SAMEORIGIN"], "SAMEORIGIN"),
        (["SAME\nORIGIN", "x\n"], "DENY"),
    ],
    ids=range(5),
)
def test_a_field_of_one_value_comes_once(adapter: Adapter, own: list[str], kept: str) -> None:
    """The first, or the strictest; one that must not be sent counts for none."""
    fields = [("x-frame-options", value) for value in own]
    fields += [("content-type", "text/plain; charset=utf-8"), ("x-a", "1"), ("x-a", "2")]
    answer = said(adapter, fields, OutputSanitizer(headers="api"))
    assert answer.get("x-frame-options") == kept
    assert answer.getall("x-a") == ["1", "2"]
    assert answer.get("content-type") == "text/plain; charset=utf-8"


@both_adapters
@pytest.mark.parametrize("name", NAMES)
def test_a_field_that_is_dropped_is_not_the_app_s_own(adapter: Adapter, name: str) -> None:
    """Else a policy written over several lines would leave the answer without any."""
    policy = OutputSanitizer(headers="api")
    ours = said(adapter, [], policy, **HTTPS[adapter.name]).get(name)
    fields = [("x-a", "1"), (name, "default-src 'self';\n img-src *"), ("etag", '"1"')]
    answer = said(adapter, fields, policy, **HTTPS[adapter.name])
    assert answer.get(name) == ours
    assert answer.headers[:2] == [("x-a", "1"), ("etag", '"1"')]


@both_adapters
def test_what_is_dropped_says_nothing_of_caches(adapter: Adapter) -> None:
    """An answer to credentials is not stored for it."""
    answer = said(
        adapter, [("cache-control", "public\n")], OutputSanitizer(), headers=[("cookie", "a=1")]
    )
    assert answer.get("cache-control") == "no-store"


@both_adapters
def test_fields_by_route(adapter: Adapter) -> None:
    """A rule for a path, or for a method and a path."""
    policy = OutputSanitizer(
        headers="api", routes={"* /docs/*": "safe", "GET /raw": None, "POST /raw": "web"}
    )
    assert said(adapter, [], policy, path="/x").get("x-frame-options") == "DENY"
    assert said(adapter, [], policy, path="/docs/a").get("x-frame-options") is None
    assert said(adapter, [], policy, path="/docs/a").get("x-content-type-options") == "nosniff"
    assert said(adapter, [], policy, path="/raw").headers == []
    answer = said(adapter, [], policy, path="/raw", method="POST")
    assert answer.get("x-frame-options") == "SAMEORIGIN"


@both_adapters
def test_a_nonce_is_handed_to_the_app_and_to_the_browser(adapter: Adapter) -> None:
    """Another one for each request, of 128 bits."""
    seen = []

    def app(carrier: MutableMapping[str, Any]) -> Any:
        seen.append(mantlet.state(carrier).csp_nonce)
        return 200, [], b"hello"

    wrapped = adapter.wrap(app, OutputSanitizer(headers="web"))
    for _ in range(2):
        policy = adapter.drive(wrapped).get("content-security-policy") or ""
        assert policy.count(f"'nonce-{seen[-1]}'") == 2
    assert seen[0] != seen[1]
    assert len(seen[0]) == 24


@both_adapters
def test_a_cached_page_keeps_its_nonce(adapter: Adapter) -> None:
    """What a 304 says, caches take over (RFC 9111, 3.2): it would not be that of their page."""

    def app(_carrier: MutableMapping[str, Any]) -> Any:
        return 304, [], b""

    answer = adapter.drive(adapter.wrap(app, OutputSanitizer(headers="web")))
    assert answer.get("content-security-policy") is None
    assert answer.get("x-frame-options") == "SAMEORIGIN"


@both_adapters
def test_an_app_may_empty_the_state(adapter: Adapter) -> None:
    """The answer goes out all the same."""

    def app(carrier: MutableMapping[str, Any]) -> Any:
        vars(mantlet.state(carrier)).clear()
        return 200, [], b"hello"

    answer = adapter.drive(adapter.wrap(app, OutputSanitizer(headers="web")))
    assert (answer.status, answer.error) == (200, None)
    assert "'nonce-" in (answer.get("content-security-policy") or "")


@both_adapters
def test_a_policy_can_be_reported_only(adapter: Adapter) -> None:
    """Beside one that holds."""
    headers = SecurityHeaders(
        content_security_policy="default-src 'self'",
        content_security_policy_report_only=Csp(default_src="'none'", report_to="main"),
    )
    answer = said(adapter, [], OutputSanitizer(headers=headers))
    assert answer.get("content-security-policy") == "default-src 'self'"
    assert answer.get("content-security-policy-report-only") == (
        "default-src 'none'; report-to main"
    )


@both_adapters
@pytest.mark.parametrize(
    ("sent", "own", "stored"),
    [
        ([], [], None),
        ([("authorization", "Bearer x")], [], "no-store"),
        ([("cookie", "a=1")], [], "no-store"),
        ([], [("set-cookie", "a=1")], "no-store"),
        ([("cookie", "a=1")], [("cache-control", "private")], "private"),
        ([("cookie", "a=1")], [("expires", "0")], None),
    ],
    ids=range(6),
)
def test_answers_to_credentials_are_not_stored(
    adapter: Adapter, sent: list[tuple[str, str]], own: list[tuple[str, str]], stored: str | None
) -> None:
    """Unless the app says what caches may do."""
    answer = said(adapter, own, OutputSanitizer(), headers=sent)
    assert answer.get("cache-control") == stored


@both_adapters
@pytest.mark.parametrize(
    ("sent", "own", "stored"),
    [
        ([], [("Cache-Control", "public")], "public"),
        ([("cookie", "a=1")], [("Cache-Control", "public")], "no-store"),
        ([("cookie", "a=1")], [("Cache-Control", "public"), ("expires", "0")], "no-store"),
        ([("cookie", "a=1")], [("expires", "0")], "no-store"),
        ([], [("cache-control", "public"), ("set-cookie", "a=1")], "no-store"),
    ],
    ids=range(5),
)
def test_what_the_app_says_of_caches_can_be_overridden(
    adapter: Adapter, sent: list[tuple[str, str]], own: list[tuple[str, str]], stored: str
) -> None:
    """Where the answer is private, and nowhere else."""
    policy = OutputSanitizer(headers=SecurityHeaders(override=["Cache-Control"]))
    answer = said(adapter, own, policy, headers=sent)
    assert answer.get("cache-control") == stored
    assert answer.get("expires") == dict(own).get("expires")


@both_adapters
def test_an_api_s_answers_are_never_stored(adapter: Adapter) -> None:
    """Without credentials too."""
    assert said(adapter, [], OutputSanitizer(headers="api")).get("cache-control") == "no-store"


# -- cookies --------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("own", "plain", "secure"),
    [
        ("sessionid=1", "sessionid=1; HttpOnly; SameSite=Lax",
         "sessionid=1; Secure; HttpOnly; SameSite=Lax"),
        ("session=1; Path=/; secure; HTTPONLY; samesite=strict",) * 3,
        ("csrftoken=1", "csrftoken=1; SameSite=Lax", "csrftoken=1; Secure; SameSite=Lax"),
        ("theme=dark",) * 3,
        ("__Secure-a=1; Secure; HttpOnly; SameSite=Lax",) * 3,
        ("sid=; Max-Age=0", "sid=; Max-Age=0; HttpOnly; SameSite=Lax",
         "sid=; Max-Age=0; Secure; HttpOnly; SameSite=Lax"),
        ("a=1; SameSite=None", "a=1; SameSite=None", "a=1; SameSite=None; Secure"),
        ("",) * 3,
        ("nonsense;;;=",) * 3,
        ("_session_id=1; Secure\xa0; HttpOnly; SameSite=Lax",
         "_session_id=1; Secure\xa0; HttpOnly; SameSite=Lax",
         "_session_id=1; Secure\xa0; HttpOnly; SameSite=Lax; Secure"),
        ("author=1",) * 3,
    ],
    ids=range(11),
)  # fmt: skip
def test_session_cookies_get_what_they_lack(
    adapter: Adapter, own: str, plain: str, secure: str
) -> None:
    """Others are left alone, and what is there stays byte for byte."""
    fields = [("set-cookie", own), ("x-a", "1"), ("set-cookie", "other=1")]
    policy = OutputSanitizer(headers=None)
    assert said(adapter, fields, policy).getall("set-cookie") == [plain, "other=1"]
    answer = said(adapter, fields, policy, **HTTPS[adapter.name])
    assert answer.getall("set-cookie") == [secure, "other=1"]


@both_adapters
@pytest.mark.parametrize(
    ("own", "https", "fault"),
    [
        ("__Host-a=1; Path=/", True, None),
        ("__Host-a=1; Path=/; Secure", False, None),
        ("__Host-a=1; Secure", True, "cookie-prefix"),
        ("__Host-a=1; Path=/a; Secure", True, "cookie-prefix"),
        ("__Host-a=1; Path=/; Domain=a.example; Secure", True, "cookie-prefix"),
        ("__Secure-a=1", False, "cookie-prefix"),
        ("__secure-a=1", True, None),
        ("a=1; SameSite=None", False, "cookie-samesite"),
        ("a=1; SameSite=None", True, None),
    ],
    ids=range(9),
)
def test_what_browsers_refuse_is_reported(
    adapter: Adapter, own: str, https: bool, fault: str | None
) -> None:
    """The rules of the prefixes and of SameSite (RFC 6265bis, 5.7)."""
    told = Told()
    policy = OutputSanitizer(on_finding=told)
    said(adapter, [("set-cookie", own)], policy, **(HTTPS[adapter.name] if https else {}))
    assert told.rules == ([fault] if fault else [])


@both_adapters
def test_attributes_after_many_others_are_not_read(adapter: Adapter) -> None:
    """The missing ones come after them, and the last of a name counts."""
    for others, added in ((62, ""), (63, "; SameSite=Lax")):
        own = "sessionid=1" + "; a=b" * others + "; HttpOnly; SameSite=None; x"
        answer = said(adapter, [("set-cookie", own)], OutputSanitizer(headers=None))
        assert answer.getall("set-cookie") == [own + added]


@both_adapters
@pytest.mark.parametrize(
    ("own", "sent"),
    [
        ("=sessionid=1", "=sessionid=1; HttpOnly; SameSite=Lax"),
        (" = sessionid =1", " = sessionid =1; HttpOnly; SameSite=Lax"),
        ("sessionid", "sessionid; HttpOnly; SameSite=Lax"),
        ("\tsessionid\t=1", "\tsessionid\t=1; HttpOnly; SameSite=Lax"),
        ("SESSIONID=1;httponly=false ; samesite", "SESSIONID=1;httponly=false ; samesite"),
        ('sessionid="a; HttpOnly"', 'sessionid="a; HttpOnly"; HttpOnly; SameSite=Lax'),
        ("theme=1, sessionid=2", "theme=1, sessionid=2"),
        ("=", "="),
        (";sessionid=1", ";sessionid=1"),
    ],
    ids=range(9),
)
def test_cookies_are_read_as_browsers_read_them(adapter: Adapter, own: str, sent: str) -> None:
    """Which split at each semicolon, and send a cookie without a name as its value."""
    answer = said(adapter, [("set-cookie", own)], OutputSanitizer(headers=None))
    assert answer.getall("set-cookie") == [sent]


@both_adapters
@pytest.mark.parametrize("own", ["=__Host-a=1", "= __secure-a=1; Path=/"])
def test_a_prefix_in_a_value_without_a_name_is_one(adapter: Adapter, own: str) -> None:
    """Browsers refuse it, since a server would take it for the name."""
    told = Told()
    said(adapter, [("set-cookie", own)], OutputSanitizer(on_finding=told))
    assert told.rules == ["cookie-prefix"]


@both_adapters
def test_more_cookies_than_browsers_keep_are_not_sent(adapter: Adapter) -> None:
    """Each costs time; what is sent was examined."""
    told = Told()
    fields = [("set-cookie", f"session{number}=1") for number in range(1100)]
    fields.append(("x-last", "1"))
    answer = said(adapter, fields, OutputSanitizer(headers=None, on_finding=told))
    cookies = answer.getall("set-cookie")
    assert len(cookies) == 1000
    assert all(cookie.endswith("; HttpOnly; SameSite=Lax") for cookie in cookies)
    assert (answer.get("x-last"), told.rules) == ("1", ["too-many-cookies"])
    answer = said(adapter, fields, OutputSanitizer(cookies=None))
    assert len(answer.getall("set-cookie")) == 1100


@both_adapters
def test_cookies_are_left_alone_by_option(adapter: Adapter) -> None:
    """Or others are taken for sessions."""
    own = [("set-cookie", "sessionid=1"), ("set-cookie", "basket=1")]
    answer = said(adapter, own, OutputSanitizer(cookies=None))
    assert answer.getall("set-cookie") == ["sessionid=1", "basket=1"]
    cookies = Cookies(session_like=["basket"], same_site="Strict", http_only=False)
    answer = said(adapter, own, OutputSanitizer(cookies=cookies))
    assert answer.getall("set-cookie") == ["sessionid=1", "basket=1; SameSite=Strict"]


# -- options --------------------------------------------------------------------------------------


@pytest.mark.unmeasured
def test_plans_are_bounded() -> None:
    """Though an app makes up names of fields."""
    policy = OutputSanitizer()
    adapter = ADAPTERS[0]
    for number in range(600):
        app = answering("hello", f"x/{number}", **{f"x_{number}": "1"})  # type: ignore[arg-type]  # a name made up
        assert ask(adapter, app, policy).get("x-content-type-options") == "nosniff"
    header_policy = policy._headers  # nothing shows it from outside
    assert len(header_policy._types.cached) <= 256  # the same
    assert len(header_policy._headers.plans[True]) <= 256  # the same
    many = tuple((f"x-{number}", "1") for number in range(1000))
    assert len(said(adapter, [*many], OutputSanitizer(headers=None)).headers) == 1000


def test_plans_and_types_of_great_size_are_not_cached() -> None:
    """A bound on their number alone is none on memory."""
    policy = OutputSanitizer(headers=None)
    header_policy = policy._headers  # nothing shows it from outside
    for number in range(20):
        fields = [(f"x-{number}-{each}", "1") for each in range(500)]
        fields.append(("content-type", "text/plain;" + " " * 2000 + str(number)))
        fields.append(("set-cookie", f"{'a' * 2000}session{number}=1"))
        said(ADAPTERS[0], fields, policy)
    assert header_policy._headers.plans[True] == {}  # the same
    assert header_policy._types.cached == {}  # the same
    assert header_policy._cookies is not None
    assert all(len(name) <= 64 for name in header_policy._cookies._kinds)  # the same


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"x_frame_options": "ALLOWALL"}, "x_frame_options must be one of"),
        ({"x_content_type_options": "sniff"}, "x_content_type_options"),
        ({"referrer_policy": "never"}, "referrer_policy"),
        ({"strict_transport_security": "includeSubDomains"}, "max-age"),
        ({"strict_transport_security": "max-age=31536000; preload"}, "to be preloaded"),
        ({"strict_transport_security": "max-age=5; includeSubDomains; preload"}, "to be preloaded"),
        ({"permissions_policy": "camera=()\r\n"}, "Permissions-Policy"),
        ({"permissions_policy": ""}, "must not be empty"),
        ({"permissions_policy": "camera 'none'; usb 'self'"}, "permissions_policy must be like"),
        ({"permissions_policy": "camera=(),"}, "permissions_policy must be like"),
        ({"no_store": None, "override": ["Cache-Control"]}, "override"),
        ({"cross_origin_opener_policy": "none"}, "cross_origin_opener_policy"),
        ({"no_store": "never"}, "no_store"),
        ({"override": ["X-Frame-Options"]}, "override"),
    ],
    ids=range(14),
)
def test_a_header_that_browsers_do_not_take_is_refused(options: Any, words: str) -> None:
    """At construction, by name."""
    with pytest.raises(ValueError, match=words):
        SecurityHeaders(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"same_site": "lax"}, "same_site"),
        ({"same_site": "None", "secure": False}, "without secure"),
    ],
    ids=range(2),
)
def test_cookies_that_can_t_be_are_refused(options: Any, words: str) -> None:
    """At construction, by name."""
    with pytest.raises(ValueError, match=words):
        Cookies(**options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cookies(readable="csrf"),
        lambda: SecurityHeaders(override="x"),
        lambda: OutputSanitizer(headers=5),  # type: ignore[arg-type]  # what is tested
        lambda: OutputSanitizer(cookies="x"),  # type: ignore[arg-type]  # the same
        lambda: OutputSanitizer(routes=["/x"]),  # type: ignore[arg-type]  # the same
        lambda: OutputSanitizer(routes={5: "api"}),  # type: ignore[dict-item]  # the same
        lambda: Cookies(readable=[5]),  # type: ignore[list-item]  # the same
        lambda: Cookies(secure="no"),  # type: ignore[arg-type]  # the same
        lambda: SecurityHeaders(override=[5]),  # type: ignore[list-item]  # the same
        lambda: SecurityHeaders(strict_transport_security=5),  # type: ignore[arg-type]  # the same
        lambda: SecurityHeaders(content_security_policy={"a": 1}),  # type: ignore[arg-type]  # the same
        lambda: SecurityHeaders(referrer_policy=Csp(default_src="'none'")),  # type: ignore[arg-type]  # the same
    ],
    ids=range(12),
)
def test_options_of_another_type_are_refused(make: Any) -> None:
    """At construction."""
    with pytest.raises(TypeError):
        make()


# -- what browsers may read in two ways -----------------------------------------------------------


@both_adapters
def test_two_types_do_not_hide_a_leak(adapter: Adapter) -> None:
    """Browsers may take the one or the other."""
    fields = [("content-type", "image/png"), ("content-type", "text/html")]

    def app(_carrier: MutableMapping[str, Any]) -> Any:
        return 200, fields, b"Xk29fjQmZ0-secret"

    policy = OutputSanitizer(secrets=["Xk29fjQmZ0-secret"])
    assert adapter.drive(adapter.wrap(app, policy)).body == b"*" * 17


@both_adapters
def test_several_codings_are_all_of_them(adapter: Adapter) -> None:
    """Each may be in a field of its own (RFC 9110, 8.4)."""
    told = Told()
    fields = [("content-encoding", "gzip"), ("content-encoding", "compress")]
    said(adapter, fields, OutputSanitizer(on_finding=told))
    assert told.rules == ["unknown-encoding"]


@pytest.mark.parametrize(
    "trailers", [[(b"x-a", 5)], [None], 5, None, iter([(b"x", b"a\nb")])], ids=range(5)
)
def test_trailers_that_are_none_are_dropped(trailers: Any) -> None:
    """And reported; nothing is raised."""
    told: list[tuple[str, str]] = []
    header_policy = HeaderPolicy(
        headers=None,
        cookies=None,
        unsafe_headers="drop",
        routes={},
        classify=partial(classify_body, scan_binary=False, inspects_html=False),
        denies_ranges=False,
        report=lambda _request, rule, place: told.append((rule, place)),
    )
    # None stands for the request, which is only handed on.
    assert header_policy.trailers(None, trailers) == []  # type: ignore[arg-type]  # as said
    assert told == [("header-injection", "trailer")]


def test_an_injected_trailer_is_dropped() -> None:
    """The fields behind the body go the same way as those before it."""
    told = Told()
    sent = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
        await send(start)
        await send({"type": "http.response.body", "body": b"hello"})
        trailers = [(b"x-a", b"1"), (b"x-b", b"2\r\nx-c: 3"), (b"x d", b"4")]
        await send({"type": "http.response.trailers", "headers": trailers})

    async def outside(scope: Scope, receive: Receive, send: Send) -> None:
        async def keep(message: Any) -> None:
            sent.append(message)
            if message["type"] != "http.response.trailers":
                await send(message)

        await mantlet.asgi.wrap(app, OutputSanitizer(on_finding=told), baseline=False)(
            scope, receive, keep
        )

    drive_asgi(outside)
    assert sent[-1]["headers"] == [(b"x-a", b"1")]
    assert told.rules == ["header-injection"]
