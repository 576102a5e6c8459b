"""The laws, and HTTP's, for `OutputSanitizer` with random options before random resources."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import OutputSanitizer
from mantlet.sanitize import Leaks
from tests.conformance.origin import (
    LATER,
    MODIFIED,
    Delivery,
    Resource,
    ask_asgi,
    ask_wsgi,
    decode,
    digest,
    md5,
)
from tests.conformance.recorder import Plan, Recorder
from tests.conformance.test_laws import apart_asgi, apart_wsgi

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.drive import Answer

pytestmark = pytest.mark.slow

SECRET = "Xk29fjQmZ0-secret"
PASSWORD = "hunter2hunter2"

DOCUMENT = f'{{"a": "<b>&", "password": "{PASSWORD}", "dsn": "{SECRET}", "n": [1, 2.50]}}'
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><a>%s</a></svg>'
CONTENTS: tuple[bytes, ...] = (
    b"",
    b"hello",
    b"{",
    b'{"a": 1}',
    b'["a", true]',
    b"[true, null]",
    b"{{ a }} < b & c",
    b"[1] a < b & c",
    DOCUMENT.encode(),
    f"  \n{DOCUMENT}".encode(),
    b"\xef\xbb\xbf" + DOCUMENT.encode(),
    DOCUMENT.encode("utf-16"),
    DOCUMENT.encode("utf-16-be"),
    f"a text with {SECRET}, and more <b>of</b> it".encode(),
    f"é text with {SECRET}, and more".encode("utf-16"),
    f"{DOCUMENT}\n{DOCUMENT}\n".encode(),
    f"data: {DOCUMENT}\n\nevent: x\ndata: <b>{SECRET}\n\n".encode(),
    f"<p onclick=x>hi {SECRET}<script>alert(1)</script></p>".encode(),
    b"<!doctype html><html><body><p>hi</p></body></html>",
    (SVG % SECRET).encode(),
    b"\x00\x01\xff" + SECRET.encode() + b"\xfe" * 40,
    b"word " * 4000 + SECRET.encode() + b" word" * 200,
)
TYPES = (
    "text/plain",
    "text/plain; charset=utf-8",
    "text/plain; charset=utf-16",
    "application/json",
    "application/problem+json",
    "application/x-ndjson",
    "text/html",
    "text/html; charset=latin-1",
    "image/svg+xml",
    "application/xml",
    "text/event-stream",
    "multipart/byteranges; boundary=bcdb",
    "application/octet-stream",
    "video/mp4",
    "*/*",
    "malformed",
)

types = st.one_of(
    st.just(()),
    st.sampled_from(TYPES).map(lambda one: (one,)),
    st.sampled_from(TYPES).map(lambda one: (one,)),
    st.tuples(st.sampled_from(TYPES), st.sampled_from(TYPES)),
)
resources = st.builds(
    Resource,
    body=st.sampled_from(CONTENTS),
    types=types,
    coding=st.sampled_from(
        [None, None, None, "gzip", "deflate", "br", "zstd", "gzip, br", "x-unknown"]
    ),
    tag=st.sampled_from(['"v1"', '"v1"', 'W/"v1"', None]),
    describes=st.booleans(),
    has_ranges=st.booleans(),
    status=st.sampled_from([200, 200, 200, 201, 404, 500]),
)
deliveries = st.builds(
    Delivery,
    way=st.sampled_from(["whole", "chunks", "chunks", "file", "zerocopy"]),
    cuts=st.lists(st.integers(0, 30_000), max_size=4).map(tuple),
    has_length=st.booleans(),
)


options = st.fixed_dictionaries(
    {
        "leaks": st.sampled_from(["redact", "redact", "block", "report", None]),
        "across": st.sampled_from([0, 0, 4]),
        "secrets": st.sampled_from([(), (SECRET,), (SECRET,)]),
        "mask": st.sampled_from([(), ("password",), ("/password", "*_token")]),
        "html": st.sampled_from([None, None, "ugc"]),
        "json_as_html": st.sampled_from(["report", "fix"]),
        "escape_json": st.sampled_from([True, True, False]),
        "headers": st.sampled_from(["safe", "web", "api", None]),
        "undecodable": st.sampled_from(["report", "report", "block"]),
        "scan_binary": st.booleans(),
        "scan_files": st.sampled_from([True, True, False]),
    }
)


@cache
def sanitizer(**chosen: Any) -> OutputSanitizer:
    """Return the policy with these options, which takes a while to make."""
    action, across, preset = (chosen.pop(name) for name in ("leaks", "across", "html"))
    return OutputSanitizer(
        leaks=Leaks(action, across=across) if action else None,
        html={"* /x": preset} if preset else None,
        **chosen,
    )


#: Conditions and ranges of requests.
CONDITIONS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("If-None-Match", '"v1"'),),
    (("If-None-Match", 'W/"v1"'),),
    (("If-None-Match", '"v0"'),),
    (("If-None-Match", "*"),),
    (("If-Match", '"v1"'),),
    (("If-Match", 'W/"v1"'),),
    (("If-Match", '"v0"'),),
    (("If-Modified-Since", LATER),),
    (("Range", "bytes=0-"),),
    (("Range", "bytes=0-40"),),
    (("Range", "bytes=30-60"),),
    (("Range", "bytes=-9"),),
    (("Range", "bytes=0-9,20-60"),),
    (("Range", "bytes=0-40"), ("If-Range", '"v1"')),
    (("Range", "bytes=0-40"), ("If-Range", 'W/"v1"')),
    (("Range", "bytes=0-40"), ("If-Range", MODIFIED)),
)


@dataclass(frozen=True)
class Case:
    """A request for a resource behind an `OutputSanitizer`.

    Attributes:
        resource: the resource.
        delivery: how it is sent.
        options: those of the policy.
        asked: the headers of the request.
        method: its method.
        protocol: of the app.
    """

    resource: Resource
    delivery: Delivery
    options: dict[str, Any]
    asked: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    protocol: str = "asgi"

    @property
    def leaves_files(self) -> bool:
        """Whether it is left to the server."""
        return not self.options["scan_files"] and self.delivery.way in ("file", "zerocopy")

    @property
    def media(self) -> set[str]:
        """The types of the resource."""
        return {one.partition(";")[0] for one in self.resource.types}

    def ask(self, *policies: mantlet.Policy, **changes: Any) -> Answer:
        """Ask the origin behind policies: by default, behind the sanitizer."""
        policies = policies or (sanitizer(**self.options),)
        case = replace(self, **changes)
        make = lambda app: stack(case.protocol, app, *policies)  # noqa: E731  # one line
        return case.ask_in(make)

    def ask_in(self, make: Any) -> Answer:
        """Ask the origin behind what ``make`` returns."""
        play = ask_asgi if self.protocol == "asgi" else ask_wsgi
        return play(make, self.resource, self.delivery, self.method, self.asked)


cases = st.builds(
    Case,
    resource=resources,
    delivery=deliveries,
    options=options,
    asked=st.one_of(st.just(()), st.sampled_from(CONDITIONS)),
    method=st.sampled_from(["GET", "GET", "HEAD"]),
    protocol=st.sampled_from(["asgi", "wsgi"]),
)
checked = settings(deadline=None, max_examples=60)

#: Headers that the response to HEAD may be without, as they depend on the content.
MAY_LACK = {"content-length", "repr-digest", "digest", "content-digest", "content-md5"}


def stack(protocol: str, app: Any, *policies: mantlet.Policy) -> Any:
    """Return a stack of one protocol."""
    module = mantlet.asgi if protocol == "asgi" else mantlet.wsgi
    return module.Stack(app, policies)


def fields_of(got: Answer) -> dict[str, list[str]]:
    """Return the headers by their names in lower case, without their nonces."""
    found: dict[str, list[str]] = {}
    for name, value in got.headers:
        found.setdefault(name.lower(), []).append(re.sub(r"'nonce-[^']*'", "'nonce'", value))
    return found


def coding_of(got: Answer) -> str | None:
    """Return the content coding of a response."""
    return got.get("content-encoding")


def seen(got: Answer, ignored: Iterable[str] = ()) -> tuple[Any, ...]:
    """Return what a client sees; of a response that breaks off, that it does."""
    if got.error is not None:
        return (type(got.error).__name__,)
    fields, body = fields_of(got), got.body
    if got.status != 206 and body:
        try:  # where it is flushed may differ
            body = decode(body, coding_of(got))
        except Exception:  # a filter has changed what is compressed
            event("changed after it was compressed")
    return got.status, {name: fields[name] for name in fields.keys() - set(ignored)}, body


@checked
@given(cases)
def test_no_header_says_what_is_not_so(case: Case) -> None:
    """Lengths, digests, codings and ranges are those of the body that is sent."""
    got = case.ask(method="GET")
    fields = fields_of(got)
    if got.status in (200, 206, 304):
        assert "accept-encoding" in fields["vary"]
    if got.error is not None:
        return
    body = got.body
    if "content-length" in fields:
        assert got.status == 304 or fields["content-length"] == [str(len(body))]
    true = {"content-digest": digest(body), "content-md5": md5(body)}
    if got.status == 200:
        true |= {"repr-digest": digest(body), "digest": digest(body)}
        decode(body, coding_of(got))
        assert "content-range" not in fields
    for name, value in true.items():
        assert fields.get(name, [value]) == [value]
    if got.status == 206 and "content-range" in fields:
        first, last, size = map(int, re.findall(r"\d+", fields["content-range"][0]))
        assert (last - first + 1, size) == (len(body), len(case.resource.coded))
    if got.status == 416:
        assert fields["accept-ranges"] == ["none"]


@checked
@given(cases)
def test_head_has_what_get_has(case: Case) -> None:
    """But for what depends on the content (RFC 9110, 9.3.2)."""
    # HEAD has no ranges, and does not tell that GET will be a file.
    assume("Range" not in dict(case.asked) and not case.leaves_files)
    get, head = case.ask(method="GET"), case.ask(method="HEAD")
    if get.error is not None or get.status in (500, 502):
        return  # its content made it so
    assert (head.status, head.error, head.body) == (get.status, None, b"")
    fixes = case.options["json_as_html"] == "fix"
    may_lack = MAY_LACK | ({"content-type"} if fixes else set())
    of_get, of_head = fields_of(get), fields_of(head)
    lacking = of_get.keys() - of_head.keys()
    assert lacking <= may_lack
    assert of_head.keys() - of_get.keys() <= {"content-length"}
    for name in of_head.keys() & of_get.keys():
        assert of_head[name] == of_get[name], name


@checked
@given(cases, deliveries)
def test_a_strong_tag_names_one_body(case: Case, other: Delivery) -> None:
    """However it is sent: equal strong tags, equal bytes (RFC 9110, 8.8.1)."""
    again = replace(case, delivery=other)
    assume(not (case.leaves_files or again.leaves_files))
    one = case.ask(method="GET", asked=(), protocol="asgi")
    two = again.ask(method="GET", asked=())
    if not all(got.status == 200 and got.error is None for got in (one, two)):
        return
    tags = [got.getall("etag") for got in (one, two)]
    assert len({tag.removeprefix("W/") for got in tags for tag in got}) < 2
    if tags == [['"v1"'], ['"v1"']]:
        assert one.body == two.body
        assert fields_of(one).get("content-type") == fields_of(two).get("content-type")


@checked
@given(cases)
def test_tags_can_be_sent_back(case: Case) -> None:
    """In every condition; a cache that takes over the headers of a 304 has no false ones."""
    assume(not case.leaves_files)
    got = case.ask(method="GET", asked=())
    if got.status != 200 or got.error is not None or got.get("etag") is None:
        return
    tag = got.get("etag") or ""
    again = case.ask(method="GET", asked=(("If-None-Match", tag),))
    assert (again.status, again.get("etag")) == (304, tag)
    for name in ("content-type", "content-encoding", "repr-digest", "digest"):
        if name in again.names:
            assert again.getall(name) == got.getall(name), name
    if case.resource.tag == '"v1"':
        assert case.ask(method="GET", asked=(("If-Match", tag),)).status == 200
    part = case.ask(method="GET", asked=(("Range", "bytes=0-40"), ("If-Range", tag)))
    assert part.status in (200, 206, 416)
    if part.status == 206:
        assert not tag.startswith("W/")
        assert got.body.startswith(part.body.rstrip(b"*"))


@checked
@given(cases)
def test_both_adapters_give_the_same_answer(case: Case) -> None:
    """Law 3, with files, ranges and conditions."""
    # Under ASGI the head of a stream is seen before the file that it is of, and before all of it.
    assume(case.delivery.has_length or not case.leaves_files)
    ignored = () if case.delivery.has_length else MAY_LACK
    asgi, wsgi = (case.ask(protocol=protocol) for protocol in ("asgi", "wsgi"))
    assert seen(asgi, ignored) == seen(wsgi, ignored)


@checked
@given(cases)
def test_report_mode_changes_nothing(case: Case) -> None:
    """Not a byte, and not a header, whatever the options are."""
    bare = case.ask_in(lambda app: app)
    got = case.ask(sanitizer(**case.options, mode="report"))
    assert (seen(got), got.headers) == (seen(bare), bare.headers)


plans = st.lists(
    st.builds(
        Plan,
        on_request=st.sampled_from([None, "pass"]),
        on_response=st.sampled_from(["pass", "edit", "transform", "body", "small body"]),
        on_error=st.sampled_from([None, "pass", "reply"]),
        on_finish=st.booleans(),
        waits=st.booleans(),
    ),
    max_size=2,
)


@checked
@given(cases, plans, plans)
def test_a_fused_stack_behaves_like_its_policies_nested_one_by_one(
    case: Case, outer: list[Plan], inner: list[Plan]
) -> None:
    """Law 2, with a sanitizer among other policies."""
    # What a filter refuses late is an error to the next stack, and to a hook that waits.
    stops = "block" in (case.options["undecodable"], case.options["leaks"])
    garbles = case.resource.coding and any(
        plan.on_response == "transform" for plan in [*outer, *inner]
    )
    assume(not (stops or garbles))
    apart = apart_asgi if case.protocol == "asgi" else apart_wsgi

    def policies() -> list[mantlet.Policy]:
        recorder = Recorder()
        ours = sanitizer(**case.options)
        return [*recorder.policies(outer), ours, *recorder.policies(inner)]

    def nested(app: Any) -> Any:
        for policy in reversed(policies()):
            app = apart(stack(case.protocol, app, policy))
        return app

    # What a stack sends is no file and no list for the next one, which may know its size.
    is_wrapped = case.protocol == "wsgi" and inner
    ignored = MAY_LACK if is_wrapped or case.delivery.way in ("file", "zerocopy") else ()
    one, other = case.ask(*policies()), case.ask_in(nested)
    assert seen(one, ignored) == seen(other, ignored)


@checked
@given(cases)
def test_nothing_that_is_searched_for_gets_out(case: Case) -> None:
    """Whatever it is coded as, whatever part of it is asked for, and however it is cut."""
    options, media = case.options, case.media
    unsearched = {"application/octet-stream", "video/mp4", "multipart/byteranges"}
    assume(not (media & unsearched or case.leaves_files or case.resource.coding == "x-unknown"))
    got = case.ask(method="GET")
    if got.status not in (200, 206):
        return
    is_whole = got.status == 200 and got.error is None
    body = (decode(got.body, coding_of(got)) if is_whole else got.body).replace(b"\0", b"")
    if options["secrets"] and options["leaks"] != "report":
        assert SECRET.encode() not in body
    if "password" in options["mask"] and media == {"application/json"}:
        assert PASSWORD.encode() not in body
    if options["html"]:
        in_sandbox = any("sandbox" in one for one in got.getall("content-security-policy"))
        if "text/html" in media:
            assert in_sandbox or b"<script" not in body
        elif media & {"image/svg+xml", "application/xml"} or not media:
            assert in_sandbox
