"""Templates and what they match: by a table, a naive matcher and frameworks, in bounded work."""

from __future__ import annotations

import re
import sys
import tracemalloc
from collections import Counter
from itertools import product
from types import ModuleType
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi
import flask
import pytest
import quart
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path as url
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar import Litestar, post
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from mantlet import Policy, Request
from mantlet.http.routing import Routes, parse_pattern
from tests.drive import ADAPTERS, Adapter, both_adapters, hello
from tests.integrations.django_site import django_site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request as StarletteRequest

Found = list[tuple[str, dict[str, str]]]


def ask(patterns: Sequence[str], method: str, path: str) -> Found:
    """Return what matches, each pattern being its own value."""
    routes = Routes([(pattern, pattern) for pattern in patterns])
    return [(value, dict(parameters)) for value, parameters in routes.match(method, path)]


# -- templates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "parameters"),
    [
        # literals
        ("/login", "/login", {}),
        ("/login", "/LOGIN", None),
        ("/login", "/login/x", None),
        ("/login", "/logins", None),
        ("/login", "/", None),
        ("/", "/", {}),
        ("/", "", {}),
        ("/", "/x", None),
        ("/a b/\u00fc\U0001f600", "/a b/\u00fc\U0001f600", {}),
        ("/a/../b", "/a/../b", {}),
        ("/b", "/a/../b", None),
        ("/login", "/./login", None),
        ("/items:batch", "/items:batch", {}),
        ("/login", "/login?x", None),
        ("/login", "/%6cogin", None),
        # one segment
        ("/{x}", "/a", {"x": "a"}),
        ("/{x}", "/", None),
        ("/{x}", "/a/b", None),
        ("/a/{x}/c", "/a/b/c", {"x": "b"}),
        ("/a/{x}/c", "/a/c", None),
        ("/a/{x}/c", "/a//c", None),
        ("/a/{x}/{y}", "/a/1/2", {"x": "1", "y": "2"}),
        ("/{x}/{y}", "/a b/\u00fc", {"x": "a b", "y": "\u00fc"}),
        ("/{\u00fcber}", "/1", {"\u00fcber": "1"}),
        ("/{x}", "/{x}", {"x": "{x}"}),
        ("/{x}", "/*", {"x": "*"}),
        ("/a/{x}", "/a/..", {"x": ".."}),
        # the rest
        ("/f/{p:path}", "/f/a", {"p": "a"}),
        ("/f/{p:path}", "/f/a/b c/d", {"p": "a/b c/d"}),
        ("/f/{p:path}", "/f", None),
        ("/f/{p:path}", "/f/", None),
        ("/f/{p:path}", "/f//", None),
        ("/{x}/{p:path}", "/1/2/3", {"x": "1", "p": "2/3"}),
        ("/{p:path}", "/", None),
        ("/{p:path}", "/a/b", {"p": "a/b"}),
        # the rest without a name
        ("/static/*", "/static/a", {}),
        ("/static/*", "/static/a/b", {}),
        ("/static/*", "/static/", {}),
        ("/static/*", "/static//", {}),
        ("/static/*", "/static/\n", {}),
        ("/static/*", "/static", None),
        ("/static/*", "/static\n", None),
        ("/static/*", "/statics", None),
        ("/*", "/", {}),
        ("/*", "", {}),
        ("/*", "/a/b", {}),
        ("/{x}/*", "/a/", {"x": "a"}),
        ("/{x}/*", "/a/b/c", {"x": "a"}),
        ("/{x}/*", "/a", None),
        # slashes and newlines that do not count
        ("/login", "/login/", {}),
        ("/login", "//login", {}),
        ("/login", "/login//", {}),
        ("/login", "login", {}),
        ("/login", "/login\n", {}),
        ("/login", "/login/\n", {}),
        ("/login/", "/login", {}),
        ("//login", "/login", {}),
        ("/a/b", "//a///b/", {}),
        ("/a/b", "/a/\n/b", None),
        ("/a/{x}/c", "/a//b/c/", {"x": "b"}),
        ("/a/{x}/", "/a/b", {"x": "b"}),
        ("/f/{p:path}", "/f//a//b//", {"p": "a/b"}),
        # parameters with text around them
        ("/{a}.{b}", "/x.y", {"a": "x", "b": "y"}),
        ("/{a}.{b}", "/x.y.z/", {"a": "x.y", "b": "z"}),
        ("/{a}.{b}", "/x", None),
        ("/{a}.{b}", "/.y", None),
        ("/v{n}/x", "/v12/x", {"n": "12"}),
        ("/v{n}/x", "/v/x", None),
        ("/x/{id}:cancel", "/x/7:cancel", {"id": "7"}),
        ("/f/{a}-{b}/*", "/f/1-2/c/d", {"a": "1", "b": "2"}),
        ("/f/{p:path}/", "/f/a", {"p": "a"}),
        ("/static/*/", "/static/a", {}),
    ],
    ids=ascii,
)
def test_a_template_matches_these_paths_and_not_those(
    pattern: str, path: str, parameters: dict[str, str] | None
) -> None:
    """The manual page, line by line."""
    pattern = f"GET {pattern}"
    assert ask([pattern], "GET", path) == ([] if parameters is None else [(pattern, parameters)])


@pytest.mark.parametrize(
    ("patterns", "path", "chosen"),
    [
        (["* /{x}", "* /a"], "/a", "* /a"),
        (["* /{x}", "* /a"], "/b", "* /{x}"),
        (["* /{p:path}", "* /{x}"], "/a", "* /{x}"),
        (["* /*", "* /{x}"], "/a", "* /{x}"),
        (["* /*", "* /"], "/", "* /"),
        (["* /static/*", "* /static"], "/static/", "* /static"),
        (["* /static/*", "* /{x}"], "/static/", "* /static/*"),
        (["* /static/{p:path}", "* /{x}"], "/static/", "* /{x}"),
        (["* /a/{x}/c", "* /a/b/d"], "/a/b/c", "* /a/{x}/c"),
        (["* /a/{x}/c", "* /a/b/d"], "/a/b/d", "* /a/b/d"),
        (["* /{x}/b/c", "* /a/{x}/{y}"], "/a/b/c", "* /a/{x}/{y}"),
        (["* /{x}/b", "* /a/{p:path}"], "/a/b", "* /a/{p:path}"),
        (["* /{x}/{y}/z", "* /a/*", "* /a/b/{x}/d"], "/a/b/z", "* /a/*"),
        (["* /{x}/{y}/z", "* /a/b/{x}/d", "* /*"], "/a/b/z", "* /{x}/{y}/z"),
        (["* /{x}/{y}/z", "* /a/b/{x}/d", "* /*"], "/a/b/y", "* /*"),
    ],
)
def test_the_most_specific_template_is_found_from_the_left(
    patterns: list[str], path: str, chosen: str
) -> None:
    """Whatever the order of the patterns, and going back where a literal leads nowhere."""
    for given_patterns in (patterns, patterns[::-1]):
        assert [value for value, _ in ask(given_patterns, "GET", path)] == [chosen]


@pytest.mark.parametrize(
    ("patterns", "method", "chosen"),
    [
        (["GET /x", "* /x"], "GET", "GET /x"),
        (["GET /x", "* /x"], "POST", "* /x"),
        (["GET /x"], "POST", None),
        (["GET,POST /x"], "POST", "GET,POST /x"),
        (["GET,POST /x"], "GET", "GET,POST /x"),
        (["GET,POST /x"], "PUT", None),
        (["GET /x", "* /x"], "HEAD", "GET /x"),
        (["GET /x", "HEAD /x"], "HEAD", "HEAD /x"),
        (["POST /x", "* /x"], "HEAD", "* /x"),
        (["HEAD /x"], "GET", None),
        (["HEAD /{x}", "GET /x"], "HEAD", "GET /x"),
        (["VERSION-CONTROL /x"], "VERSION-CONTROL", "VERSION-CONTROL /x"),
        (["POST /x", "* /x"], "PURGE", "* /x"),
        (["POST /x", "* /x"], "post", "POST /x"),
        (["GET /x", "* /x"], "Head", "GET /x"),
        (["POST /x", "* /x"], "", "* /x"),
        (["POST /x", "* /x"], "*", "* /x"),
        # the most specific template has nothing for the method
        (["POST /x", "GET /{x}"], "GET", "GET /{x}"),
        (["POST /{x}", "GET /*"], "GET", "GET /*"),
        (["POST /x", "PUT /{x}", "* /*"], "DELETE", "* /*"),
        (["POST /x", "PUT /{x}"], "DELETE", None),
    ],
)
def test_the_method_is_decided_within_the_template(
    patterns: list[str], method: str, chosen: str | None
) -> None:
    """Exactly, then as GET where it is HEAD, then by ``*``; then the next template is asked."""
    for given_patterns in (patterns, patterns[::-1]):
        found = [value for value, _ in ask(given_patterns, method, "/x")]
        assert found == ([] if chosen is None else [chosen])


def test_patterns_of_one_shape_hold_together_each_with_its_own_names() -> None:
    """In the order in which they were given; ``*`` is a rest like any other."""
    routes = Routes(
        [
            ("GET /a/{x}/{y}", 1),
            ("GET /a/{y}/{x}", 2),
            ("* /a/{x}/{y}", 3),
            ("GET,POST /a/{one}/{two}/", 4),
            ("* /f/{p:path}", 5),
            ("* /f/*", 6),
            ("* /s", 7),
            ("* /s/", 8),
        ]
    )
    assert list(routes.match("GET", "/a/1/2")) == [
        (1, {"x": "1", "y": "2"}),
        (2, {"y": "1", "x": "2"}),
        (4, {"one": "1", "two": "2"}),
    ]
    assert list(routes.match("POST", "/a/1/2")) == [(4, {"one": "1", "two": "2"})]
    assert list(routes.match("PUT", "/a/1/2")) == [(3, {"x": "1", "y": "2"})]
    assert list(routes.match("GET", "/f/a/b")) == [(5, {"p": "a/b"}), (6, {})]
    assert list(routes.match("GET", "/f/")) == [(6, {})]
    assert list(routes.match("GET", "/s")) == [(7, {}), (8, {})]


def test_without_patterns_nothing_matches() -> None:
    """Not even the root."""
    for path in ("", "/", "/a", "/a/b/", "*", "\n"):
        assert not Routes[int]([]).match("GET", path)


def test_what_was_found_for_one_request_is_not_changed_by_the_next() -> None:
    """Parameters belong to their request."""
    routes = Routes([("* /{x}", 1)])
    first, second = routes.match("GET", "/a"), routes.match("GET", "/b")
    assert [first, second] == [[(1, {"x": "a"})], [(1, {"x": "b"})]]


# -- malformed patterns ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("", "no path"),
        ("/login", "no method"),
        ("GET", "no path"),
        ("GET login", "no path"),
        ("get /login", "'get', which must be in upper case"),
        ("Get /login", "'Get', which must be in upper case"),
        ("GE(T /login", "'GE(T', which is not registered"),
        ("GET, POST /login", "commas, without spaces"),
        ("GET,* /login", 'beside "*"'),
        ("GET, /login", "methods, one space and a path"),
        ("GET  /login", "methods, one space and a path"),
        (" GET /login", "methods, one space and a path"),
        ("GET /login ", "methods, one space and a path"),
        ("GET /login\n", "methods, one space and a path"),
        ("GET\t/login", "methods, one space and a path"),
        ("GET http://host/login", "a URL"),
        ("GET /{a}{b}", "'{a}{b}', which is neither a literal nor"),
        ("GET /{a", "'{a', which is neither a literal nor"),
        ("GET /a}", "'a}', which is neither a literal nor"),
        ("GET /{a/b}", "'{a', which is neither a literal nor"),
        ("GET /{{a}}", "'{{a}}', which is neither a literal nor"),
        ("GET /{a:int}", "'{a:int}', which is neither a literal nor"),
        ("GET /{a:}", "'{a:}', which is neither a literal nor"),
        ("GET /<a>", "'<a>' in the syntax of Flask and Django"),
        ("GET /a<b", "'a<b', which is neither a literal nor"),
        ("GET /*.css", "'*.css', which is neither a literal nor"),
        ("GET /**", "'**', which is neither a literal nor"),
        ("GET /a\x00b", "'a\\x00b', which is neither a literal nor"),
        ("GET /a\nb", "'a\\nb', which is neither a literal nor"),
        ("GET /{}", "the parameter name ''"),
        ("GET /{:path}", "the parameter name ''"),
        ("GET /{1a}", "the parameter name '1a'"),
        ("GET /{a-b}", "the parameter name 'a-b'"),
        ("GET /{ a}", "the parameter name ' a'"),
        ("GET /{a}/{a}", "the parameter name 'a' twice"),
        ("GET /{a}/{a:path}", "the parameter name 'a' twice"),
        ("GET /*/a", "after its rest"),
        ("GET /*/*", "after its rest"),
        ("GET /{a:path}/b", "after its rest"),
        ("GET /{a:path}/*", "after its rest"),
        ("GET /a?b=c", "a query"),
        ("GET /a%20b/%C3%BC", 'write "GET /a b/\u00fc"'),
        ("GET /100%", "decoded form"),
        ("GET /100%25", "decoded form"),
    ],
    ids=ascii,
)
def test_a_malformed_pattern_is_named_beside_a_right_one(pattern: str, fault: str) -> None:
    """The message ends with a pattern that is accepted."""
    with pytest.raises(ValueError, match='write "') as refused:
        Routes([("* /", 1), (pattern, 2)])
    message = str(refused.value)
    assert repr(pattern) in message
    assert fault in message
    Routes([(message.rpartition('write "')[2].removesuffix('"'), 1)])


@pytest.mark.parametrize(
    ("pattern", "right"),
    [
        ("GET|POST /x", "GET,POST /x"),
        ("GET, POST /x", "GET,POST /x"),
        ("get;post /x", "GET,POST /x"),
        ("GET,* /x", "* /x"),
        ("ANY /x", "* /x"),
        ("ALL /x", "* /x"),
        ("/x", "* /x"),
        ("GTE /x", "GET /x"),
        ("PSOT /x", "POST /x"),
        ("GET,DELET /x", "GET,DELETE /x"),
        ("WS /x", "GET /x"),
        ("PURGE /x", "* /x"),
        ("GET http://localhost:8000/x", "GET /x"),
        ("GET /users/<int:id>", "GET /users/{id}"),
        ("GET /users/<id>/posts/<uuid(strict=True):post>", "GET /users/{id}/posts/{post}"),
        ("GET /files/<path:name>", "GET /files/{name:path}"),
        ("GET /users/:id", "GET /users/{id}"),
        ("GET /users/{id:int}", "GET /users/{id}"),
        ("get|post /users/<int:id>", "GET,POST /users/{id}"),
        ("GET /static/**", "GET /static/*"),
        ("GET /x?y=z", "GET /x"),
        ("GET /{a}{b}", "GET /users/{id}/files/{name:path}"),
    ],
)
def test_the_message_shows_how_to_write_it(pattern: str, right: str) -> None:
    """The syntax of other tools, misspelt methods and URLs are translated."""
    with pytest.raises(ValueError, match=f'write "{re.escape(right)}"$'):
        Routes([(pattern, 1)])


def test_a_parsed_pattern_has_its_methods_and_its_path() -> None:
    """In the order given, each once; the path as it was written."""
    assert parse_pattern("POST,GET,POST /a//{b}/") == (
        "POST,GET,POST /a//{b}/",
        ("POST", "GET"),
        "/a//{b}/",
    )
    assert not parse_pattern("GET /").any_method
    assert parse_pattern("* /").any_method


def test_a_policy_may_allow_methods_of_its_own() -> None:
    """They are corrected like registered ones."""
    assert parse_pattern("WS,GET /chat", extra_methods=["WS"]).methods == ("WS", "GET")
    with pytest.raises(ValueError, match=r'write "WS /chat"$'):
        parse_pattern("ws /chat", extra_methods=["WS"])


@given(st.text(max_size=40) | st.from_regex(r"[A-Z|,* ]{0,9}/[a-z{}<>:*%/]{0,20}", fullmatch=True))
def test_a_pattern_is_parsed_or_refused_with_one_that_is_accepted(text: str) -> None:
    """Any text."""
    try:
        Routes([(text, 1)])
    except ValueError as error:
        Routes([(str(error).rpartition('write "')[2].removesuffix('"'), 1)])


@pytest.mark.parametrize("pattern", [None, 5, b"GET /", ("GET", "/")], ids=repr)
def test_a_pattern_that_is_not_text_is_a_type_error(pattern: Any) -> None:
    """With the value, and an example."""
    with pytest.raises(TypeError, match=r'such as "GET /users/\{id}"') as refused:
        Routes([(pattern, 1)])
    assert repr(pattern) in str(refused.value)


# -- against a naive matcher ----------------------------------------------------------------------


def fits(template: Sequence[str], segments: Sequence[str], slash: bool) -> dict[str, str] | None:
    """Return a template's parameters in a path of these segments; None where it does not match."""
    parameters: dict[str, str] = {}
    for index, part in enumerate(template):
        left = segments[index:]
        if part == "*":
            return parameters if left or slash else None
        if not left:
            return None
        if part.endswith(":path}"):
            return {**parameters, part[1:-6]: "/".join(left)}
        if part.startswith("{"):
            parameters[part[1:-1]] = left[0]
        elif part != left[0]:
            return None
    return parameters if len(template) == len(segments) else None


def rank(part: str) -> int:
    return 2 if part == "*" or part.endswith(":path}") else int(part.startswith("{"))


def naive(patterns: Sequence[str], method: str, path: str) -> Found:
    """Try every pattern, sort those that fit, and look for the method."""
    segments = [segment for segment in path.split("/") if segment]
    fitting: dict[tuple[int, ...], list[tuple[str, str, dict[str, str]]]] = {}
    for pattern in patterns:
        methods, _, text = pattern.partition(" ")
        template = [part for part in text.split("/") if part]
        parameters = fits(template, segments, path.endswith("/"))
        if parameters is not None:
            group = fitting.setdefault(tuple(map(rank, template)), [])
            group.extend((one, pattern, parameters) for one in methods.split(","))
    for _, group in sorted(fitting.items()):
        for wanted in (method.upper(), "GET" if method.upper() == "HEAD" else "*", "*"):
            if found := [(pattern, known) for one, pattern, known in group if one == wanted]:
                return found
    return []


TEMPLATE_SEGMENTS = st.lists(st.sampled_from(["a", "b", "c d", "{}", "{}"]), max_size=4)


@st.composite
def pattern_lists(draw: st.DrawFn) -> list[str]:
    patterns = []
    for _ in range(draw(st.integers(1, 12))):
        names = iter(draw(st.permutations("vwxyz")))
        segments = [*draw(TEMPLATE_SEGMENTS), *draw(st.sampled_from([[], [], ["*"], ["{:path}"]]))]
        named = [part.replace("{", "{" + next(names)) if "{" in part else part for part in segments]
        method = draw(st.sampled_from(["*", "GET", "HEAD", "POST", "GET,POST"]))
        patterns.append(
            f"{method} /{'/'.join(named)}" + draw(st.sampled_from(["", "/"])) * bool(named)
        )
    return patterns


PATHS = st.lists(st.sampled_from(["a", "b", "c d", "\u00fc", "", "*", "{v}"]), max_size=7).map(
    lambda segments: "/" + "/".join(segments)
)


@settings(deadline=None, max_examples=400)
@given(pattern_lists(), st.sampled_from(["GET", "HEAD", "POST", "PUT", "post", "*"]), PATHS)
def test_it_finds_what_a_naive_matcher_finds(patterns: list[str], method: str, path: str) -> None:
    """Any patterns, any path: the same values, in the same order, with the same parameters."""
    assert ask(patterns, method, path) == naive(patterns, method, path)


@settings(deadline=None, max_examples=200)
@given(pattern_lists(), st.sampled_from(["GET", "HEAD", "POST", "PUT"]), PATHS)
def test_what_is_found_together_is_one_of_the_groups(
    patterns: list[str], method: str, path: str
) -> None:
    """So that what follows from a group can be made ready before the first request."""
    routes = Routes([(pattern, number) for number, pattern in enumerate(patterns)])
    found = tuple(value for value, _ in routes.match(method, path))
    assert not found or found in set(routes.groups())


@settings(deadline=None, max_examples=100)
@given(pattern_lists(), st.text(max_size=8), st.text(max_size=30))
def test_no_text_makes_it_raise(patterns: list[str], method: str, path: str) -> None:
    """Whatever a client sends in place of a method and a path."""
    for _, parameters in ask(patterns, method, path):
        assert all(parameters.values())


# -- bounded work ---------------------------------------------------------------------------------


def calls(routes: Routes[int], path: str) -> int:
    """Return how many calls a match takes: each step of it makes at least one."""
    counted: Counter[str] = Counter()
    sys.setprofile(lambda _frame, event, _argument: counted.update([event]))
    try:
        routes.match("GET", path)
    finally:
        sys.setprofile(None)
    return counted["call"] + counted["c_call"]


@pytest.mark.parametrize(
    "template",
    ["/v1/r{}/login", "/v1/r{}/{{id}}", "/v1/r{}/{{id}}/sub/{{name:path}}", "/r{}/*"],
)
@pytest.mark.parametrize(
    "path", ["/v1/r0/login", "/v1/r0/1/sub/a/b", "/v1/none", "/", "/r0/a"], ids=repr
)
def test_the_work_does_not_grow_with_the_number_of_patterns(template: str, path: str) -> None:
    """One, ten and a thousand: the very same steps."""
    counts = {
        calls(Routes([(f"GET {template.format(n)}", n) for n in range(many)]), path)
        for many in (1, 10, 1000)
    }
    assert len(counts) == 1


@pytest.mark.parametrize("depth", [4, 8, 10])
def test_no_path_takes_more_steps_than_there_are_nodes(depth: int) -> None:
    """Every mixture of literals and parameters, and a path that leads all of them astray."""
    names = [f"{{p{n}}}" for n in range(depth)]
    templates = ["/".join(mixture) for mixture in product(*(("a", name) for name in names))]
    routes = Routes([(f"GET /{template}/end", n) for n, template in enumerate(templates)])
    nodes = 2 ** (depth + 1)
    count = calls(routes, "/a" * depth + "/astray")
    assert nodes < count < 4 * nodes


def test_two_ways_at_each_segment_do_not_double_the_work() -> None:
    """As many patterns as segments, each of which goes with the path to its last segment."""

    def work(depth: int) -> int:
        names = [f"{{p{n}}}" for n in range(depth)]
        templates = ["/".join(["a"] * n + names[n:]) for n in range(depth)]
        routes = Routes([(f"GET /{template}/end", n) for n, template in enumerate(templates)])
        return calls(routes, "/a" * depth + "/astray")

    # Each pattern walks its own parameters, so it is as many steps as the trie has nodes.
    assert work(40) < 5 * work(20)


@pytest.mark.parametrize(
    "path",
    [
        "/a/b/c" + "/x" * 20_000,
        "/a/b/c" + "/" * 60_000,
        "/" * 60_000 + "a/b/c/x",
        "/a" + "/" * 20_000 + "b" + "/" * 20_000 + "c/x",
        "/a/b/c" + "//x" * 20_000,
        "/a/b/c/" + "x" * 60_000,
        "/a/b/c/x" + "\n" * 60_000,
    ],
    ids=["segments", "slashes after", "before", "between", "everywhere", "a long one", "newlines"],
)
def test_a_huge_path_takes_hardly_more_steps_than_a_short_one(path: str) -> None:
    """No deeper than the longest template, and runs of slashes are halved at each step."""
    routes = Routes([("GET /a/b/c", 1), ("GET /a/{x}/c/d", 2), ("GET /{x}/{y}/c/{z}", 3)])
    assert calls(routes, path) < calls(routes, "/a/b/c/x") + 20


def test_a_path_is_not_taken_apart_beyond_the_longest_template() -> None:
    """A client does not choose how many pieces there are: only copies of the path are made."""
    routes = Routes([("GET /a/{x}/c/d", 1)])
    path = "/a/b/c" + "/x" * 20_000
    tracemalloc.start()
    try:
        routes.match("GET", path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(path)


# -- around apps ----------------------------------------------------------------------------------


class Judge(Policy):
    """Keeps what was found for each request."""

    def __init__(self, *patterns: str) -> None:
        self.routes = Routes([(pattern, pattern) for pattern in patterns])
        self.found: list[str] = []

    def on_request(self, request: Request) -> None:
        self.found += [value for value, _ in self.routes.match(request.method, request.route_path)]


def mounted(adapter: Adapter, mount: str, path: str) -> dict[str, Any]:
    """Return what a server gives for a path below a mount."""
    if adapter.name == "asgi":
        return {"path": mount + path, "scope": {"root_path": mount}}
    return {"path": path, "environ": {"SCRIPT_NAME": mount}}


@both_adapters
@pytest.mark.parametrize("mount", ["", "/api", "/\u00fc b/c"], ids=ascii)
@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("", "* /"),
        ("/", "* /"),
        ("/login", "* /login"),
        ("//login/", "* /login"),
        ("/a b/\u00fc", "* /a b/{x}"),
        ("/static/", "* /static/*"),
        ("/api", "* /api"),
        ("/api/login", "* /api/{x}"),
    ],
    ids=ascii,
)
def test_patterns_are_within_the_app_wherever_it_is_mounted(
    adapter: Adapter, mount: str, path: str, pattern: str
) -> None:
    """The same patterns for one app under several mounts, and on both adapters."""
    patterns = ["* /", "* /login", "* /a b/{x}", "* /static/*", "* /api", "* /api/{x}"]
    judge = Judge(*patterns)
    assert adapter.drive(adapter.wrap(hello, judge), **mounted(adapter, mount, path)).status == 200
    assert judge.found == [pattern]


RULES = {"login": "POST /login", "reset": "POST /users/{id}/reset"}
SPELLINGS = [
    *("/login", "/login/", "//login", "/login//", "///login///", "login", "/LOGIN", "/login;x"),
    *(" /login", "/login ", "/login\n", "/login\n\n", "/login/\n", "/login\r", "/login\x00"),
    *("/./login", "/x/../login", "/login/.", "\\login", "/login?x", "/login#x", "/%6cogin"),
    *("http://h/login", "http://h/login;x", "http://h", "http://[::1", "x:login", "*", ""),
    *("/users/1/reset", "/users/1//reset", "//users//1/reset/", "users/1/reset", "/users/ /reset"),
]

#: The handlers that were called.
reached: list[str] = []


def flask_app() -> Any:
    app = flask.Flask(__name__)

    @app.post("/login")
    def login() -> str:
        reached.append("login")
        return ""

    @app.post("/users/<user>/reset")
    def reset(user: str) -> str:
        reached.append("reset")
        return ""

    return app


def quart_app() -> Any:
    app = quart.Quart(__name__)

    @app.post("/login")
    async def login() -> str:
        reached.append("login")
        return ""

    @app.post("/users/<user>/reset")
    async def reset(user: str) -> str:
        reached.append("reset")
        return ""

    return app


def starlette_app() -> Any:
    async def login(request: StarletteRequest) -> PlainTextResponse:
        reached.append("login")
        return PlainTextResponse()

    async def reset(request: StarletteRequest) -> PlainTextResponse:
        reached.append("reset")
        return PlainTextResponse()

    return Starlette(
        routes=[
            Route("/login", login, methods=["POST"]),
            Mount("/users", routes=[Route("/{user}/reset", reset, methods=["POST"])]),
        ]
    )


def fastapi_app() -> Any:
    app = FastAPI()

    @app.post("/login")
    def login() -> None:
        reached.append("login")

    @app.post("/users/{user}/reset")
    def reset(user: str) -> None:
        reached.append("reset")

    return app


def litestar_app() -> Any:
    @post("/login")
    async def login() -> None:
        reached.append("login")

    @post("/users/{user:str}/reset")
    async def reset() -> None:
        reached.append("reset")

    return Litestar([login, reset], openapi_config=None, logging_config=None)


class Resource:
    def __init__(self, name: str) -> None:
        self.name = name

    def on_post(self, req: Any, resp: Any, **parameters: str) -> None:
        reached.append(self.name)


class AsyncResource:
    def __init__(self, name: str) -> None:
        self.name = name

    async def on_post(self, req: Any, resp: Any, **parameters: str) -> None:
        reached.append(self.name)


def falcon_app() -> Any:
    app = falcon.App()
    app.add_route("/login", Resource("login"))
    app.add_route("/users/{user}/reset", Resource("reset"))
    return app


def async_falcon_app() -> Any:
    app = falcon.asgi.App()
    app.add_route("/login", AsyncResource("login"))
    app.add_route("/users/{user}/reset", AsyncResource("reset"))
    return app


def escapes(adapter: Adapter, app: Any) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return the methods and paths that reach a handler, and those that do so past its rule."""
    judge = Judge(*RULES.values())
    stack = adapter.module.wrap(app, judge, baseline=False)
    routed, escaped = set(), set()
    for method, path in product(["POST", "post"], SPELLINGS):
        reached.clear()
        judge.found.clear()
        adapter.drive(stack, method, path, headers=[("Host", "localhost")])
        if reached:
            routed.add((method, path))
            if judge.found != [RULES[name] for name in reached]:
                escaped.add((method, path))
    return routed, escaped


@pytest.mark.parametrize(
    ("adapter", "make", "odd"),
    [
        (ADAPTERS[1], flask_app, ("post", "login")),
        (ADAPTERS[1], falcon_app, ("POST", "//login")),
        (ADAPTERS[0], quart_app, ("post", "http://h/login")),
        (ADAPTERS[0], starlette_app, ("POST", "/login\n")),
        (ADAPTERS[0], fastapi_app, ("POST", "/login\n")),
        (ADAPTERS[0], litestar_app, ("POST", "//users//1/reset/")),
        (ADAPTERS[0], async_falcon_app, ("POST", "//login")),
    ],
    ids=["flask", "falcon", "quart", "starlette", "fastapi", "litestar", "async falcon"],
)
@pytest.mark.breaks_rules("requests that a careful server would refuse")
def test_what_a_framework_routes_to_a_handler_does_not_escape_its_rule(
    adapter: Adapter, make: Any, odd: tuple[str, str]
) -> None:
    """Of all these spellings; the odd one is not how one would write it, and is routed."""
    routed, escaped = escapes(adapter, make())
    assert {("POST", "/login"), ("POST", "/users/1/reset"), odd} <= routed
    assert escaped == set()


@both_adapters
@pytest.mark.breaks_rules("requests that a careful server would refuse")
def test_what_django_routes_to_a_view_does_not_escape_its_rule(adapter: Adapter) -> None:
    """Under WSGI and under ASGI."""

    def login(request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            reached.append("login")
        return HttpResponse()

    def reset(request: HttpRequest, user: str) -> HttpResponse:
        if request.method == "POST":
            reached.append("reset")
        return HttpResponse()

    urls = ModuleType("urls")
    urls.__dict__["urlpatterns"] = [url("login", login), url("users/<str:user>/reset", reset)]
    with (
        django_site(adapter.name, index=lambda _: "") as site,
        override_settings(ROOT_URLCONF=urls),
    ):
        routed, escaped = escapes(adapter, site)
    assert {("POST", "/login"), ("POST", "/users/1/reset"), ("post", "/login")} <= routed
    assert escaped == set()
