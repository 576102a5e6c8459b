"""Every path that the guard lets through is routed by the apps to what the guard has matched."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mantlet.guard import SchemaGuard
from tests.guard.smuggling.readers import READERS, Reader

TEMPLATES = [
    "/",
    "/items",
    "/items/mine",
    "/items/{id}",
    "/items/{id}/parts",
    "/items/{id}/parts/{part}",
    "/files/{name}.{ext}",
    "/compare/{base}...{head}",
    "/jobs/{id}:cancel",
    "/span/{first}-{last}",
    "/slashed/",
    "/caf\u00e9/{id}",
]


def document(templates: list[str]) -> dict[str, Any]:
    """Return a document of an operation for each template, whose parameters are any text."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Paths", "version": "1"},
        "paths": {
            template: {
                "get": {
                    "parameters": [
                        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                        for name in re.findall(r"\{([^}]+)", template)
                    ],
                    "responses": {"200": {"description": "read"}},
                }
            }
            for template in templates
        },
    }


def judged(reader: Reader, target: bytes, guard: SchemaGuard) -> tuple[int | None, bool]:
    """Ask an app behind a guard; return the answer's status and whether the app was reached.

    What reaches the app must be what the guard has matched, with the same parameters.
    """
    answer, reading = reader.ask("GET", target, guard)
    if reading is not None:
        assert reading.validated is not None
        assert reading.validated.operation == f"GET {reading.route}"
        assert (reading.validated.path or {}) == reading.parameters
    elif answer.status == 200:
        pytest.fail("an answer of the app's without a reading")
    return answer.status, reading is not None


PIECES = st.sampled_from(
    [
        *("/", "/", "//", "items", "mine", "parts", "files", "compare", "jobs", "span", "slashed"),
        *("caf%C3%A9", "caf%c3%a9", "a", "b", ".", "..", "...", "a.b", "a.b.c", "a-b-c"),
        *(":cancel", "x:cancel:cancel", "%2F", "%2f", "%2e", "%2E%2e", "%5C", "\\", ";x=1", "%3B"),
        *("%", "%zz", "%25", "%252F", "%00", "%0A", "%0d%0a", "%7f", "%c2%80", "%ff", "%c0%af"),
        *(
            "%ed%a0%80",
            "%EF%BF%BD",
            "%20",
            "+",
            "%3F",
            "%23",
            "#",
            "*",
            "@",
            "~",
            "%41",
            "%E2%80%A8",
        ),
    ]
)
TARGETS = st.lists(PIECES, max_size=9).map(lambda pieces: f"/{''.join(pieces)}".encode())


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("paths", ["refuse", "normalize"])
@pytest.mark.breaks_rules("requests that a careful server would refuse")
def test_what_an_app_is_reached_by_is_what_was_matched(name: str, paths: Any) -> None:
    """Any target that is let through leads to one handler, and to the same parameters."""
    guard = SchemaGuard(openapi=document(TEMPLATES), paths=paths)
    reached = 0
    with READERS[name](TEMPLATES) as reader:

        @settings(max_examples=150, suppress_health_check=list(HealthCheck))
        @given(TARGETS)
        def check(target: bytes) -> None:
            nonlocal reached
            reached += judged(reader, target, guard)[1]

        check()
    assert reached


@pytest.mark.parametrize("name", READERS)
@pytest.mark.breaks_rules("Django writes the names of header fields in both cases under ASGI")
@pytest.mark.parametrize(
    ("target", "route", "parameters"),
    [
        ("/", "/", {}),
        ("/items", "/items", {}),
        ("/items/mine", "/items/mine", {}),
        ("/items/7", "/items/{id}", {"id": "7"}),
        ("/items/a%20b", "/items/{id}", {"id": "a b"}),
        ("/items/%C3%A9%3F%23", "/items/{id}", {"id": "\u00e9?#"}),
        ("/items/100%25", "/items/{id}", {"id": "100%"}),
        ("/items/.hidden", "/items/{id}", {"id": ".hidden"}),
        ("/items/7/parts/8", "/items/{id}/parts/{part}", {"id": "7", "part": "8"}),
        ("/files/a.tar.gz", "/files/{name}.{ext}", {"name": "a.tar", "ext": "gz"}),
        ("/compare/a....b", "/compare/{base}...{head}", {"base": "a.", "head": "b"}),
        ("/jobs/a:cancel:cancel", "/jobs/{id}:cancel", {"id": "a:cancel"}),
        ("/span/a-b-c", "/span/{first}-{last}", {"first": "a-b", "last": "c"}),
        ("/slashed/", "/slashed/", {}),
        ("/caf%C3%A9/1", "/caf\u00e9/{id}", {"id": "1"}),
        ("/caf%c3%a9/1", "/caf\u00e9/{id}", {"id": "1"}),
    ],
)
def test_an_ordinary_path_reaches_its_handler(
    name: str, target: str, route: str, parameters: dict[str, str]
) -> None:
    """With what the guard has captured, and what the framework has."""
    guard = SchemaGuard(openapi=document(TEMPLATES))
    with READERS[name](TEMPLATES) as reader:
        answer, reading = reader.ask("GET", target.encode(), guard)
    assert answer.status == 200
    assert reading is not None
    assert (reading.route, reading.parameters) == (route, parameters)
    assert (reading.validated.path or {}) == parameters


#: Other ways to write /items/mine, or a way to /items/{id} that is none.
SPELLINGS = [
    *("/items%2Fmine", "/items%2fmine", "//items/mine", "/items//mine", "/items/mine//"),
    *("/./items/mine", "/x/../items/mine", "/x/%2e%2E/items/mine", "/items/%2e/mine", "/items/.."),
    *("/items/a;x=1", "/items/mine;x", "/items/mine%3Bx", "/items\\mine", "/items%5Cmine"),
    *("/items/mine%0A", "/items/mine%00", "/items/%0d%0a", "/items/%c2%85", "/items/%7F"),
    *("/items/%", "/items/%zz", "/items/%4", "/items/%ff", "/items/%c0%af", "/items/%ed%a0%80"),
    *("/items/%EF%BF%BD", "/items/%252e%252e", "/items/%25%32%65", "/items/mine#x", "/items/a#x"),
    *("http://localhost/items/mine", "HTTP://x/items/a", "items/mine", "*", "localhost:80"),
]


@pytest.mark.parametrize("name", READERS)
@pytest.mark.breaks_rules("requests that a careful server would refuse")
def test_what_could_be_read_in_two_ways_reaches_no_handler(name: str) -> None:
    """None of these, whatever the framework would make of it."""
    guard = SchemaGuard(openapi=document(TEMPLATES))
    with READERS[name](TEMPLATES) as reader:
        judgements = {target: judged(reader, target.encode(), guard) for target in SPELLINGS}
    assert judgements == dict.fromkeys(SPELLINGS, (400, False))


@pytest.mark.parametrize(
    ("name", "target", "route", "parameters"),
    [
        ("flask", "//items/mine", "/items/mine", {}),
        ("flask", "/items/%ff", "/items/{id}", {"id": "\ufffd"}),
        ("django-wsgi", "/items/%ff", "/items/{id}", {"id": "%FF"}),
        ("starlette", "/items/mine%0A", "/items/mine", {}),
        ("django-wsgi", "/items/mine%0A", "/items/{id}", {"id": "mine\n"}),
    ],
)
def test_frameworks_differ_in_what_they_read(
    name: str, target: str, route: str, parameters: dict[str, str]
) -> None:
    """Without a guard: each of these is another path, or another value, to another app."""
    with READERS[name](TEMPLATES) as reader:
        _, reading = reader.ask("GET", target.encode())
    assert reading is not None
    assert (reading.route, reading.parameters) == (route, parameters)
