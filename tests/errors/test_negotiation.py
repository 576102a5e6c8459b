"""Which form of an answer a client takes, by RFC 9110, 12.5.1."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mantlet import ErrorEnvelope, Problem
from mantlet.errors.rendering import (
    HTML,
    JSON,
    OFFERED,
    PROBLEM_JSON,
    PROBLEM_XML,
    TEXT,
    negotiate,
    prefers_json,
)
from tests.drive import Adapter, both_adapters, drive_asgi
from tests.errors.test_mapping import raising
from tests.ids import shown

CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
    "*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
)
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
SAFARI = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
INTERNET_EXPLORER = "text/html, application/xhtml+xml, image/jxr, */*"
LYNX = "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
APOLLO = "application/graphql-response+json;charset=utf-8, application/json;charset=utf-8"
TURBO = "text/vnd.turbo-stream.html, text/html, application/xhtml+xml"


# -- form() ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, PROBLEM_JSON),  # Go, and whoever says nothing
        ("*/*", PROBLEM_JSON),  # curl, fetch(), requests, httpx, wget
        ("application/json, text/plain, */*", PROBLEM_JSON),  # axios, Angular
        ("application/json, text/javascript, */*; q=0.01", JSON),  # jQuery
        ("text/html, */*; q=0.01", HTML),  # jQuery
        ("application/json", JSON),
        ("application/problem+json", PROBLEM_JSON),
        ("application/problem+json, application/json;q=0.9", PROBLEM_JSON),
        ("application/json, application/problem+json", PROBLEM_JSON),
        ("application/problem+xml", PROBLEM_XML),
        ("application/vnd.github+json", PROBLEM_JSON),
        ("application/vnd.api+json", PROBLEM_JSON),
        (APOLLO, JSON),
        (CHROME, HTML),
        (FIREFOX, HTML),
        (SAFARI, HTML),
        (LYNX, HTML),
        (JAVA, HTML),
        (TURBO, HTML),
        (INTERNET_EXPLORER, PROBLEM_JSON),  # it likes whatever else there is just as well
        ("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", PROBLEM_JSON),
        ("text/css,*/*;q=0.1", PROBLEM_JSON),
        ("text/event-stream", PROBLEM_JSON),
        ("text/plain", TEXT),
    ],
    ids=shown,
)
def test_what_clients_send_gets_what_they_can_show(accept: str | None, chosen: str) -> None:
    """Browsers get a page, programs JSON."""
    assert negotiate(accept) == chosen


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("text/plain;q=0.5, text/html;q=0.4", TEXT),
        ("text/plain;q=0.4, text/html;q=0.5", HTML),
        ("text/plain;q=0.001, text/html;q=0.002", HTML),
        ("text/plain;q=0.999, text/html", HTML),
        ("text/plain;q=1.000, text/html;q=0.999", TEXT),
        ("text/plain;q=1., text/html;q=0.9", TEXT),
        ("text/plain;q=0., text/html;q=0.001", HTML),
        ("text/html;q=0.5, text/plain;q=0.50", HTML),
        ("text/html;q=0.1, text/plain;q=0.5, text/html;q=0.9", HTML),
        ("text/html;q=0.9, text/plain;q=0.5, text/html;q=0.1", HTML),
        ("text/plain, text/html", HTML),
        ("text/html, application/problem+xml", PROBLEM_XML),
        ("application/problem+xml, application/json", JSON),
        ("text/plain, text/html, application/problem+xml, application/json", JSON),
    ],
    ids=shown,
)
def test_the_highest_weight_counts_and_of_equals_the_first_that_is_offered(
    accept: str, chosen: str
) -> None:
    """A weight has up to three digits, and is 1 where there is none (RFC 9110, 12.4.2)."""
    assert negotiate(accept) == chosen


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("text/*;q=0.5, text/html;q=0.1", TEXT),
        ("text/html;q=0.1, text/*;q=0.5", TEXT),
        ("*/*, application/*;q=0.1", HTML),
        ("*/*;q=0.5, text/*;q=0.4, application/*;q=0.3", HTML),
        ("*/*, application/*;q=0.5, text/*;q=0.5", PROBLEM_JSON),
        ("*/*, application/*;q=0.2, text/html;q=0.1", TEXT),
        ("application/*, application/problem+json;q=0.1", JSON),
        ("application/*, application/problem+json;q=0.1, application/json;q=0.1", PROBLEM_XML),
        ("text/*", HTML),
        ("application/*", PROBLEM_JSON),
    ],
    ids=shown,
)
def test_the_most_specific_range_has_the_say(accept: str, chosen: str) -> None:
    """A type goes before a range of types, and that before all types, in whatever order."""
    assert negotiate(accept) == chosen


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*, application/*;q=0", HTML),
        ("*/*, application/*;q=0.0, text/html;q=0.00", TEXT),
        ("text/*, text/html;q=0.000", TEXT),
        ("*/*;q=0, text/plain;q=0.001", TEXT),
        ("application/problem+json;q=0, */*", JSON),
        ("application/problem+json;q=0, application/json;q=0, */*", PROBLEM_XML),
        ("*/*;q=0", PROBLEM_JSON),
        ("application/problem+json;q=0", PROBLEM_JSON),
        ("text/html;q=0", PROBLEM_JSON),
        ("image/png", PROBLEM_JSON),
    ],
    ids=shown,
)
def test_a_weight_of_0_means_not_that_one_and_there_is_always_an_answer(
    accept: str, chosen: str
) -> None:
    """Where a client takes none of them it gets the first all the same (RFC 9110, 15.5.7)."""
    assert negotiate(accept) == chosen


@pytest.mark.parametrize(
    "accept",
    [
        "TEXT/HTML",
        "Text/Html;Q=0.5, */*;Q=0.4",
        "text/html ; q=0.5 , */* ; q=0.4",
        "text/html\t;\tq=0.5\t,\t*/*\t;\tq=0.4",
        " text/html",
        "text/html ",
        ",text/html",
        ", ,, text/html,,",
        "text/html;",
        "text/html;;q=1",
        "text/html;q=0.5;",
        "image/png,text/html",
        "text/html;charset=utf-8",
        "text/html;level=1;q=0.7, */*;q=0.6",
        "text/html;q=0.7;extension=1, */*;q=0.6",
        "text/html;q=0.7;extension, */*;q=0.6",
        'text/html;level="1";q=0.7, */*;q=0.6',
        "text/html;quality=0;q=1",
        "text/html;xq=0",
    ],
    ids=shown,
)
def test_case_whitespace_empty_members_and_parameters_do_not_matter(accept: str) -> None:
    """RFC 9110, 5.6.1.2, 5.6.3 and 8.3.1."""
    assert negotiate(accept) == HTML


@pytest.mark.parametrize(
    "weight",
    [
        *("", "2", "1.001", "1.1", "-1", "-0.5", "+1", "0.1234", "1.0000", ".5", "00.5"),
        *("1e0", "nan", "inf", "high", '"1"', "0.5.5", "0 .5", "\u0661", "0.\u0665", "0x1"),
        *("True", "1_0", "0.5 0.5"),
    ],
    ids=ascii,
)
def test_a_range_whose_weight_is_none_is_not_counted(weight: str) -> None:
    """Neither as liked most nor as refused (RFC 9110, 12.4.2)."""
    assert negotiate(f"text/html;q={weight}, text/plain;q=0.001") == TEXT
    assert negotiate(f"text/html;q={weight}") == PROBLEM_JSON
    assert negotiate(f"text/html;q={weight}, text/*;q=0.5") == HTML
    assert not prefers_json(f"application/json;q={weight}")


@pytest.mark.parametrize(
    "accept",
    [
        *("", " ", ",", ";", "/", "*", "text", "html", "*/html", "text/", "/html", "text//html"),
        *("text/html/plain", "q=1", ";q=1", "text html", "text /html", "text/ html", "t*/*"),
        *("\x00", "\xff\xfe", "text/html\x00", "text/html\n", "\ud800", "\U0001f600/\U0001f600"),
        *("text/html q=1", "text/ht*", "xtext/html", "text/htmlx", "${jndi:ldap://x}", "%s%n"),
        *("application/xml", "application/problem", "+json", "*/*+json"),
    ],
    ids=ascii,
)
def test_what_names_nothing_that_is_offered_gets_the_first(accept: str) -> None:
    """Garbage is no preference."""
    assert negotiate(accept) == PROBLEM_JSON


def test_a_field_that_is_too_long_or_has_too_many_parts_is_not_read() -> None:
    """No client sends by itself what takes long to read."""
    padding = f"x/{'y' * 4000}, "
    assert negotiate(f"{padding}text/html") == HTML
    assert negotiate(f"{padding * 2}text/html") == PROBLEM_JSON
    assert negotiate("x/y, " * 127 + "text/html") == HTML
    assert negotiate("x/y, " * 128 + "text/html") == PROBLEM_JSON
    assert negotiate("text/html" + ";a" * 128) == PROBLEM_JSON
    assert negotiate("text/html;q=0.5" + "," * 1_000_000) == PROBLEM_JSON
    assert negotiate("text/html" + ";q=1" * 1_000_000) == PROBLEM_JSON
    assert not prefers_json(f"{padding * 2}application/json")
    assert not prefers_json("application/json" + "," * 1_000_000)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        # RFC 9110, 12.5.1, its own example: text/plain has 0.7, and text/html 0.3.
        (
            (
                "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, "
                "text/plain;format=fixed;q=0.4, */*;q=0.5"
            ),
            TEXT,
        ),
        ("text/html, text/html;level=1;q=0.2, text/plain;q=0.5", HTML),
        ("text/html, text/html;level=1;q=0, text/plain;q=0.5", HTML),
        ("application/json, application/json;version=2;q=0.1, text/html;q=0.5", JSON),
    ],
    ids=shown,
)
def test_what_is_said_of_a_variant_is_not_said_of_the_type(accept: str, chosen: str) -> None:
    """A range with parameters is more specific, and what is offered has not got them."""
    assert negotiate(accept) == chosen


def test_a_comma_or_semicolon_in_a_quoted_string_ends_nothing() -> None:
    """A parameter's value may be a quoted-string (RFC 9110, 5.6.4 and 5.6.6)."""
    assert negotiate('image/png;title="a, text/html", text/plain;q=0.5') == TEXT
    assert negotiate('text/html;title="a;q=0", text/plain;q=0.5') == HTML
    assert negotiate('text/html;title="a\\", text/plain;q=0;", text/plain;q=0.5') == HTML
    assert not prefers_json('text/html;title=", application/json"')


@pytest.mark.parametrize(
    "accept",
    [
        '"',
        '"' * 4096,
        '\\"' * 2048,
        '"\\' * 2048,
        '";' * 2048,
        '",' * 2048,
        '"a' * 2048,
        ';"' * 2048,
    ],
    ids=lambda accept: ascii(accept[:4]),
)
def test_quotes_that_do_not_match_are_no_error(accept: str) -> None:
    """Nor do many of them take long to read."""
    assert negotiate(accept) == PROBLEM_JSON
    assert not prefers_json(accept)


@pytest.mark.unmeasured
def test_no_short_accept_of_separators_is_an_error() -> None:
    """All of them, up to five characters."""
    for length in range(6):
        for characters in product('";,=\\a ', repeat=length):
            assert negotiate("".join(characters)) == PROBLEM_JSON


# -- asks_for_json() ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=utf-8",
        "application/json, text/plain, */*",  # axios, Angular
        "application/json, text/javascript, */*; q=0.01",  # jQuery
        "application/problem+json",
        "application/vnd.github+json",
        "application/vnd.api+json",
        "application/ld+json;q=0.1",
        APOLLO,
        "application/json, text/html",
        "application/json;q=0.5, text/html;q=0.5",
        "application/json;q=0.5, */*;q=0.5",
        "application/json;q=0.001",
        "application/json;q=0.1, text/html;q=0",
        "application/json;q=0.1, */*, text/*;q=0.1",
        "application/json;q=0, application/vnd.api+json;q=0.5",
        "text/html;q=2, application/json;q=0.1",
    ],
    ids=shown,
)
def test_a_client_that_names_json_and_likes_nothing_better_asks_for_it(accept: str) -> None:
    """Under any of JSON's names."""
    assert prefers_json(accept)


@pytest.mark.parametrize(
    "accept",
    [
        None,
        *("", "*/*", "application/*", "text/html", "text/plain", "image/png", CHROME, FIREFOX),
        *(SAFARI, INTERNET_EXPLORER, LYNX, JAVA, TURBO),
        "application/json;q=0",
        "application/json;q=0.0, */*",
        "application/json;q=0.9, text/html",
        "application/json;q=0.9, text/plain",
        "application/json;q=0.5, */*",
        "application/json;q=0.5, text/*;q=0.6",
        "application/json-seq",
        "application/x-ndjson",
        "application/jsonp",
        "text/html;profile=json",
        "json",
        "application/problem+jsonx",
    ],
    ids=shown,
)
def test_any_other_client_does_not_ask_for_json(accept: str | None) -> None:
    """Whoever takes everything has named nothing."""
    assert not prefers_json(accept)


# -- any Accept -----------------------------------------------------------------------------------


class Range(NamedTuple):
    """One member of an Accept field."""

    media: str
    weight: str | None


WEIGHTS = ["0", "0.", "0.0", "0.000", "0.001", "0.1", "0.25", "0.3", "0.50", "0.5", "0.999"]
WEIGHTS += ["1", "1.", "1.0", "1.000"]
RANGES = [*OFFERED, "*/*", "application/*", "text/*", "image/*", "image/png", "application/xml"]

accepts = st.lists(
    st.builds(Range, st.sampled_from(RANGES), st.sampled_from([None, *WEIGHTS])),
    max_size=8,
    unique_by=lambda one: one.media,
)
spaces = st.text(" \t", max_size=2)


def naive_form(accept: list[Range]) -> str:
    """Return the form that RFC 9110 has for an Accept, by walking all of it for each form."""
    liked: list[tuple[int, int, str]] = []
    for place, offered in enumerate(OFFERED):
        kind = offered.split("/")[0]
        precedence = {"*/*": 1, f"{kind}/*": 2, offered: 3}
        found = [one for one in accept if one.media in precedence]
        found.sort(key=lambda one: precedence[one.media])
        thousandths = 0
        if found:
            whole, _, rest = (found[-1].weight or "1").partition(".")
            thousandths = int(whole) * 1000 + int(rest.ljust(3, "0"))
        if thousandths:
            liked.append((-thousandths, place, offered))
    return min(liked)[2] if liked else OFFERED[0]


@given(st.data(), accepts)
def test_every_accept_gets_what_the_rfc_says(data: st.DataObject, accept: list[Range]) -> None:
    """As a second, slower reading of RFC 9110 has it, however the field is written."""
    parts = []
    for media, weight in accept:
        name = data.draw(st.sampled_from([media, media.upper(), media.title()]))
        part = data.draw(spaces) + name + data.draw(spaces)
        if weight is not None:
            q = data.draw(st.sampled_from("qQ"))
            part += f";{data.draw(spaces)}{q}={weight}{data.draw(spaces)}"
        parts.append(part)
    empty = data.draw(st.sampled_from(["", " ", ", "]))
    assert negotiate(",".join([*parts, empty])) == naive_form(accept)


@given(accepts)
def test_a_client_that_asks_for_json_is_given_it_unless_it_likes_xml_better(
    accept: list[Range],
) -> None:
    """The two questions have answers that go together."""
    field = ", ".join(
        media if weight is None else f"{media};q={weight}" for media, weight in accept
    )
    if prefers_json(field):
        assert negotiate(field) in (PROBLEM_JSON, JSON, PROBLEM_XML)


@given(
    st.one_of(
        st.none(),
        st.text(),
        st.text('atexhml/*;,=q01." \t+-jsonpr', max_size=200),
        st.lists(st.sampled_from([*OFFERED, "*/*", ";", ",", "q=", "0", "1", ".", " "])).map(
            "".join
        ),
    )
)
@example("")
@example("\ud800")
@example(";q=" * 1300)
def test_no_accept_is_an_error(accept: str | None) -> None:
    """Whatever is sent, there is one of the forms for it, and a yes or a no."""
    assert negotiate(accept) in OFFERED
    assert prefers_json(accept) in (True, False)


# -- through the policy ---------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ((), PROBLEM_JSON),
        (("",), PROBLEM_JSON),
        ((CHROME,), HTML),
        (("text/plain", "text/html"), HTML),
        (("text/plain", "text/html;q=0.5"), TEXT),
        (("text/html;q=0.5", "*/*;q=0.1", "application/json;q=0.7"), PROBLEM_JSON),
        (("image/png", "", "text/plain;q=0.5"), TEXT),
        (("\xff\xfe",), PROBLEM_JSON),
    ],
    ids=shown,
)
def test_several_fields_are_one_list(
    adapter: Adapter, fields: tuple[str, ...], chosen: str
) -> None:
    """As they would be, were they sent as one (RFC 9110, 5.3)."""
    stack = adapter.wrap(raising(Problem(404)), ErrorEnvelope())
    answer = adapter.drive(stack, headers=[("Accept", value) for value in fields])
    assert (answer.status, (answer.get("Content-Type") or "").split(";")[0]) == (404, chosen)


@pytest.mark.parametrize("raw", [b"\xff", b"\xc3\xa9/*", b"\x00", b"text/html\x85"], ids=ascii)
def test_bytes_that_are_no_text_are_no_error(raw: bytes) -> None:
    """Whatever an ASGI server passes on."""
    from tests.drive import AsgiAdapter

    stack = AsgiAdapter().wrap(raising(Problem(404)), ErrorEnvelope())
    answer = drive_asgi(stack, scope={"headers": [(b"accept", raw)]})
    assert (answer.status, answer.get("Content-Type")) == (404, PROBLEM_JSON)
