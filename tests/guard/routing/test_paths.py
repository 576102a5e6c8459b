"""In which form paths may come, on both adapters, as servers hand them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import Policy, Reply
from mantlet.guard import Contract, SchemaGuard
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.routing.paths import PathChecker, Paths
from tests.drive import ADAPTERS, Adapter, both_adapters, hello

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from mantlet import Request

pytestmark = pytest.mark.breaks_rules("requests that a careful server would refuse")

#: What is wrong with a target, by the code that tells of it.
AMBIGUOUS = {
    "path_form": ["http://h/items", "HTTP://h/items", "h:80", "*", "items", "?x"],
    "non_ascii": ["/caf\xc3\xa9", "/\xe2\x82\xac"],
    "control_character": [
        *("/a%00", "/a%0A", "/a%0d%0ab", "/a%1F", "/a%7f", "/a%09b", "/a%C2%80", "/a%c2%9f"),
        *("/a\tb", "/a b", "/a\x7fb", "/a\n"),
    ],
    "fragment": ["/a#b", "/items#", "/a%20#"],
    "invalid_escape": ["/%", "/a%", "/%4", "/%zz", "/%u002f", "/a%2", "/%-1"],
    "encoded_slash": ["/a%2Fb", "/a%2fb", "/%2F", "/a%2F%2Fb", "/a%2F..%2Fb"],
    "double_escape": ["/%2541", "/a%252Fb", "/%25%32%66", "/%252525", "/%25ff"],
    "backslash": ["/a\\b", "/a%5Cb", "/a%5cb", "/..\\x", "/\\"],
    "invalid_utf8": ["/%ff", "/%c0%af", "/%ed%a0%80", "/%E2%82", "/%f5%80%80%80", "/a%EF%BF%BDb"],
    "empty_segment": ["//", "//a", "/a//b", "/a//", "///a", "//a/../b"],
    "dot_segment": ["/.", "/..", "/a/.", "/a/..", "/a/./b", "/a/../b", "/%2e", "/a/%2E%2e/b"],
}
CASES = [(target, code) for code, targets in AMBIGUOUS.items() for target in targets]
PLAIN = {
    "/": "/",
    "/items": "/items",
    "/items/": "/items/",
    "/items?a=%2F//..": "/items",
    "/a/.well-known/..x/x../...": "/a/.well-known/..x/x../...",
    "/a%20b": "/a b",
    "/caf%C3%A9": "/caf\u00e9",
    "/caf%c3%a9": "/caf\u00e9",
    "/caf%C3%a9": "/caf\u00e9",
    "/%41%7E": "/A~",
    "/100%25": "/100%",
    "/%25zz": "/%zz",
    "/a%3Fb%23c": "/a?b#c",
    "/a+b:c@d!$&'()*,=~_-": "/a+b:c@d!$&'()*,=~_-",
    "/a;b=c": "/a;b=c",
    "/%F0%9F%98%80": "/\U0001f600",
    "/a%C2%A0b": "/a\u00a0b",
    '/"<>^`{|}': '/"<>^`{|}',
}


class Judge(Policy):
    """Lets through what has a good form, and keeps what is wrong with the rest."""

    def __init__(self, form: Paths) -> None:
        self.form = PathChecker(form)
        self.path: str | None = None
        self.code: str | None = None
        self.status: int | None = None

    def on_request(self, request: Request) -> Reply | None:
        try:
            self.path = self.form.check(request)
        except ValidationFailed as invalid:
            [fault] = invalid.errors
            assert (fault.place, fault.pointer) == ("path", "")
            self.code, self.status = fault.code, invalid.status
            return Reply(invalid.status)
        assert request.route_path == self.path
        return None


def handed_on(
    adapter: Adapter, target: str, *, sent: bool = True, key: str = "RAW_URI"
) -> dict[str, Any]:
    """Return what a server hands on that leaves targets as they are."""
    path, _, query = target.partition("?")
    raw = path.encode("latin-1")
    if adapter.name == "asgi":
        decoded = unquote(raw.decode("latin-1"))
        return {"scope": {"path": decoded, "raw_path": raw if sent else ..., "root_path": ""}}
    return {
        "environ": {
            "PATH_INFO": unquote_to_bytes(raw).decode("latin-1"),
            "QUERY_STRING": query,
            **({key: target} if sent else {}),
        }
    }


def judged(adapter: Adapter, form: Paths, target: str, **options: Any) -> Judge:
    """Send a request past a judge."""
    judge = Judge(form)
    adapter.drive(adapter.wrap(hello, judge), **handed_on(adapter, target, **options))
    return judge


@both_adapters
@pytest.mark.parametrize("form", ["refuse", "normalize", "raw"])
@pytest.mark.parametrize(("target", "path"), PLAIN.items())
def test_what_is_read_in_one_way_passes_in_all_forms(
    adapter: Adapter, form: Paths, target: str, path: str
) -> None:
    """Escapes in either case, and of characters that need none, are read alike by all."""
    judge = judged(adapter, form, target)
    assert (judge.code, judge.path) == (None, path)


@both_adapters
@pytest.mark.parametrize("key", ["RAW_URI", "REQUEST_URI"])
@pytest.mark.parametrize(("target", "code"), CASES)
def test_what_could_be_read_in_two_ways_is_refused(
    adapter: Adapter, key: str, target: str, code: str
) -> None:
    """With 400, by default."""
    judge = judged(adapter, "refuse", target, key=key)
    assert (judge.status, judge.code) == (400, code)


@both_adapters
@pytest.mark.parametrize(
    ("target", "code"),
    [
        pair
        for pair in CASES
        if pair[1] not in {"non_ascii", "fragment", "invalid_escape", "encoded_slash"}
        and pair[0] not in {"?x", "/a b"}  # the one is the root, and the other a%20b
    ],
)
def test_what_the_decoded_path_can_tell_is_refused_without_the_target(
    adapter: Adapter, target: str, code: str
) -> None:
    """As under Granian's WSGI, which does not hand it over."""
    judge = judged(adapter, "refuse", target, sent=False)
    assert (judge.status, judge.code) == (400, code)


@both_adapters
@pytest.mark.parametrize(
    ("target", "path"),
    [
        *((target, path) for target, path in PLAIN.items() if "%25" not in target),
        ("/a%2Fb", "/a/b"),
        ("/%zz", "/%zz"),
        ("/100%", "/100%"),
    ],
)
def test_what_nobody_behind_the_server_can_tell_apart_passes(
    adapter: Adapter, target: str, path: str
) -> None:
    """An encoded slash is a slash where only the decoded path is known."""
    judge = judged(adapter, "refuse", target, sent=False)
    assert (judge.code, judge.path) == (None, path)


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        # what Waitress makes of these
        ({"PATH_INFO": "/a/b", "REQUEST_URI": "//a/b"}, "empty_segment"),
        ({"PATH_INFO": "/ab", "REQUEST_URI": "/a\tb"}, "control_character"),
        ({"PATH_INFO": "80", "REQUEST_URI": "h:80"}, "path_form"),
        # and Cheroot
        ({"PATH_INFO": "/a%2Fb", "REQUEST_URI": "/a%2Fb"}, "encoded_slash"),
        ({"PATH_INFO": "/h/x", "REQUEST_URI": "///h/x"}, "empty_segment"),
        ({"PATH_INFO": "/*", "REQUEST_URI": "*"}, "path_form"),
        # and Gunicorn
        ({"PATH_INFO": "/a", "RAW_URI": "/a#b"}, "fragment"),
        ({"PATH_INFO": "", "RAW_URI": "http://h"}, "path_form"),
        ({"PATH_INFO": "/a;b", "RAW_URI": "http://h/a;b"}, "path_form"),
        # and the standard library
        ({"PATH_INFO": "http://h/a"}, "path_form"),
        ({"PATH_INFO": "/a%2Fb"}, "double_escape"),
    ],
)
def test_what_servers_have_made_of_a_target_is_seen(environ: dict[str, str], code: str) -> None:
    """Though the path that is left is ordinary."""
    judge = Judge("refuse")
    ADAPTERS[1].drive(ADAPTERS[1].wrap(hello, judge), environ=environ)
    assert (judge.status, judge.code) == (400, code)


@both_adapters
def test_a_path_that_is_not_plain_and_too_long_is_not_looked_at(adapter: Adapter) -> None:
    """With 414; a plain one may have any length."""
    assert judged(adapter, "refuse", "/" + "%20" * 3000).status == 414
    assert judged(adapter, "refuse", "/" + "a" * 10_000).status is None


@pytest.mark.parametrize("form", ["", "Refuse", None, True])
def test_another_form_is_refused(form: Any) -> None:
    """With the three that there are."""
    with pytest.raises(ValueError, match='paths must be "refuse", "normalize" or "raw", not'):
        PathChecker(form)


# -- raw and normalize ----------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(("target", "code"), CASES)
def test_raw_refuses_only_what_is_not_utf_8(adapter: Adapter, target: str, code: str) -> None:
    """All else is matched as the app sees it."""
    judge = judged(adapter, "raw", target)
    assert judge.code == ("invalid_utf8" if code == "invalid_utf8" else None)


@both_adapters
@pytest.mark.parametrize(
    ("target", "code"), [pair for pair in CASES if pair[1] not in {"empty_segment", "dot_segment"}]
)
def test_normalize_refuses_what_has_no_other_form(adapter: Adapter, target: str, code: str) -> None:
    """An encoded slash is none (RFC 3986, 2.2), nor is anything that is broken."""
    judge = judged(adapter, "normalize", target)
    assert (judge.status, judge.code) == (400, code)


class Keeper:
    """An app that keeps what it was given."""

    def __init__(self) -> None:
        self.carriers: list[MutableMapping[str, Any]] = []

    def __call__(self, carrier: MutableMapping[str, Any]) -> Any:
        self.carriers.append(carrier)
        return hello(carrier)


FOLDED = [
    ("//", "/"),
    ("/.", "/"),
    ("/..", "/"),
    ("/../..", "/"),
    ("//a", "/a"),
    ("/a//", "/a/"),
    ("/a//b///c", "/a/b/c"),
    ("/a/./b", "/a/b"),
    ("/a/.", "/a/"),
    ("/a/b/..", "/a/"),
    ("/a/b/../", "/a/"),
    ("/a/../../b", "/b"),
    ("/a/%2e%2E/b", "/b"),
    ("/a//../b", "/b"),
    ("/caf%C3%A9/./100%25", "/caf\u00e9/100%"),
    ("/mid/content=5/../6", "/mid/6"),  # RFC 3986, 5.2.4
    ("/a/b/c/./../../g", "/a/g"),  # RFC 3986, 5.2.4
]


@both_adapters
@pytest.mark.parametrize(("target", "path"), FOLDED)
def test_normalize_gives_the_app_the_path_that_was_matched(
    adapter: Adapter, target: str, path: str
) -> None:
    """In every place that it could look at."""
    judge, app = Judge("normalize"), Keeper()
    adapter.drive(adapter.wrap(app, judge), **handed_on(adapter, f"{target}?a=//..", sent=True))
    assert judge.path == path
    [carrier] = app.carriers
    if adapter.name == "asgi":
        assert carrier["path"] == path
        assert unquote(carrier["raw_path"].decode()) == path
    else:
        assert carrier["PATH_INFO"].encode("latin-1").decode() == path
        assert unquote(carrier["RAW_URI"].partition("?")[0]) == path
        assert carrier["RAW_URI"].partition("?")[2] == "a=//.."


@given(
    st.lists(st.sampled_from(["/", ".", "..", "a", "%2e", "%41", "%C3%A9", "//", "b/"])),
    st.sampled_from(ADAPTERS),
)
def test_what_is_normalized_stays_as_it_is(pieces: list[str], adapter: Adapter) -> None:
    """Nothing more is found wrong with it."""
    first = judged(adapter, "normalize", "/" + "".join(pieces))
    assert first.path is not None
    second = Judge("refuse")
    app = Keeper()
    adapter.drive(
        adapter.wrap(app, Judge("normalize"), second), **handed_on(adapter, "/" + "".join(pieces))
    )
    assert (second.code, second.path) == (None, first.path)


# -- mounts ---------------------------------------------------------------------------------------


def mounted(adapter: Adapter, mount: str, path: str, raw: str) -> dict[str, Any]:
    """Return what a server hands on below a mount."""
    if adapter.name == "asgi":
        return {"scope": {"path": mount + path, "root_path": mount, "raw_path": raw.encode()}}
    return {"environ": {"SCRIPT_NAME": mount, "PATH_INFO": path, "RAW_URI": raw}}


@both_adapters
@pytest.mark.parametrize(
    ("path", "raw", "found"),
    [
        ("/items", "/api/items", "/items"),
        ("", "/api", "/"),
        ("/", "/api/", "/"),
        ("/api", "/api/api", "/api"),
        ("/a b", "/api/a%20b", "/a b"),
        ("/items", "/items", "/items"),  # a raw path may be without the mount
    ],
)
def test_the_path_is_that_within_the_app(adapter: Adapter, path: str, raw: str, found: str) -> None:
    """Without the part that it is mounted under."""
    judge = Judge("refuse")
    adapter.drive(adapter.wrap(hello, judge), **mounted(adapter, "/api", path, raw))
    assert (judge.code, judge.path) == (None, found)


@both_adapters
@pytest.mark.parametrize(
    ("path", "raw", "code"),
    [
        ("/a/b", "/api/a%2Fb", "encoded_slash"),
        ("/../a", "/api/../a", "dot_segment"),
        ("//a", "/api//a", "empty_segment"),
        ("/a", "/api//a", "empty_segment"),
        ("/a", "http://h/api/a", "path_form"),
    ],
)
def test_a_path_within_a_mount_is_judged_as_well(
    adapter: Adapter, path: str, raw: str, code: str
) -> None:
    """By what was sent, and by what is left."""
    judge = Judge("refuse")
    adapter.drive(adapter.wrap(hello, judge), **mounted(adapter, "/api", path, raw))
    assert (judge.status, judge.code) == (400, code)


@both_adapters
def test_normalize_leaves_the_mount_alone(adapter: Adapter) -> None:
    """No path leads out of it."""
    judge, app = Judge("normalize"), Keeper()
    adapter.drive(
        adapter.wrap(app, judge), **mounted(adapter, "/api", "/../..//x", "/api/../..//x")
    )
    assert judge.path == "/x"
    [carrier] = app.carriers
    if adapter.name == "asgi":
        assert (carrier["root_path"], carrier["path"]) == ("/api", "/api/x")
        assert carrier["raw_path"] == b"/api/x"
    else:
        assert (carrier["SCRIPT_NAME"], carrier["PATH_INFO"]) == ("/api", "/x")
        assert carrier["RAW_URI"] == "/api/x"


def test_a_normalized_path_is_not_taken_for_the_mount() -> None:
    """From a server that leaves the mount out of paths: an app would take it off once more."""
    judge = Judge("normalize")
    ADAPTERS[0].drive(
        ADAPTERS[0].wrap(hello, judge),
        scope={"path": "/./api/x", "root_path": "/api", "raw_path": b"/./api/x"},
    )
    assert judge.path == "/api/x"  # and the judge has asked for the app's own path


# -- within the guard -----------------------------------------------------------------------------

CONTRACTS = {"GET /items": Contract(), "POST /items": Contract(), "GET /a;b": Contract()}


def asked(adapter: Adapter, guard: SchemaGuard, target: str, method: str = "GET") -> int | None:
    """Return the status of a request to a guarded app."""
    return adapter.drive(adapter.wrap(hello, guard), method, **handed_on(adapter, target)).status


@both_adapters
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/items", 200),
        ("/%69tems", 200),
        ("/a;b", 200),
        ("/a%3Bb", 200),
        ("/items/", 404),
        ("/Items", 404),
        ("/items;b", 404),
        ("//items", 400),
        ("/items#", 400),
        ("/items%00", 400),
        ("http://h/items", 400),
        ("*", 400),
    ],
)
def test_the_guard_matches_the_path_that_the_app_sees(
    adapter: Adapter, target: str, status: int
) -> None:
    """404 for another one, 400 for what could be that and another one."""
    assert asked(adapter, SchemaGuard(CONTRACTS), target) == status


@both_adapters
@pytest.mark.parametrize("target", ["/items/", "//items", "/items//", "/items%0A", "/./items"])
@pytest.mark.parametrize("paths", ["refuse", "normalize", "raw"])
def test_an_opened_guard_lets_no_other_spelling_of_what_is_declared_pass(
    adapter: Adapter, target: str, paths: Paths
) -> None:
    """Litestar takes ``/items/`` for ``/items``, and what is declared for that was not asked."""
    guard = SchemaGuard({"POST /items": Contract()}, allow=["path"], paths=paths)
    passed = target == "/./items" and paths == "raw"  # which no router folds
    assert (asked(adapter, guard, target) == 200) is passed
    assert asked(adapter, guard, "/other") == 200
    assert asked(adapter, guard, "/other/") == 200


@both_adapters
def test_an_opened_guard_lets_no_other_spelling_below_a_base_pass(adapter: Adapter) -> None:
    """Where paths begin with what the document's ``servers`` say."""
    document = {**NAMED, "servers": [{"url": "https://example.org/v1"}]}
    guard = SchemaGuard(openapi=document, allow=["path"])
    assert asked(adapter, guard, "/v1/items/7") == 200
    assert asked(adapter, guard, "/v1/items/7/") == 404
    assert asked(adapter, guard, "/v1/other/7/") == 200


@both_adapters
@pytest.mark.parametrize("method", ["get", "Post", "head", "pOST"])
def test_an_opened_guard_lets_no_other_spelling_of_a_method_pass(
    adapter: Adapter, method: str
) -> None:
    """Django, Flask and Quart take ``post`` for ``POST``."""
    guard = SchemaGuard(CONTRACTS, allow=["method"])
    assert asked(adapter, guard, "/items", method) == 405
    assert asked(adapter, guard, "/items", "PATCH") == 200


NAMED: Mapping[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Names", "version": "1"},
    "paths": {
        "/items/{name}": {
            "parameters": [
                {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "get": {"responses": {"200": {"description": "It is there."}}},
        }
    },
}


@both_adapters
@pytest.mark.parametrize("target", ["/items/a;b", "/items/a%3Bb"])
@pytest.mark.parametrize(("paths", "status"), [("refuse", 400), ("normalize", 400), ("raw", 200)])
def test_a_semicolon_passes_where_it_is_declared_or_paths_are_raw(
    adapter: Adapter, paths: Paths, status: int, target: str
) -> None:
    """Behind it some see parameters of the segment (RFC 3986, 3.3)."""
    assert asked(adapter, SchemaGuard(openapi=NAMED, paths=paths), target) == status
