"""Each form that is read is read to the same fields and files by frameworks' own parsers.

Starlette's needs python-multipart, and is asked where that is installed.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard.bodies.forms import File, FormFields
from mantlet.guard.errors import ValidationFailed

from . import test_multipart, test_urlencoded
from .building import MULTIPART, URLENCODED, body, field, media, multipart, read, upload, urlencoded
from .peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Callable

Lists = dict[str, list[Any]]


def _lists(value: dict[str, Any]) -> Lists:
    return {name: item if isinstance(item, list) else [item] for name, item in value.items()}


def _multipart(content: bytes) -> tuple[Lists, Lists]:
    fields, files = read(multipart(), content)
    return _lists(fields), {name: [file[3] for file in kept] for name, kept in files.items()}


def _urlencoded(content: bytes) -> tuple[Lists, Lists]:
    return _lists(urlencoded().read(content, media(URLENCODED)).value), {}


def _peer(name: str, content: bytes, kind: str) -> tuple[Lists, Lists] | None:
    """Return what a peer reads, or None where it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reading = PEERS[name](content, kind)
        except Exception:
            return None
    fields: Lists = {}
    files: Lists = {}
    for where, items in ((fields, reading.fields), (files, reading.files)):
        for field_name, value in items:
            where.setdefault(field_name, []).append(value)
    return fields, files


def _agree(
    ours: Callable[[bytes], tuple[Lists, Lists]], content: bytes, kind: str, *, strictly: bool
) -> None:
    """Check that all peers read what we do; one may refuse unless it is strictly."""
    said = ours(content)
    for name in PEERS:
        theirs = _peer(name, content, kind)
        assert theirs == said or (theirs is None and not strictly), name


@pytest.mark.parametrize(("content", "value"), test_multipart.READ)
def test_multipart_forms_are_read_alike(content: bytes, value: Any) -> None:
    """Whatever stands in the corpus of what is read is read by all."""
    _agree(_multipart, content, MULTIPART, strictly=True)


@pytest.mark.parametrize(("content", "value"), test_urlencoded.READ)
def test_urlencoded_forms_are_read_alike(content: bytes, value: Any) -> None:
    """Whatever stands in the corpus of what is read is read by all."""
    _agree(_urlencoded, content, URLENCODED, strictly=True)


@pytest.mark.parametrize("boundary", ["x-", "-x", "'()+_,-./:=?", "a" * 70, "--a--a"])
def test_boundaries_are_read_alike(boundary: str) -> None:
    """No lawful boundary is cut at differently."""
    content = body(field("a", "1"), upload("f", b"\r\n-\r\n--")).replace(
        b"AaB03x", boundary.encode()
    )
    kind = f'multipart/form-data; boundary="{boundary}"'
    said = {"a": ["1"]}, {"f": [b"\r\n-\r\n--"]}
    fields, files = read(multipart(), content, kind)
    assert (
        _lists(fields),
        {name: [file[3] for file in kept] for name, kept in files.items()},
    ) == said
    for name in PEERS:
        assert _peer(name, content, kind) == said


_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6) | st.text(
    "a&;=%2\\'\"<>*()[] ,:@?/{}", min_size=1, max_size=6
)
_values = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_bytes = st.binary(max_size=20) | st.lists(
    st.sampled_from([b"\r\n", b"--AaB03", b"--", b"\n", b"-", b"x"]), max_size=6
).map(b"".join)


@given(st.lists(st.tuples(_names, _values) | st.tuples(_names, _names, _bytes), max_size=3))
@settings(max_examples=250)
def test_any_names_and_contents_are_read_alike(parts: list[Any]) -> None:
    """Whatever of names and contents is accepted, no peer reads otherwise."""
    content = body(
        *(field(*one) if len(one) == 2 else upload(one[0], one[2] or b"x", one[1]) for one in parts)
    )
    try:
        _multipart(content)
    except ValidationFailed:
        return
    _agree(_multipart, content, MULTIPART, strictly=False)


@given(
    st.integers(0, 300),
    st.sampled_from(
        [
            b"",
            b"\r\n",
            b"\n",
            b"\r",
            b"--",
            b"--AaB03x",
            b" ",
            b"\t",
            b'"',
            b"\\",
            b";",
            b"*",
            b"=",
            b"%22",
        ]
    ),
    st.integers(0, 2),
)
@settings(max_examples=250)
def test_a_form_that_is_changed_is_read_alike_or_refused(at: int, put: bytes, cut: int) -> None:
    """No change of a form makes one that is accepted and that a peer reads otherwise."""
    whole = body(field("a", "1"), upload("f", b"2\r\n3", "b.txt", "text/plain"), field("c", "4"))
    content = whole[:at] + put + whole[at + cut :]
    try:
        _multipart(content)
    except ValidationFailed:
        return
    _agree(_multipart, content, MULTIPART, strictly=False)


@given(st.text("a=&+%203bcF;~!\"<[]'é ", max_size=14).map(str.encode))
@settings(max_examples=150)
def test_any_urlencoded_form_is_read_alike_or_refused(content: bytes) -> None:
    """No urlencoded form that is accepted is read otherwise by a peer."""
    try:
        _urlencoded(content)
    except ValidationFailed:
        return
    _agree(_urlencoded, content, URLENCODED, strictly=True)


def test_an_input_that_nothing_was_chosen_in_is_nothing_to_all() -> None:
    """To some it is an empty file, to others an empty field, to none anything with content."""
    content = body(upload("f", b"", "", "application/octet-stream"))
    assert read(multipart(FormFields(), {"f": File(required=False)}), content) == ({}, {})
    for name in PEERS:
        assert _peer(name, content, MULTIPART) in [({"f": [""]}, {}), ({}, {"f": [b""]})]


def test_a_json_part_has_the_same_bytes_to_all() -> None:
    """It is a field, or to aiohttp a file."""
    content = body(field("j", '{"a":1}', "\r\nContent-Type: application/json"))
    for name in PEERS:
        assert _peer(name, content, MULTIPART) in [
            ({"j": ['{"a":1}']}, {}),
            ({}, {"j": [b'{"a":1}']}),
        ]
