"""Paths and what is declared for them: exactly, against a naive matcher, in bounded work."""

from __future__ import annotations

import re
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mantlet.guard.routing.path_table import PathTable
from mantlet.guard.routing.path_templates import parse_template

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.slow


def table(*templates: str) -> PathTable[str]:
    """Return a table in which each template has itself for GET."""
    return PathTable([("GET", template, template) for template in templates])


def ask(made: PathTable[str], path: str, method: str = "GET") -> tuple[str, dict[str, str]] | None:
    """Return the value of a path, and what the path has for its names."""
    found = made.find(path)
    if found is None:
        return None
    methods, parts = found
    if method in methods.ambiguous:
        return "several", {}
    value, template = methods.by_name[method]
    return value, dict(template.capture(parts)) if parts else {}


# -- which template -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "path", "captured"),
    [
        ("/", "/", {}),
        ("/", "", None),
        ("/", "//", None),
        ("/items", "/items", {}),
        ("/items", "/items/", None),
        ("/items", "//items", None),
        ("/items", "/Items", None),
        ("/items", "items", None),
        ("/items", "/items\n", None),
        ("/items/", "/items/", {}),
        ("/items/", "/items", None),
        ("/items/", "/items//", None),
        ("/a//b", "/a//b", {}),
        ("/a//b", "/a/b", None),
        ("/.well-known/x", "/.well-known/x", {}),
        ("/caf%C3%A9", "/caf\u00e9", {}),
        ("/items/{id}", "/items/7", {"id": "7"}),
        ("/items/{id}", "/items/", None),
        ("/items/{id}", "/items", None),
        ("/items/{id}", "/items/7/", None),
        ("/items/{id}", "/items//7", None),
        ("/items/{id}", "x/items/7", None),
        ("/items/{id}", "items/7", None),
        ("/items/{id}/", "/items/7/", {"id": "7"}),
        ("/items/{id}/", "/items/7", None),
        ("/{a}/{b}", "/1/2", {"a": "1", "b": "2"}),
        ("/{a}/{b}", "//2", None),
        ("/{a}", "/{a}", {"a": "{a}"}),
        ("/files/{name}.{ext}", "/files/a.b.c", {"name": "a.b", "ext": "c"}),
        ("/files/{name}.{ext}", "/files/a", None),
        ("/jobs/{id}:cancel", "/jobs/7:cancel", {"id": "7"}),
        ("/jobs/{id}:cancel", "/jobs/:cancel", None),
        ("/f/{rest:path}", "/f/a", {"rest": "a"}),
        ("/f/{rest:path}", "/f/a/b//c/", {"rest": "a/b//c/"}),
        ("/f/{rest:path}", "/f/", None),
        ("/f/{rest:path}", "/f", None),
        ("/f/{rest:path}", "/f//a", None),
        ("/{x}/f/{rest:path}", "/1/f/a/b/c/d", {"x": "1", "rest": "a/b/c/d"}),
    ],
)
def test_a_template_matches_these_paths_and_not_those(
    template: str, path: str, captured: dict[str, str] | None
) -> None:
    """Slashes and case count, and a parameter has a character at least."""
    assert ask(table(template), path) == (None if captured is None else (template, captured))


@pytest.mark.parametrize(
    ("templates", "path", "chosen"),
    [
        (["/p/{id}", "/p/mine"], "/p/mine", "/p/mine"),
        (["/p/{id}", "/p/mine"], "/p/other", "/p/{id}"),
        (["/{id}", "/{id}.json"], "/a.json", "/{id}.json"),
        (["/{id}.json", "/{id}.{ext}", "/a.json"], "/a.json", "/a.json"),
        (["/{id}.json", "/{id}.{ext}", "/a.json"], "/b.json", "/{id}.json"),
        (["/{id}.json", "/{id}.{ext}", "/a.json"], "/b.xml", "/{id}.{ext}"),
        (["/{rest:path}", "/{id}"], "/a", "/{id}"),
        (["/{rest:path}", "/{id}"], "/a/b", "/{rest:path}"),
        (["/{rest:path}", "/{a}.{b}"], "/a.b", "/{a}.{b}"),
        (["/{a}/me", "/books/{id}"], "/books/you", "/books/{id}"),
        # back from where a more specific segment leads nowhere
        (["/a/b/d", "/a/{x}/c"], "/a/b/c", "/a/{x}/c"),
        (["/{x}.y/d", "/{x}/c"], "/a.y/c", "/{x}/c"),
        (["/a.y/d", "/{x}.y/c", "/{x}/c"], "/a.y/c", "/{x}.y/c"),
        (["/a/b/d", "/a/{rest:path}"], "/a/b/c", "/a/{rest:path}"),
        (["/a/{x}/d", "/{y}/b/c"], "/a/b/c", "/{y}/b/c"),
        (["/a/", "/{x}/"], "/a/", "/a/"),
    ],
)
def test_the_most_specific_template_is_found_from_the_left(
    templates: list[str], path: str, chosen: str
) -> None:
    """Concrete ones before templated ones (OpenAPI 3.2.0), whatever their order."""
    for order in (templates, templates[::-1]):
        found = ask(table(*order), path)
        assert found is not None
        assert found[0] == chosen


@pytest.mark.parametrize(
    ("templates", "path", "crosses"),
    [
        (["/{a}/me", "/books/{id}"], "/books/me", True),
        (["/{a}/me", "/books/{id}"], "/books/x", False),
        (["/{a}/me", "/books/{id}"], "/x/me", False),
        (["/{a}/me", "/books/{id}", "/books/me"], "/books/me", False),
        (["/a{x}", "/{x}b"], "/a-b", True),
        (["/a{x}", "/{x}b"], "/ac", False),
        (["/{x}.json", "/{x}.{y}"], "/a.json", False),
        (["/{p:path}", "/a/{x}", "/a/b"], "/a/c", False),
        (["/a/{p:path}", "/{x}/b/{p:path}"], "/a/b/c/d", True),
        (["/a/{p:path}", "/{x}/b/{p:path}"], "/a/b", False),
        (["/a/{x}/{y}/{z}", "/{x}/b/{p:path}"], "/a/b/c/d", True),
    ],
)
def test_a_path_of_crossing_templates_is_for_none_of_them(
    templates: list[str], path: str, crosses: bool
) -> None:
    """Each has paths of its own, so nothing says which of them an app runs."""
    for order in (templates, templates[::-1]):
        found = ask(table(*order), path)
        assert found is not None
        assert (found[0] == "several") == crosses


def test_crossing_templates_are_ambiguous_for_the_methods_of_each() -> None:
    """A router that looks at the path alone runs the first, and its view may take any method."""
    made = PathTable([("GET", "/{a}/me", 1), ("POST", "/books/{id}", 2), ("PUT", "/{a}/{b}", 3)])
    found = made.find("/books/me")
    assert found is not None
    methods, _ = found
    assert not methods.by_name
    assert methods.ambiguous == {"GET", "HEAD", "POST"}
    assert methods.allow == "GET, HEAD, POST"


def test_crossing_templates_are_named_once() -> None:
    """Whatever methods they have."""
    made = PathTable(
        [
            *((method, "/{a}/me", 1) for method in ("GET", "PUT")),
            *((method, "/books/{id}", 2) for method in ("GET", "POST")),
            ("GET", "/books/me/more", 3),
        ]
    )
    assert [tuple(sorted(pair)) for pair in made.crossings] == [("/books/{id}", "/{a}/me")]


def test_many_crossing_templates_are_all_found_at_the_latest_by_the_request() -> None:
    """Comparing all pairs would take too long, so some are taken for crossing."""
    made = table(*(f"/l{n}/{{x}}" for n in range(300)), *(f"/{{y}}/m{n}" for n in range(300)))
    assert ask(made, "/l7/m7") == ("several", {})
    assert ask(made, "/l7/x") == ("/l7/{x}", {"x": "x"})
    assert ask(made, "/x/m299") == ("/{y}/m299", {"y": "x"})


def test_the_most_specific_template_wins_for_all_methods() -> None:
    """A method that it does not have is not looked for in a less specific one."""
    made = PathTable([("GET", "/p/mine", 1), ("GET", "/p/{id}", 2), ("DELETE", "/p/{id}", 3)])
    found = made.find("/p/mine")
    assert found is not None
    assert set(found[0].by_name) == {"GET", "HEAD"}
    assert found[0].allow == "GET, HEAD"


def test_head_follows_get_unless_it_is_declared() -> None:
    """RFC 9110, 9.3.2."""
    made = PathTable([("GET", "/a", 1), ("GET", "/b", 2), ("HEAD", "/b", 3), ("POST", "/c", 4)])
    heads = {path: methods.by_name.get("HEAD") for path, methods in made.static.items()}
    assert {path: head and head[0] for path, head in heads.items()} == {
        "/a": 1,
        "/b": 3,
        "/c": None,
    }
    assert [methods.allow for methods in made.static.values()] == ["GET, HEAD", "GET, HEAD", "POST"]


@pytest.mark.parametrize("method", ["get", "Get", "post", "", "WS", "*"])
def test_a_method_has_a_case(method: str) -> None:
    """RFC 9110, 9.1; but Django, Flask and Quart take ``post`` for ``POST``."""
    methods = PathTable([("GET", "/a", 1), ("POST", "/a", 2)]).static["/a"]
    assert method not in methods.by_name
    assert methods.has_in_any_case(method) == (method.lower() in {"get", "post"})


def test_paths_that_differ_in_names_alone_hold_together_by_their_methods() -> None:
    """Each with its own names."""
    made = PathTable(
        [
            ("GET", "/a/{x}.{y}", 1),
            ("PUT", "/a/{b}.{c}", 2),
            ("GET", "/caf\u00e9", 3),
            ("PUT", "/caf%C3%A9", 4),
        ]
    )
    found = made.find("/a/1.2")
    assert found is not None
    methods, parts = found
    assert methods.allow == "GET, HEAD, PUT"
    captured = {name: template.capture(parts) for name, (_, template) in methods.by_name.items()}
    assert captured["GET"] == {"x": "1", "y": "2"}
    assert captured["PUT"] == {"b": "1", "c": "2"}
    other = made.find("/caf\u00e9")
    assert other is not None
    assert other[0].allow == "GET, HEAD, PUT"


def test_only_plain_paths_are_looked_up_at_once() -> None:
    """What could be read in two ways is found as well, once its form has been judged."""
    templates = ["/a", "/a/", "/caf\u00e9", "/a//b", "/a;b", "/a/../b", "/100%25", "/x y"]
    made = table(*templates)
    assert set(made.static) == {"/a", "/a/"}
    for template in templates:
        path = parse_template(template).path
        assert path is not None
        assert ask(made, path) == (template, {})


def test_an_empty_table_has_no_path() -> None:
    """Not even the root."""
    for path in ("", "/", "/a", "/a/b"):
        assert table().find(path) is None


# -- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/a/{x}", "/a/{y}"),
        ("/{x}.{y}", "/{a}.{b}"),
        ("/f/{x:path}", "/f/{y:path}"),
        ("/caf\u00e9", "/caf%C3%A9"),
        ("/%41", "/A"),
        ("/caf%c3%a9/{x}", "/caf%C3%A9/{x}"),
    ],
)
def test_two_templates_that_collide_are_both_named(first: str, second: str) -> None:
    """They are the same path, so only one of them would ever be found."""
    with pytest.raises(ValueError, match="are the same for GET") as refused:
        table(first, second)
    assert repr(first) in str(refused.value)
    assert repr(second) in str(refused.value)


def test_a_method_that_is_declared_twice_is_named() -> None:
    """With its path."""
    with pytest.raises(ValueError, match=r"GET /a/\{x\} is declared twice"):
        table("/a/{x}", "/a/{x}")


def test_methods_that_are_the_same_to_some_apps_are_refused() -> None:
    """Extension methods may have any case, but not two."""
    with pytest.raises(ValueError, match="Copy and COPY of '/a' are the same to some apps"):
        PathTable([("Copy", "/a", 1), ("COPY", "/a", 2)])


@pytest.mark.parametrize("method", ["get", "Post", "", "GET ", "G T", "GET,POST", "\u00dc"])
def test_a_malformed_method_is_named(method: str) -> None:
    """One of HTTP's own is in upper case."""
    with pytest.raises(ValueError, match="the method of '/a' must be such as") as refused:
        PathTable([(method, "/a", 1)])
    assert repr(method) in str(refused.value)


def test_more_pieces_than_can_be_tried_are_named() -> None:
    """The template that is one too many."""
    with pytest.raises(ValueError, match=r"the path '/\{a\}x+': more than 64"):
        table(*("/{a}" + "x" * number for number in range(1, 100)))


# -- near misses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/items", True),
        ("/items/", True),
        ("//items", True),
        ("/items//", True),
        ("/items\n", True),
        ("/items/7/", True),
        ("/items//7", True),
        ("/slashed", True),
        ("/other", False),
        ("/items/7/8", False),
        ("/Items", False),
        ("/", False),
        ("", False),
    ],
)
def test_it_says_what_an_app_may_take_for_a_path_that_is_here(path: str, near: bool) -> None:
    """So that what is undeclared may be let through, and no other spelling of what is declared."""
    assert table("/items", "/items/{id}", "/slashed/").matches_loosely(path) is near


# -- against a naive matcher ----------------------------------------------------------------------

SEGMENTS = ["a", "b", "", "{}", "{}", "{}.{}", "{}.b", "a{}", "{}-{}"]
PATHS = st.lists(st.sampled_from(["a", "b", "", "a.b", "a.b.b", "a-b", ".", "aa"]), max_size=6)


@st.composite
def template_lists(draw: st.DrawFn) -> list[str]:
    templates: dict[str, str] = {}
    for _ in range(draw(st.integers(1, 10))):
        segments = draw(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4))
        if draw(st.booleans()):
            segments[-1] = "{:path}"
        shape = "/" + "/".join(segments)
        first, *others = shape.split("{")
        named = [f"{name}{other}" for name, other in zip("qrstuvwxyz", others, strict=False)]
        templates[shape] = "{".join([first, *named])
    return list(templates.values())


def naive(templates: Sequence[str], path: str) -> list[str]:
    """Return all templates whose expression matches."""
    matching = []
    for template in templates:
        parts = re.split(r"(\{[^}]*\})", template)
        expression = "".join(
            "([^/].*)"
            if part.endswith(":path}")
            else "([^/]+)"
            if part.startswith("{")
            else re.escape(part)
            for part in parts
        )
        if re.fullmatch(expression, path, re.DOTALL):
            matching.append(template)
    return matching


def rank(template: str) -> list[tuple[int, ...]]:
    """Return how specific a template is, segment by segment.

    That is its kind, and of several pieces the literal characters: those before and after the
    parameters, those before them, and all.
    """
    kinds: list[tuple[int, ...]] = []
    for part in template.split("/")[1:]:
        if ":path" in part:
            kinds.append((3, 0))
        elif "{" not in part:
            kinds.append((0, 0))
        else:
            before, *between, after = map(len, re.split(r"\{\w+\}", part))
            outer = before + after
            size = outer + sum(between)
            kinds.append((1, -outer, -before, -size) if size else (2, 0))
    return kinds


def includes(wider: str, narrower: str) -> bool:
    """Return whether a template matches what others make of another one's parameters."""
    samples = [
        re.sub(r"\{\w+\}", "Z", re.sub(r"\{\w+:path\}", rest, narrower))
        for rest in ("Z", "Z/Z", "Z//Z/")
    ]
    return all(naive([wider], sample) for sample in samples)


@settings(max_examples=300)
@example(["/{q}.b/{r:path}", "/{q}.{r}/a/a"], ["a.b", "a", "a"])
@example(["/a{q}/{r:path}", "/{q}.{r}/a/a"], ["a.b", "a", "a"])
@given(template_lists(), PATHS)
def test_it_finds_the_most_specific_of_what_a_naive_matcher_finds(
    templates: list[str], segments: list[str]
) -> None:
    """Any templates, any path; and nothing where that finds nothing."""
    path = "/" + "/".join(segments)
    matching = naive(templates, path)
    found = ask(table(*templates), path)
    assert (found is None) == (not matching)
    if found is not None:
        best = min(matching, key=rank)
        crossing = [one for one in matching if one != best and not includes(one, best)]
        assert found[0] == ("several" if crossing else best)


@settings(max_examples=100)
@given(template_lists(), st.text(max_size=30))
def test_no_text_makes_it_raise(templates: list[str], path: str) -> None:
    """Whatever a client sends in place of a path."""
    made = table(*templates)
    found = ask(made, path)
    assert found is None or all(found[1].values())
    made.matches_loosely(path)


# -- bounded work ---------------------------------------------------------------------------------


def calls(made: PathTable[str], path: str) -> int:
    """Return how many calls it takes to find a path: each step of it makes at least one."""
    counted: Counter[str] = Counter()
    sys.setprofile(lambda _frame, event, _argument: counted.update([event]))
    try:
        made.find(path)
    finally:
        sys.setprofile(None)
    return counted["call"] + counted["c_call"]


@pytest.mark.parametrize(
    "template",
    ["/user/r{}", "/r{}/{{id}}", "/repos/{{owner}}/{{repo}}/r{}/{{id}}", "/x/{{id}}:verb{:05}"],
)
@pytest.mark.parametrize(
    "path", ["/user/r0", "/r0/7", "/repos/o/r/r0/7", "/x/7:verb00000", "/none", "/"], ids=repr
)
def test_the_work_does_not_grow_with_the_number_of_paths(template: str, path: str) -> None:
    """Ten and ten thousand: the very same steps."""
    few, many = (table(*(template.format(n) for n in range(n))) for n in (10, 10_000))
    assert calls(few, path) == calls(many, path)


def test_a_huge_path_takes_no_more_steps_than_a_short_one() -> None:
    """No deeper than the longest template."""
    made = table("/a/{x}/c", "/a/{x}.{y}/c", "/{x}/{y}/c/{z}")
    assert calls(made, "/a/b/c" + "/x" * 50_000) == calls(made, "/a/b/c/x/x")
