"""The policy as an app's team meets it, on both adapters."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer, Policy, Problem, Reply, Request
from mantlet.redact import Registry
from mantlet.sanitize import Finding, JsonField, Leaks
from tests.drive import Adapter, Answer, Said, both_adapters, make_scope
from tests.sanitize.streams import play_asgi, play_wsgi, two_cuts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send

SECRET = "Xk29fjQmZ0-secret"
MASKED = "*" * len(SECRET)

adapters = pytest.mark.parametrize("play", [play_asgi, play_wsgi], ids=["asgi", "wsgi"])


def answering(
    body: bytes | str, media: str | None = "text/plain", status: int = 200, **fields: str
) -> Callable[[MutableMapping[str, Any]], Said]:
    """Return an app that gives one answer."""
    data = body.encode() if isinstance(body, str) else body
    head = [] if media is None else [("content-type", media)]
    head += [(name.replace("_", "-"), value) for name, value in fields.items()]

    def app(_carrier: MutableMapping[str, Any]) -> Said:
        return status, head, data

    return app


class Told(list[Finding]):
    """Hears findings, except of a missing type: most apps of these tests give none."""

    def __call__(self, finding: Finding, request: Request) -> None:
        if finding.rule != "missing-content-type":
            self.append(finding)

    @property
    def rules(self) -> list[str]:
        return [finding.rule for finding in self]


def ask(adapter: Adapter, app: Any, *policies: Policy, **options: Any) -> Answer:
    """Send one request through policies."""
    return adapter.drive(adapter.wrap(app, *policies), **options)


# -- leaks: what is done about one ----------------------------------------------------------------


@both_adapters
def test_a_leak_is_masked_by_as_many_bytes(adapter: Adapter) -> None:
    """So that a promised length stays true."""
    body = f"the key is {SECRET}."
    app = answering(body, content_length=str(len(body)))
    answer = ask(adapter, app, OutputSanitizer(secrets=[SECRET]))
    assert answer.body.decode() == f"the key is {MASKED}."
    assert answer.get("content-length") == str(len(body))


@both_adapters
def test_a_leak_that_is_blocked_makes_a_clean_problem(adapter: Adapter) -> None:
    """As long as the headers have not been sent."""
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks("block"))
    for app in (answering(f"key {SECRET}"), answering("hello", x_key=SECRET)):
        answer = ask(adapter, app, policy)
        assert answer.status == 500
        assert answer.get("content-type") == "application/problem+json"
        assert SECRET not in answer.text()


@adapters
def test_a_leak_that_is_blocked_late_ends_the_connection(play: Callable[..., Any]) -> None:
    """The headers were sent, so the client has to see that the body is incomplete."""
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks("block"))
    with pytest.raises(Problem):
        play(policy, [("content-type", "text/plain")], [b"hello ", SECRET.encode(), b" world"])


@both_adapters
def test_a_leak_that_is_reported_goes_out(adapter: Adapter) -> None:
    """To see first what would be masked."""
    told = Told()
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks("report"), on_finding=told)
    answer = ask(adapter, answering(f"key {SECRET}", x_key=SECRET), policy)
    assert answer.body.decode() == f"key {SECRET}"
    assert answer.get("x-key") == SECRET
    assert [(finding.rule, finding.place) for finding in told] == [
        ("secret", "header x-key, byte 0"),
        ("secret", "body, byte 4"),
    ]


@both_adapters
def test_a_finding_tells_its_rule_and_place_and_never_the_value(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """Like values have like fingerprints, in whatever form they were found."""
    told = Told()
    policy = OutputSanitizer(secrets=[SECRET, "another-S3cret"], on_finding=told)
    body = f"{SECRET} {SECRET.encode().hex()} another-S3cret"
    with caplog.at_level(logging.WARNING, "mantlet.sanitize"):
        ask(adapter, answering(body), policy)
    assert told.rules == ["secret"] * 3
    assert told[0].fingerprint == told[1].fingerprint != told[2].fingerprint
    assert SECRET not in caplog.text + repr(told)
    assert caplog.records[0].getMessage() == (
        "OutputSanitizer: found secret in the response (body, byte 0), request -"
    )
    assert caplog.records[0].fingerprint == told[0].fingerprint  # type: ignore[attr-defined]  # of extra


@both_adapters
def test_a_listener_that_fails_changes_nothing(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is masked, and the failure is logged."""

    def fail(finding: Finding, request: Request) -> None:
        raise RuntimeError("the listener")

    policy = OutputSanitizer(secrets=[SECRET], on_finding=fail)
    assert ask(adapter, answering(SECRET), policy).body.decode() == MASKED
    assert "on_finding failed" in caplog.text


@both_adapters
def test_findings_of_one_answer_are_bounded(adapter: Adapter) -> None:
    """All are masked, and the first hundred told."""
    told = Told()
    policy = OutputSanitizer(secrets=[SECRET], on_finding=told)
    answer = ask(adapter, answering(f"{SECRET} " * 1000), policy)
    assert answer.body.decode() == f"{MASKED} " * 1000
    assert len(told) == 100


def test_records_of_a_storm_are_few(caplog: pytest.LogCaptureFixture) -> None:
    """Ten of a kind a minute, then the 100th and so on."""
    policy = OutputSanitizer(secrets=[SECRET])
    for _ in range(200):
        play_wsgi(policy, [("content-type", "text/plain")], [SECRET.encode()])
    assert len(caplog.records) == 11
    assert "and 89 more like it" in caplog.records[-1].getMessage()


# -- secrets --------------------------------------------------------------------------------------


class Loader:
    """What a loader of secrets looks like."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry


@both_adapters
@pytest.mark.parametrize(
    "secrets", [[SECRET], (SECRET.encode(),), {SECRET: 1}, {SECRET}], ids=range(4)
)
def test_secrets_are_any_several_values(adapter: Adapter, secrets: Any) -> None:
    """Of text or bytes."""
    for values in (secrets, iter(secrets)):
        policy = OutputSanitizer(secrets=values)
        assert ask(adapter, answering(SECRET), policy).body.decode() == MASKED


@both_adapters
def test_secrets_of_a_loader_are_followed_as_they_rotate(adapter: Adapter) -> None:
    """The new one at once, and the old one for a while."""
    new = "Yq81-new-s3cret-value"
    registry = Registry([SECRET])
    for secrets in (registry, Loader(registry)):
        registry.replace([SECRET])
        app = adapter.wrap(answering(f"{SECRET} {new}"), OutputSanitizer(secrets=secrets))
        assert adapter.drive(app).body.decode() == f"{MASKED} {new}" or secrets is not registry
        registry.replace([new])
        assert adapter.drive(app).body.decode() == f"{MASKED} {'*' * len(new)}"


def test_a_secret_that_is_none_warns_where_the_policy_is_made() -> None:
    """At start, with its index, without its value."""
    with pytest.warns(UserWarning, match=r"secrets\[0\] is not searched for"):
        OutputSanitizer(secrets=["admin"])


@both_adapters
def test_without_leaks_secrets_are_searched_for_all_the_same(adapter: Adapter) -> None:
    """``leaks=None`` leaves out the rules."""
    policy = OutputSanitizer(leaks=None, secrets=[SECRET])
    assert ask(adapter, answering(SECRET), policy).body.decode() == MASKED


@both_adapters
def test_what_nobody_looks_for_passes(adapter: Adapter) -> None:
    """Neither leaks nor secrets."""
    assert ask(adapter, answering(SECRET), OutputSanitizer(leaks=None)).body.decode() == SECRET


@both_adapters
def test_texts_of_one_s_own_are_found(adapter: Adapter) -> None:
    """Also long ones, whole."""
    long = "confidential: " + "x" * 100
    told = Told()
    leaks = Leaks(texts={"internal-host": "db-7.corp.internal", "marker": long})
    policy = OutputSanitizer(leaks=leaks, on_finding=told)
    answer = ask(adapter, answering(f"at db-7.corp.internal: {long}"), policy)
    assert answer.body == b"at " + b"*" * 18 + b": " + b"*" * len(long)
    assert told.rules == ["internal-host", "marker"]


# -- what is looked at ----------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    "media",
    [
        "image/png", "video/mp4", "audio/ogg", "font/woff2", "application/zip", "application/gzip",
        "application/x-tar", "application/pdf", "application/octet-stream", "application/wasm",
    ],
)  # fmt: skip
def test_what_is_no_text_is_left_alone(adapter: Adapter, media: str) -> None:
    """Its bytes mean nothing before it is unpacked or drawn."""
    policy = OutputSanitizer(secrets=[SECRET])
    assert ask(adapter, answering(SECRET, media), policy).body.decode() == SECRET


@both_adapters
@pytest.mark.parametrize(
    "media",
    [
        None, "text/plain", "TEXT/HTML; charset=utf-8", "application/json", "application/xml",
        "text/css", "application/javascript", "image/svg+xml", "application/problem+json", "x/y",
        "text/event-stream", "application/x-ndjson", "nonsense",
    ],
)  # fmt: skip
def test_what_may_be_text_is_looked_at(adapter: Adapter, media: str | None) -> None:
    """Also where the app does not say what it is."""
    policy = OutputSanitizer(secrets=[SECRET])
    assert ask(adapter, answering(SECRET, media), policy).body.decode() == MASKED


@both_adapters
def test_bytes_of_no_known_type_are_looked_at_by_option(adapter: Adapter) -> None:
    """``application/octet-stream``."""
    policy = OutputSanitizer(secrets=[SECRET], scan_binary=True)
    app = answering(SECRET, "application/octet-stream")
    assert ask(adapter, app, policy).body.decode() == MASKED


@both_adapters
def test_the_beginning_of_a_body_is_searched(adapter: Adapter) -> None:
    """206; any other part of a searched body is refused."""
    app = answering(SECRET, status=206, content_range="bytes 0-16/100")
    answer = ask(adapter, app, OutputSanitizer(secrets=[SECRET]))
    assert (answer.status, answer.body.decode()) == (206, MASKED)
    app = answering(SECRET, status=206, content_range="bytes 1-17/100")
    assert ask(adapter, app, OutputSanitizer(secrets=[SECRET])).status == 416


@both_adapters
def test_the_answer_to_head_has_the_length_that_get_would_have(adapter: Adapter) -> None:
    """Unless it is not known without making the body."""
    policy = OutputSanitizer(secrets=[SECRET])
    answer = ask(adapter, answering(b"", "text/plain", content_length="17"), policy, method="HEAD")
    assert answer.get("content-length") == "17"
    json_head = answering(b"", "application/json", content_length="17")
    assert ask(adapter, json_head, policy, method="HEAD").get("content-length") is None


@both_adapters
def test_what_policies_further_in_answer_is_sanitized(adapter: Adapter) -> None:
    """Replies, refusals and problems."""

    class Refuses(Policy):
        def on_request(self, request: Request) -> Reply:
            raise Problem(403, detail=f"no {SECRET} <b>")

    answer = ask(adapter, answering("hello"), OutputSanitizer(secrets=[SECRET]), Refuses())
    assert answer.status == 403
    assert answer.json()["detail"] == f"no {MASKED} <b>"
    assert b"<" not in answer.body


@both_adapters
def test_an_error_that_is_answered_inside_is_sanitized(adapter: Adapter) -> None:
    """By the envelope, whose page of its own may say too much."""

    def app(_carrier: MutableMapping[str, Any]) -> Said:
        raise RuntimeError("inside")

    envelope = ErrorEnvelope(exceptions={RuntimeError: Problem(503, detail=f"not at {SECRET}")})
    answer = ask(adapter, app, OutputSanitizer(secrets=[SECRET]), envelope)
    assert (answer.status, answer.json()["detail"]) == (503, f"not at {MASKED}")


# -- encoded bodies -------------------------------------------------------------------------------


@both_adapters
def test_an_unknown_coding_is_reported_or_blocked(adapter: Adapter) -> None:
    """What can't be looked into."""
    app = answering(b"\x28\xb5\x2f\xfd...", content_encoding="compress, gzip")
    told = Told()
    assert ask(adapter, app, OutputSanitizer(on_finding=told)).status == 200
    assert told.rules == ["unknown-encoding"]
    assert ask(adapter, app, OutputSanitizer(undecodable="block")).status == 502


@both_adapters
@pytest.mark.parametrize("coding", ["", "identity", "Identity "])
def test_no_coding_is_none(adapter: Adapter, coding: str) -> None:
    """However it is said."""
    told = Told()
    app = answering(SECRET, content_encoding=coding)
    policy = OutputSanitizer(secrets=[SECRET], on_finding=told)
    assert ask(adapter, app, policy).body.decode() == MASKED
    assert told.rules == ["secret"]


@both_adapters
def test_a_body_that_is_not_in_its_coding_is_reported_or_blocked(adapter: Adapter) -> None:
    """And sent as it is where that is harmless."""
    told = Told()
    app = answering("no gzip", content_encoding="gzip")
    answer = ask(adapter, app, OutputSanitizer(on_finding=told))
    assert (answer.status, answer.body) == (200, b"no gzip")
    assert told.rules == ["undecodable-body"]
    assert ask(adapter, app, OutputSanitizer(undecodable="block")).status == 502


@both_adapters
@pytest.mark.parametrize("coding", ["gzip", "zstd", "nonsense"])
def test_a_lie_about_the_coding_hides_no_leak(adapter: Adapter, coding: str) -> None:
    """What is sent as it is, is searched as it is."""
    policy = OutputSanitizer(secrets=[SECRET], mask=["a"])
    body = f'{{"a": "<{SECRET}>"}}'
    answer = ask(adapter, answering(body, "application/json", content_encoding=coding), policy)
    assert answer.body.decode() == f'{{"a": "<{MASKED}>"}}'


@adapters
def test_a_lie_about_the_coding_of_a_stream_hides_no_leak(play: Callable[..., Any]) -> None:
    """Over any cut."""
    policy = OutputSanitizer(secrets=[SECRET])
    for chunks in two_cuts(f"a {SECRET} b".encode()):
        _, sent = play(policy, [("content-encoding", "deflate")], chunks)
        assert b"".join(sent).decode() == f"a {MASKED} b"


@both_adapters
def test_a_body_that_breaks_off_is_not_sent_with_a_leak(adapter: Adapter) -> None:
    """Clients show what they can decode."""
    body = gzip.compress(SECRET.encode() * 1000, mtime=0)[:-8]
    policy = OutputSanitizer(secrets=[SECRET])
    app = answering(body, content_encoding="gzip", content_length=str(len(body)))
    assert ask(adapter, app, policy).status == 502


@both_adapters
def test_a_clean_body_in_a_coding_is_sent_as_it_was(adapter: Adapter) -> None:
    """With its ETag."""
    body = gzip.compress(b"hello, hello, hello", mtime=0)
    app = answering(body, content_encoding="gzip", etag='"1"', content_length=str(len(body)))
    answer = ask(adapter, app, OutputSanitizer(secrets=[SECRET]))
    assert answer.body == body
    assert answer.get("etag") == '"1"'


@both_adapters
def test_json_in_a_coding_is_escaped_and_masked_inside(adapter: Adapter) -> None:
    """The length is that of what is sent."""
    body = gzip.compress(b'{"a": "<b>", "password": "x"}', mtime=0)
    app = answering(
        body, "application/json", content_encoding="gzip", content_length=str(len(body))
    )
    answer = ask(adapter, app, OutputSanitizer(mask=["password"]))
    assert gzip.decompress(answer.body) == b'{"a": "\\u003cb\\u003e", "password": "***"}'
    assert answer.get("content-length") == str(len(answer.body))


# -- JSON -----------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    "media",
    ["application/json", "application/problem+json; charset=utf-8", "application/x-ndjson"],
)
def test_json_is_safe_inside_of_html(adapter: Adapter, media: str) -> None:
    """The same document, without the five characters."""
    document = {"a": "</script>&\u2028\u2029"}
    body = json.dumps(document, ensure_ascii=False)
    app = answering(body, media, content_length=str(len(body.encode())), etag='"1"')
    answer = ask(adapter, app, OutputSanitizer())
    assert answer.json() == document
    assert not set("<>&\u2028\u2029") & set(answer.body.decode())
    assert answer.get("content-length") == str(len(answer.body))
    assert answer.get("etag") == '"1"'
    assert ask(adapter, app, OutputSanitizer(escape_json=False)).body == body.encode()


@both_adapters
def test_other_bodies_are_not_escaped(adapter: Adapter) -> None:
    """HTML, text, and what an app sends as an event's HTML."""
    for media, body in (
        ("text/html", "<b>"),
        ("text/plain", '{"a": "<"}'),
        ("text/event-stream", "data: <b>hello</b>\n\n"),
    ):
        assert ask(adapter, answering(body, media), OutputSanitizer()).body.decode() == body


@adapters
def test_events_of_json_are_escaped_as_they_come(play: Callable[..., Any]) -> None:
    """Each leaves in the chunk that it came in."""
    events = [b'data: {"a": "<%d>"}\n\n' % number for number in range(3)]
    _, sent = play(OutputSanitizer(), [("content-type", "text/event-stream")], events)
    assert [chunk for chunk in sent if chunk] == [
        event.replace(b"<", b"\\u003c").replace(b">", b"\\u003e") for event in events
    ]


@both_adapters
def test_fields_are_masked_or_dropped(adapter: Adapter) -> None:
    """By name, glob or pointer, and by route."""
    fields: list[str | JsonField] = [
        "password",
        "*_token",
        JsonField("/user/ssn", action="drop"),
        JsonField("note", route="GET /other"),
    ]
    body = '{"user": {"ssn": "1", "password": 5}, "api_token": [1], "note": 1.50}'
    answer = ask(adapter, answering(body, "application/json"), OutputSanitizer(mask=fields))
    assert answer.body.decode() == (
        '{"user": {"password": "***"}, "api_token": "***", "note": 1.50}'
    )
    answer = ask(adapter, answering(body, "text/plain"), OutputSanitizer(mask=fields))
    assert answer.body.decode() == body


@both_adapters
def test_json_as_html_is_reported_or_fixed(adapter: Adapter) -> None:
    """A browser would run what is in it."""
    told = Told()
    app = answering('{"a": "<script>"}', "text/html; charset=utf-8")
    answer = ask(adapter, app, OutputSanitizer(on_finding=told))
    assert answer.get("content-type") == "text/html; charset=utf-8"
    assert told.rules == ["json-as-html"]
    answer = ask(adapter, app, OutputSanitizer(json_as_html="fix"))
    assert answer.get("content-type") == "application/json"
    assert answer.body == b'{"a": "\\u003cscript\\u003e"}'
    told.clear()
    ask(adapter, answering("<p>{}</p>", "text/html"), OutputSanitizer(on_finding=told))
    assert not told


# -- HTML -----------------------------------------------------------------------------------------

MARKUP = '<p onclick="x()">hello <script>alert(1)</script><a href="javascript:x">there</a></p>'


@both_adapters
def test_html_of_a_route_is_cleaned(adapter: Adapter) -> None:
    """And that of the others is left alone."""
    policy = OutputSanitizer(html={"* /comments/*": "strict"})
    app = answering(MARKUP, "text/html; charset=utf-8", content_length=str(len(MARKUP)))
    answer = ask(adapter, app, policy, path="/comments/1")
    assert answer.body == b"hello there"
    assert answer.get("content-length") == "11"
    assert ask(adapter, app, policy, path="/page").body.decode() == MARKUP


@both_adapters
def test_html_is_cleaned_in_its_charset_and_sent_in_utf_8(adapter: Adapter) -> None:
    """A browser must read what the cleaner has read."""
    policy = OutputSanitizer(html={"* /": "ugc"})
    app = answering("<p>é</p>".encode("latin-1"), "text/html; charset=iso-8859-1")
    answer = ask(adapter, app, policy)
    assert answer.body.decode() == "<p>é</p>"
    assert answer.get("content-type") == "text/html; charset=utf-8"


@both_adapters
def test_html_in_a_coding_is_cleaned_inside(adapter: Adapter) -> None:
    """Or not sent at all, where it can't be read."""
    policy = OutputSanitizer(html={"* /": "strict"}, secrets=[SECRET])
    body = gzip.compress(f"{MARKUP} {SECRET}".encode(), mtime=0)
    answer = ask(adapter, answering(body, "text/html", content_encoding="gzip"), policy)
    assert gzip.decompress(answer.body).decode() == f"hello there {MASKED}"
    for coding in ("zstd", "br"):
        app = answering(body, "text/html", content_encoding=coding)
        assert ask(adapter, app, policy).status == 502


@both_adapters
def test_html_that_is_too_large_is_not_sent(adapter: Adapter) -> None:
    """It can't be cleaned within bounds."""
    told = Told()
    policy = OutputSanitizer(html={"* /": "ugc"}, max_html_size=1000, on_finding=told)
    assert ask(adapter, answering("x" * 1001, "text/html"), policy).status == 500
    assert told.rules == ["html-too-large"]


# -- WebSockets -----------------------------------------------------------------------------------


def talk(policy: Policy, said: list[Any]) -> list[AsgiMessage]:
    """Send messages over a WebSocket, what the client sends first."""
    sent: list[AsgiMessage] = []
    coming = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": SECRET}])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "headers": [(b"x-key", SECRET.encode())]})
        assert (await receive())["text"] == SECRET
        for data in said:
            kind = "text" if isinstance(data, str) else "bytes"
            await send({"type": "websocket.send", kind: data})

    async def receive() -> AsgiMessage:
        return next(coming)

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    scope = make_scope(scope={"type": "websocket", "method": ...})
    asyncio.run(mantlet.asgi.wrap(app, policy, baseline=False)(scope, receive, send))
    return sent


def test_messages_that_the_app_sends_are_looked_at() -> None:
    """And the handshake; those of the client are its own."""
    sent = talk(OutputSanitizer(secrets=[SECRET]), [f"<{SECRET}>", SECRET.encode(), "é", b"\xff"])
    assert sent[0]["headers"] == [(b"x-key", MASKED.encode())]
    assert [message.get("text", message.get("bytes")) for message in sent[1:]] == [
        f"<{MASKED}>",
        MASKED.encode(),
        "é",
        b"\xff",
    ]


def test_a_message_that_is_blocked_ends_the_connection() -> None:
    """By 1008, a violation of policy (RFC 6455, 7.4.1)."""
    policy = OutputSanitizer(secrets=["another-S3cret"], leaks=Leaks("block"))
    sent = talk(policy, ["hello", "another-S3cret"])
    assert sent[-2] == {"type": "websocket.send", "text": "hello"}
    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 1008)


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"headers": "strict"}, "strict"),
        ({"json_as_html": "drop"}, "json_as_html must be one of"),
        ({"undecodable": "redact"}, "undecodable must be one of"),
        ({"unsafe_headers": "keep"}, "unsafe_headers"),
        ({"max_html_size": 0}, "max_html_size must be at least 1, not"),
        ({"max_decoded_size": -1}, "max_decoded_size must be at least 1, not"),
        ({"mask": ["/a/~2"]}, "~2"),
        ({"mask": [""]}, "empty name"),
        ({"html": {"* /x": "loose"}}, "loose"),
        ({"html": {"/x": "ugc"}}, "the pattern '/x'"),
        ({"routes": {"/x": "api"}}, "the pattern '/x'"),
        ({"html": {"GET": "ugc"}}, "GET"),
        ({"routes": {"nowhere": "api"}}, "nowhere"),
        ({"on_finding": "log"}, "on_finding must be a plain function"),
    ],
    ids=range(14),
)
def test_an_option_that_can_t_be_is_refused(options: Mapping[str, Any], words: str) -> None:
    """At construction, by name."""
    with pytest.raises(ValueError, match=words):
        OutputSanitizer(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"action": "hide"}, "action must be"),
        ({"detect": ["errors", "words"]}, "not 'words'"),
        ({"ignore": ["no-such-rule"]}, "no-such-rule"),
        ({"texts": {"marker": "short"}}, r"texts\['marker'\] must have at least 8 bytes"),
        ({"texts": {"My Marker": "long enough"}}, "My Marker"),
    ],
    ids=range(5),
)
def test_leaks_that_can_t_be_are_refused(options: Mapping[str, Any], words: str) -> None:
    """At construction, by name."""
    with pytest.raises(ValueError, match=words):
        Leaks(**options)


@pytest.mark.parametrize("secrets", [5, None, "text"])
def test_secrets_that_are_none_are_refused(secrets: Any) -> None:
    """One value is not several."""
    with pytest.raises(TypeError, match="secrets must be"):
        OutputSanitizer(secrets=secrets)


def test_one_name_is_not_several() -> None:
    """Text iterates over its characters, which nobody means."""
    with pytest.raises(TypeError, match="mask must be several"):
        OutputSanitizer(mask="password")


def test_what_is_not_asked_for_costs_nothing() -> None:
    """Hooks without use are left out."""
    assert OutputSanitizer().disabled_hooks == {"on_close"}
    assert OutputSanitizer(leaks=None).disabled_hooks == {"on_message", "on_close", "on_text"}
    headers = OutputSanitizer(leaks=None, escape_json=False)
    assert headers.disabled_hooks == {"on_request", "on_message", "on_close", "on_text"}
    assert OutputSanitizer(headers="web").disabled_hooks == {"on_close"}
    assert OutputSanitizer(leaks=Leaks(across=1)).disabled_hooks == frozenset()


# -- frameworks send what they like ---------------------------------------------------------------


@adapters
def test_a_lie_about_the_length_is_no_way_out(play: Callable[..., Any]) -> None:
    """What comes beyond the stated length is not sent; servers of ASGI raise, as for a bare app."""
    fields = [("content-type", "text/plain"), ("content-length", "5")]
    policy, chunks = OutputSanitizer(secrets=[SECRET]), [b"hello", SECRET.encode()]
    if play is play_wsgi:
        got, sent = play(policy, fields, chunks)
        assert ("content-length", "5") in got
        assert b"".join(sent) == b"hello"
    else:
        with pytest.raises(mantlet.MantletError):
            play(policy, fields, chunks)


@adapters
def test_a_clean_stream_keeps_its_chunks_and_fields(play: Callable[..., Any]) -> None:
    """Nothing but what may become a leak is held back, and no length is dropped."""
    chunks = [b"one, ", b"two, ", b"three!"]
    fields = [("content-type", "text/plain; charset=utf-8"), ("content-length", "16")]
    got, sent = play(OutputSanitizer(secrets=[SECRET]), [*fields, ("etag", '"1"')], chunks)
    assert [chunk for chunk in sent if chunk] == chunks
    assert got[:3] == [*fields, ("etag", '"1"')]
