"""Random requests for random FastAPI apps, for Hypothesis."""

import json
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

from hypothesis import strategies as st
from pydantic import BaseModel

from tests.guard.apps.fastapi_apps import (
    TEXTS,
    VALUES,
    Case,
    Draw,
    Part,
    likely,
    model_fields,
    model_wires,
)


class Asked(NamedTuple):
    """A request."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes


def _texts() -> st.SearchStrategy[str]:
    return st.sampled_from(TEXTS)


def _present(draw: Draw, one: Part) -> list[tuple[str, str]]:
    """Return names with texts: mostly the names that count, once."""
    pairs = []
    fields = {name: info for name, info in model_fields(one) if name != "config"}
    wires = {info.alias or name: info.annotation for name, info in fields.items()}
    first = wires or {one.names[0]: one.parameter.annotation}
    for name in one.names:
        if draw(st.integers(0, 19)) < (16 if name in first else 1):
            texts = likely(first.get(name)) if draw(st.integers(0, 9)) < 8 else TEXTS
            count: int = draw(st.sampled_from([1] * 8 + [2, 3]))
            pairs += [(name, draw(st.sampled_from(texts))) for _ in range(count)]
    return pairs


@st.composite
def requests(draw: Draw, case: Case) -> Asked:
    """Return a strategy of requests for an app."""
    path = case.template
    if "{" in path:
        text = draw(_texts().filter(lambda text: text.strip(".") and "\r" not in text))
        path = "/x/" + quote(text, safe="")
    query = _pairs(draw, case, "query")
    headers = [(name, text.strip()) for name, text in _pairs(draw, case, "header")]
    cookies = [f"{name}={text}" for name, text in _pairs(draw, case, "cookie")]
    if draw(st.integers(0, 29)) == 0:
        query.append(("more", "1"))
    if cookies:
        headers.append(("Cookie", "; ".join(cookies)))
    body, media = _body(draw, case)
    if case.method == "WS":
        return Asked(case.method, path, _text_of(query), headers, b"")
    if draw(st.integers(0, 19)) == 0:
        media = draw(st.sampled_from([None, "text/plain", "application/octet-stream", "a/xml"]))
    if media is not None:
        headers.append(("Content-Type", media))
    if body or draw(st.booleans()):
        headers.append(("Content-Length", str(len(body))))
    return Asked(case.method, path, _text_of(query), headers, body)


def _text_of(query: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in query)


def _pairs(draw: Draw, case: Case, place: str) -> list[tuple[str, str]]:
    """Return the parameters of a place; headers and cookies are ASCII, as browsers send them."""
    return [
        (name, text)
        for one in case.parts
        if one.place == place
        for name, text in _present(draw, one)
        if place == "query" or (text.isascii() and text.isprintable())
    ]


def _body(draw: Draw, case: Case) -> tuple[bytes, str | None]:
    if case.method in ("GET", "WS") or draw(st.integers(0, 14)) == 0:
        return b"", None
    bodies = [one for one in case.parts if one.place == "body"]
    forms = [one for one in case.parts if one.place in ("form", "file")]
    if bodies:
        return _json(draw, bodies)
    return _form(draw, forms) if forms else (b"", None)


def _values() -> st.SearchStrategy[Any]:
    return st.sampled_from(VALUES)


def _likely_values(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy of values that a type most likely takes, and of others."""
    texts: list[Any] = likely(kind)
    told = str(kind).lower()
    if texts is TEXTS:
        return _values()
    more: list[Any] = [1, 2, True] if any(each in told for each in ("int", "bool")) else []
    if any(each in told for each in ("list", "set", "tuple")):
        return st.one_of(st.lists(st.sampled_from([*texts, *more]), max_size=3), _values())
    return st.one_of(st.sampled_from([*texts, *more]), st.sampled_from(texts), _values())


def _object(draw: Draw, model: Any) -> dict[str, Any]:
    found = {}
    first = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
    for name in model_wires(model):
        if draw(st.integers(0, 19)) < (17 if name in first else 1):
            found[name] = draw(_likely_values(first.get(name)))
    return found


def _model(one: Part) -> Any:
    kind: Any = one.parameter.annotation.__origin__
    kinds = (kind, *getattr(kind, "__args__", ()))
    return next(one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel))


def _json(draw: Draw, bodies: list[Part]) -> tuple[bytes, str]:
    media = draw(
        st.sampled_from(["application/json"] * 6 + ["application/vnd.x+json", "text/plain"])
    )
    found: dict[str, Any] = {}
    for one in bodies:
        fields = [name for name, _ in model_fields(one)]
        value = draw(_likely_values(one.parameter.annotation))
        if fields and draw(st.integers(0, 9)) > 0:
            value = _object(draw, _model(one))
        if draw(st.integers(0, 9)):
            found[draw(st.sampled_from(list(one.names)))] = value
        if len(bodies) == 1 and draw(st.booleans()):
            return json.dumps(value).encode(), media
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([b"null", b"[]", b"", b"{", b"5"])), media
    return json.dumps(found).encode(), media


def _form(draw: Draw, parts: list[Part]) -> tuple[bytes, str]:
    pairs: list[tuple[str, str, str | None]] = []
    for one in parts:
        for name, text in _present(draw, one):
            kind = one.parameter.annotation.__origin__
            is_file = one.place == "file" or "UploadFile" in str(model_fields(one) or kind)
            if is_file and draw(st.integers(0, 9)):
                filename = draw(st.sampled_from(["a.txt", "a.txt", "photo.png", ""]))
                pairs.append((name, text if filename else "", filename))
            else:
                # An empty text is no file to a guard; FastAPI refuses it in a list.
                pairs.append((name, text or "a" * is_file, None))
    if draw(st.integers(0, 14)) == 0:
        pairs.append(("more", "1", None))
    files = any(filename is not None for _, _, filename in pairs)
    if not files and draw(st.booleans()):
        urlencoded = [f"{quote_plus(name)}={quote_plus(value)}" for name, value, _ in pairs]
        return "&".join(urlencoded).encode(), "application/x-www-form-urlencoded"
    lines = []
    for name, value, shown in pairs:
        head = f'Content-Disposition: form-data; name="{name}"'
        if shown is not None:
            head += f'; filename="{shown}"\r\nContent-Type: application/octet-stream'
        lines.append(f"--limit\r\n{head}\r\n\r\n{value}\r\n")
    return "".join(lines).encode() + b"--limit--\r\n", "multipart/form-data; boundary=limit"
