"""docs/schema-guard.md: its first example, and its tables of rejections and of options."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from pydantic import BaseModel

from mantlet import BodyLimits, Contract, File, RouteOptions, SchemaGuard
from tests.docs.pages import DOCS, blocks, run
from tests.drive import both_adapters
from tests.guard.asking import FORM, JSON, Guarded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.drive import Adapter

PAGE = "schema-guard.md"
TEXT = (DOCS / PAGE).read_text()


def section(title: str) -> str:
    """Return the text below a heading."""
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """Return the cells of the first table of a section."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_first_example_answers_as_the_page_shows() -> None:
    """In Flask, with the problem byte for byte, apart from the request's id."""
    client = run(PAGE, blocks(PAGE)[0])["app"].test_client()
    with client.post("/items", json={"name": "a", "price": 1}) as answer:
        assert (answer.status_code, answer.json) == (201, {"name": "a"})
    with client.post("/items", json={"name": "", "prize": 5}) as answer:
        shown = json.loads(blocks(PAGE, "http")[0].partition("\n\n")[2])
        problem = {name: value for name, value in answer.json.items() if name in shown}
        assert (answer.status_code, problem) == (422, shown)
    for path, status in (("/other", 404), ("/items", 405)):
        with client.get(path) as answer:
            assert answer.status_code == status


# -- what is rejected -----------------------------------------------------------------------------


class Item(BaseModel):
    name: str


@dataclass
class Point:
    x: int


class Search(BaseModel):
    q: str = ""


class Cookies(BaseModel):
    theme: str = ""


class Headers(BaseModel):
    x_token: str = ""


CONTRACTS: dict[str, Any] = {
    "GET /items": Contract(query=Search, cookies=Cookies, headers=Headers),
    "POST /items": Item,
    "POST /points": Point,
    "POST /login": Contract(form=Item),
    "POST /photos": Contract(form=Item, files={"photo": File(required=False)}),
    "POST /logout": None,
}
MULTIPART = [("Content-Type", "multipart/form-data; boundary=b")]


def part(name: str, more: str = "", value: str = "a") -> str:
    """Return one part of a form, with more parameters and headers."""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'


def form(*parts: str) -> dict[str, Any]:
    """Return the arguments of a request with a multipart form."""
    return {
        "target": "/photos",
        "method": "POST",
        "body": part("name") + "".join(parts) + "--b--\r\n",
        "headers": MULTIPART,
    }


def posted(body: str, headers: Any = JSON, target: str = "/items") -> dict[str, Any]:
    """Return the arguments of a request with a body."""
    return {"method": "POST", "target": target, "body": body, "headers": headers}


class Case(NamedTuple):
    """A request that is rejected with a code, and the options of which each allows it."""

    request: dict[str, Any]
    allowed_by: tuple[Mapping[str, Any], ...] = ()


CASES = {
    "undeclared_path": Case({"target": "/other"}, ({"exempt": ["* /other"]}, {"allow": ["path"]})),
    "undeclared_method": Case({"target": "/items", "method": "PUT"}, ({"allow": ["method"]},)),
    "method_override": Case(
        {"target": "/items", "headers": [("X-HTTP-Method-Override", "DELETE")]}
    ),
    "encoded_slash": Case({"target": "/items", "raw": "/items%2F"}),
    "empty_segment": Case({"target": "//items"}, ({"paths": "normalize"},)),
    "dot_segment": Case({"target": "/x/../items"}, ({"paths": "normalize"},)),
    "backslash": Case({"target": "/items\\"}),
    "undeclared_parameter": Case(
        {"target": "/items?a=1"}, ({"undeclared_query": "ignore"}, {"allow": ["query"]})
    ),
    "undeclared_field": Case(
        posted("name=a&token=1", FORM, "/login"),
        ({"ignored_fields": ["token"]}, {"allow": ["members"]}),
    ),
    "extra_forbidden": Case(posted('{"name": "a", "b": 1}'), ({"allow": ["members"]},)),
    "unexpected_keyword_argument": Case(
        posted('{"x": 1, "b": 1}', target="/points"), ({"allow": ["members"]},)
    ),
    "duplicate_parameter": Case({"target": "/items?q=1&q=2"}, ({"allow": ["duplicates"]},)),
    "duplicate_field": Case(posted("name=a&name=b", FORM, "/login"), ({"allow": ["duplicates"]},)),
    "undeclared_body": Case(posted("{}", target="/logout"), ({"allow": ["body"]},)),
    "media_type": Case(posted("a", [("Content-Type", "text/plain")]), ({"allow": ["media_type"]},)),
    "media_parameter": Case(posted("{}", [("Content-Type", "application/json; a=b")])),
    "unknown_coding": Case(posted("{}", [*JSON, ("Content-Encoding", "rot13")])),
    "json_duplicate_key": Case(posted('{"name": "a", "name": "b"}')),
    "urlencoding": Case(posted("name=%zz", FORM, "/login")),
    "multipart": Case(posted("--b\r\n", MULTIPART, "/photos")),
    "not_a_file": Case(form(part("photo"))),
    "not_a_field": Case(form(part("name", '; filename="a"'))),
    "part_type": Case(
        posted(part("name", "\r\nContent-Type: image/png") + "--b--\r\n", MULTIPART, "/photos")
    ),
    "unsafe_filename": Case(form(part("photo", '; filename="../a"'))),
    "control_character": Case({"target": "/items?q=%01"}),
    "non_ascii": Case({"target": "/items", "headers": [("X-Token", "\xe9")]}),
    "charset": Case(
        {"target": "/items?q=a", "headers": [("Content-Type", "text/plain; charset=utf-7")]}
    ),
    "ambiguous_cookie": Case({"target": "/items", "headers": [("Cookie", 'theme="a b"')]}),
}


def test_each_code_of_the_table_has_a_case() -> None:
    """And each case stands in the table."""
    cells = " ".join(row[2] for row in rows("What is rejected, and how to allow it"))
    assert set(re.findall(r"`(\w+)`", cells)) == set(CASES)


@both_adapters
@pytest.mark.parametrize("code", CASES)
def test_each_is_rejected_and_allowed(adapter: Adapter, code: str) -> None:
    """With the status of the table, and by the option."""
    case = CASES[code]
    (row,) = [
        row
        for row in rows("What is rejected, and how to allow it")
        if f"`{code}`" in row[2] and "OPTIONS" not in row[0]
    ]
    request = dict(case.request)
    raw = request.pop("raw", None)
    if raw is not None:  # the target as it was sent
        request |= {"RAW_URI": raw} if adapter.name == "wsgi" else {"raw_path": raw.encode()}
    answer = Guarded(adapter, CONTRACTS).ask(**request)
    assert code in {error["code"] for error in answer.json()["errors"]}, answer.text()
    assert str(answer.status) in row[1]
    for options in case.allowed_by:
        (option,) = options
        assert f"{option}=" in row[3]
        assert Guarded(adapter, CONTRACTS, **options).ask(**case.request).status == 200, options


# -- options --------------------------------------------------------------------------------------


def test_the_table_of_options_is_complete() -> None:
    """Each option of the constructor in its order, with its default, and whether routes have it."""
    listed = {
        name: (star.strip() == "*", default)
        for cell, default, _ in rows("Options")
        for name, star in re.findall(r"^`(\w+)`( \*)?$", cell)
    }
    parameters = dict(inspect.signature(SchemaGuard).parameters)
    assert list(listed) == list(parameters)
    by_route = {field.name for field in fields(RouteOptions)}
    assert {name for name, (star, _) in listed.items() if star} == by_route
    for name, (_, shown) in listed.items():
        default = parameters[name].default
        if default not in (None, ()):
            written = json.dumps(default) if isinstance(default, str) else repr(default)
            assert shown == f"`{written}`", name


def test_the_limits_of_the_page_exist() -> None:
    """By the names that the pages give."""
    names = {field.name for field in fields(BodyLimits)}
    for page in [DOCS / PAGE, *(DOCS / "schema-guard").glob("*.md")]:
        for name in re.findall(r"BodyLimits\((\w+)=", page.read_text()):
            assert name in names, page
