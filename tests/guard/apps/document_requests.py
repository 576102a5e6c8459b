"""Random requests for random apps whose guards are made of their documents, for Hypothesis."""

import json
import re
from typing import Any, Final, NamedTuple
from urllib.parse import quote, quote_plus

from hypothesis import strategies as st

from tests.guard.apps.fastapi_apps import TEXTS, VALUES, Draw, likely
from tests.guard.apps.fastapi_requests import Asked

#: Spellings of numbers that the guards of documents refuse.
_ODD_NUMBER: Final = re.compile(r"\+.*| .*|0[0-9]+.*|[0-9]+_[0-9]+|.*\.0|nan|inf")


class Field(NamedTuple):
    """A parameter of an endpoint, or a field of the type of its body.

    Attributes:
        kind: its type.
        is_file: whether it is a file, or a list of files.
    """

    name: str
    kind: Any
    required: bool
    is_file: bool = False


class Case(NamedTuple):
    """A random app.

    Attributes:
        app: it has one route, of POST, which answers 200.
        path: its path, with a parameter or not.
        parts: the fields by place: path, query, header, cookie, json, urlencoded, form.
        told: the declarations, for people.
        source: what the guard is made of.
    """

    app: Any
    path: str
    parts: dict[str, list[Field]]
    told: str
    source: Any


@st.composite
def requests(draw: Draw, case: Case) -> Asked:
    """Return a strategy of requests for an app."""
    path = case.path
    if "path" in case.parts:
        text = draw(_texts(case.parts["path"][0]))
        if not text.strip(".") or "\r" in text:
            text = "1"
        path = "/x/" + quote(text, safe="")
    query = _pairs(draw, case, "query")
    headers = [(f"X-{name}", text.strip()) for name, text in _pairs(draw, case, "header")]
    cookies = [f"{name}={text}" for name, text in _pairs(draw, case, "cookie")]
    if draw(st.integers(0, 29)) == 0:
        query.append(("more", "1"))
    if cookies:
        headers.append(("Cookie", "; ".join(cookies)))
    body, media = _body(draw, case)
    if draw(st.integers(0, 29)) == 0:
        media = draw(st.sampled_from([None, "text/plain"]))
    if media is not None:
        headers.append(("Content-Type", media))
    headers.append(("Content-Length", str(len(body))))
    return Asked("POST", path, _urlencoded(query), headers, body)


def _texts(one: Field) -> st.SearchStrategy[str]:
    """Return a strategy of texts; numbers are spelled as in JSON, and integers have no fraction."""
    usual = st.sampled_from(likely(one.kind))
    texts = st.one_of(usual, usual, usual, st.sampled_from(TEXTS))
    return texts.filter(lambda text: not _ODD_NUMBER.fullmatch(text))


def _named(draw: Draw, found: list[Field]) -> list[tuple[Field, str]]:
    """Return the fields that a request has, with texts, mostly once."""
    pairs = []
    for one in found:
        if draw(st.integers(0, 19)) < (18 if one.required else 12):
            count: int = draw(st.sampled_from([1] * 10 + [2, 3]))
            pairs += [(one, draw(_texts(one))) for _ in range(count)]
    return pairs


def _pairs(draw: Draw, case: Case, place: str) -> list[tuple[str, str]]:
    """Return the parameters of a place; headers and cookies are ASCII, as browsers send them."""
    return [
        (one.name, text)
        for one, text in _named(draw, case.parts.get(place, []))
        if place == "query" or (text.isascii() and text.isprintable())
    ]


def _urlencoded(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)


def _body(draw: Draw, case: Case) -> tuple[bytes, str | None]:
    if "json" in case.parts:
        return _json(draw, case.parts["json"]), "application/json"
    if "urlencoded" in case.parts:
        pairs = [(one.name, text) for one, text in _named(draw, case.parts["urlencoded"])]
        if draw(st.integers(0, 19)) == 0:
            pairs.append(("more", "1"))
        return _urlencoded(pairs).encode(), "application/x-www-form-urlencoded"
    if "form" in case.parts:
        return _multipart(draw, case.parts["form"]), "multipart/form-data; boundary=limit"
    return b"", None


def _value(draw: Draw, one: Field) -> Any:
    """Return a value that the type most likely takes, or another one."""
    texts: list[Any] = likely(one.kind)
    told = str(one.kind).lower()
    more: list[Any] = [1, 2, True, 2.5] if any(each in told for each in ("int", "bool")) else []
    more += [1, 2.5] if "float" in told or "decimal" in told or "timedelta" in told else []
    more += [None] if "none" in told or not one.required else []
    usual = st.one_of(st.sampled_from([*texts, *more]), st.sampled_from(more or texts))
    if any(each in told for each in ("list", "set", "tuple")):
        usual = st.one_of(st.lists(usual, max_size=3), usual)
    return draw(st.one_of(usual, usual, usual, st.sampled_from(VALUES)))


def _json(draw: Draw, found: list[Field]) -> bytes:
    if draw(st.integers(0, 19)) == 0:
        return draw(st.sampled_from([b"null", b"[]", b"", b"{", b"5"]))
    value = {
        one.name: _value(draw, one)
        for one in found
        if draw(st.integers(0, 19)) < (19 if one.required else 12)
    }
    if draw(st.integers(0, 19)) == 0:
        value["more"] = 1
    return json.dumps(value).encode()


def _multipart(draw: Draw, found: list[Field]) -> bytes:
    """Return a form as browsers send it: an empty file part for an upload that is left empty."""
    lines = []
    for one, text in _named(draw, found):
        head = f'Content-Disposition: form-data; name="{one.name}"'
        value = text
        if one.is_file and draw(st.integers(0, 19)):
            filename = draw(st.sampled_from(["a.txt", "photo.png", ""]))
            value = text if filename else ""
            head += f'; filename="{filename}"\r\nContent-Type: application/octet-stream'
        lines.append(f"--limit\r\n{head}\r\n\r\n{value}\r\n")
    return "".join(lines).encode() + b"--limit--\r\n"
