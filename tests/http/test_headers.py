"""An answer's header fields as policies edit them, and what the client then gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import Headers, MutableHeaders, Policy, Reply
from mantlet.http.header_name import HeaderName
from tests.drive import Adapter, AsgiAdapter, Said, both_adapters, drive_asgi, drive_wsgi, hello

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Request, Response
    from tests.drive import Answer

Pairs = list[tuple[str, str]]


class Edit(Policy):
    """Does something to the header fields of every answer."""

    def __init__(self, edit: Callable[[MutableHeaders], object]) -> None:
        self.edit = edit

    def on_response(self, request: Request, response: Response) -> None:
        self.edit(response.headers)


def edited(adapter: Adapter, fields: Pairs, edit: Callable[[MutableHeaders], object]) -> Answer:
    """Return the answer of an app that sends ``fields``, after an edit."""

    def handler(carrier: Any) -> Said:
        return 200, fields, b""

    return adapter.drive(adapter.wrap(handler, Edit(edit)))


def result(adapter: Adapter, fields: Pairs, edit: Callable[[MutableHeaders], object]) -> Pairs:
    """Return what the client gets after an edit that succeeds."""
    answer = edited(adapter, fields, edit)
    assert answer.error is None
    return answer.headers


def refusal(adapter: Adapter, edit: Callable[[MutableHeaders], object]) -> BaseException | None:
    """Return what an edit raises."""
    return edited(adapter, [("x-one", "1")], edit).error


def named(adapter: Adapter, name: str) -> str:
    """Return how a name goes out: ASGI has them in lower case."""
    return name.lower() if adapter.name == "asgi" else name


SOME = [("X-One", "1"), ("x-two", "2"), ("X-ONE", "3"), ("Set-Cookie", "a=1"), ("set-cookie", "b")]


@both_adapters
@pytest.mark.breaks_rules("names in upper case under ASGI")
def test_fields_that_are_only_read_go_out_as_they_came(adapter: Adapter) -> None:
    """Neither order nor case nor number changes."""

    def read(headers: MutableHeaders) -> None:
        assert headers.get("x-one") == headers["X-oNE"] == "1, 3"
        assert headers.getall("SET-COOKIE") == ["a=1", "b"]
        assert "x-TWO" in headers
        assert "x-three" not in headers
        assert headers.get("x-three") is None
        assert headers.get("x-three", "default") == "default"
        assert headers.getall("x-three") == []
        assert len(headers) == 5
        assert list(headers) == SOME
        assert not headers.edited

    assert result(adapter, SOME, read) == SOME


@both_adapters
def test_a_missing_field_is_a_key_error(adapter: Adapter) -> None:
    """Square brackets are for fields that must be there."""
    error = refusal(adapter, lambda headers: headers["X-Missing"])
    assert isinstance(error, KeyError)
    assert error.args == ("X-Missing",)


@both_adapters
@pytest.mark.parametrize("odd", [None, 5, b"x-one", object()], ids=lambda odd: type(odd).__name__)
@pytest.mark.breaks_rules("names in upper case under ASGI")
def test_what_is_no_text_is_in_no_headers(adapter: Adapter, odd: Any) -> None:
    """``in`` answers for anything."""
    seen: list[bool] = []
    result(adapter, SOME, lambda headers: seen.append(odd in headers))
    assert seen == [False]


@both_adapters
@pytest.mark.breaks_rules("names in upper case under ASGI")
def test_set_replaces_the_first_in_its_place_and_removes_the_others(adapter: Adapter) -> None:
    """The order of what stays is the app's."""
    assert result(adapter, SOME, lambda headers: headers.set("x-One", "new")) == [
        (named(adapter, "x-One"), "new"),
        ("x-two", "2"),
        ("Set-Cookie", "a=1"),
        ("set-cookie", "b"),
    ]


@both_adapters
@pytest.mark.breaks_rules("names in upper case under ASGI")
def test_set_adds_a_field_that_is_not_there_behind_the_others(adapter: Adapter) -> None:
    """Nothing else moves."""
    assert result(adapter, SOME, lambda headers: headers.set("X-New", "n")) == [
        *SOME,
        (named(adapter, "X-New"), "n"),
    ]


@both_adapters
@pytest.mark.breaks_rules("names in upper case under ASGI")
def test_append_keeps_what_is_there(adapter: Adapter) -> None:
    """Fields such as Set-Cookie come several times."""
    assert result(adapter, SOME, lambda headers: headers.append("Set-Cookie", "c=3")) == [
        *SOME,
        (named(adapter, "Set-Cookie"), "c=3"),
    ]


@both_adapters
@pytest.mark.breaks_rules("names in upper case under ASGI")
def test_remove_takes_every_field_of_its_names(adapter: Adapter) -> None:
    """In any case; a name that is not there is no error."""
    assert result(adapter, SOME, lambda headers: headers.remove("x-one", "SET-cookie", "none")) == [
        ("x-two", "2")
    ]
    assert result(adapter, SOME, lambda headers: headers.remove("none")) == SOME
    assert result(adapter, SOME, lambda headers: headers.remove()) == SOME


@both_adapters
def test_setdefault_adds_only_what_is_missing(adapter: Adapter) -> None:
    """An empty value is a value."""
    fields = [("x-empty", "")]

    def edit(headers: MutableHeaders) -> None:
        headers.setdefault("X-Empty", "no")
        headers.setdefault("X-New", "yes")
        headers.setdefault("x-new", "no")

    assert result(adapter, fields, edit) == [*fields, (named(adapter, "X-New"), "yes")]


@both_adapters
@pytest.mark.breaks_rules("names in upper case under ASGI")
def test_headers_can_be_emptied_and_filled_again(adapter: Adapter) -> None:
    """No stale position survives."""

    def edit(headers: MutableHeaders) -> None:
        headers.remove("x-one", "x-two", "set-cookie")
        assert len(headers) == 0
        headers.append("x-a", "1")
        headers.set("x-b", "2")
        headers.remove("x-a")
        headers.append("x-b", "3")
        headers.set("x-b", "4")

    assert result(adapter, SOME, edit) == [("x-b", "4")]


def test_the_apps_own_list_is_never_changed() -> None:
    """An app may send the same list with every answer."""
    asgi_fields = [(b"x-one", b"1"), (b"x-two", b"2")]
    wsgi_fields = [("X-One", "1"), ("X-Two", "2")]

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": asgi_fields})
        await send({"type": "http.response.body"})

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", wsgi_fields)
        return []

    def edit(headers: MutableHeaders) -> None:
        headers.set("x-one", "changed")
        headers.append("x-three", "3")
        headers.remove("x-two")

    for policy in (Edit(edit), mantlet.ErrorEnvelope(), mantlet.RateLimiter("9/hour")):
        for _ in range(2):
            assert drive_asgi(mantlet.asgi.wrap(asgi, policy, baseline=False)).error is None
            assert drive_wsgi(mantlet.wsgi.wrap(wsgi, policy, baseline=False)).error is None
    assert asgi_fields == [(b"x-one", b"1"), (b"x-two", b"2")]
    assert wsgi_fields == [("X-One", "1"), ("X-Two", "2")]


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        iter,
        lambda pairs: [list(pair) for pair in pairs],
        lambda pairs: dict(pairs).items(),
    ],
    ids=["list", "tuple", "iterator", "list of lists", "items of a dict"],
)
@pytest.mark.parametrize(
    "edit",
    [
        lambda headers: headers.get("x-two"),
        lambda headers: headers.getall("x-two"),
        len,
        list,
        lambda headers: headers.remove("x-none"),
        lambda headers: headers.setdefault("x-one", "no"),
        lambda headers: headers.set("x-two", "2"),
        lambda headers: (headers.get("x-one"), headers.set("x-two", "2")),
    ],
    ids=["get", "getall", "len", "iter", "remove", "setdefault", "set", "get and set"],
)
def test_any_iterable_of_fields_that_asgi_allows_goes_out_whole(make: Any, edit: Any) -> None:
    """The specification has "Iterable", so an app may send what can be read but once."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        fields = make([(b"x-one", b"1"), (b"x-two", b"2")])
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body"})

    answer = drive_asgi(mantlet.asgi.wrap(app, Edit(edit), baseline=False))
    assert answer.error is None
    assert answer.headers == [("x-one", "1"), ("x-two", "2")]


def test_an_iterator_of_fields_goes_out_whole_with_fields_behind_it() -> None:
    """What can be read but once is not read twice to add the limiter's fields."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        fields = iter([(b"x-one", b"1"), (b"x-two", b"2")])
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body"})

    for policy in (mantlet.RateLimiter("9/hour"), mantlet.ErrorEnvelope()):
        answer = drive_asgi(mantlet.asgi.wrap(app, policy, baseline=False))
        assert answer.headers[:2] == [("x-one", "1"), ("x-two", "2")]
        assert len(answer.headers) > 2


# -- what must not stand in a field ---------------------------------------------------------------

BAD_VALUES = [
    *(f"a{chr(code)}b" for code in (*range(9), *range(10, 32), 127)),
    "a\r\nSet-Cookie: b=c",
    "trailing\n",
    "\u0100",
    "\u2028",
    "\U0001f600",
    "\ud800",
]
BAD_NAMES = [
    "",
    " ",
    "two words",
    "x-a:",
    "x-a\r\nset-cookie",
    "x-a\n",
    "x\x00",
    "x\t",
    "\u00fc",
    "x\u212a",  # lower() makes a k of it
    "(x)",
    "x/y",
    '"x"',
    "x=y",
    "x@y",
    "[x]",
    "{x}",
    "x,y",
    "x;y",
    "x\x7f",
]
EDITS = [
    lambda name, value: lambda headers: headers.set(name, value),
    lambda name, value: lambda headers: headers.append(name, value),
    lambda name, value: lambda headers: headers.setdefault(name, value),
]
every_edit = pytest.mark.parametrize("make", EDITS, ids=["set", "append", "setdefault"])


@both_adapters
@every_edit
@pytest.mark.parametrize("value", BAD_VALUES, ids=ascii)
def test_a_value_that_could_split_a_message_is_refused(
    adapter: Adapter, make: Any, value: str
) -> None:
    """RFC 9110, 5.5: no control but HTAB; PEP 3333: nothing outside latin-1."""
    error = refusal(adapter, make("x-new", value))
    assert isinstance(error, ValueError)
    assert not isinstance(error, UnicodeError)
    assert "x-new" in str(error)
    assert value not in str(error)


@both_adapters
@every_edit
@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_name_that_is_no_token_is_refused(adapter: Adapter, make: Any, name: str) -> None:
    """RFC 9110, 5.6.2."""
    error = refusal(adapter, make(name, "value"))
    assert isinstance(error, ValueError)
    assert "token" in str(error)


@both_adapters
@every_edit
@pytest.mark.parametrize("value", ["", " ", "a\tb", "n\u00e9e", "\xff", "\x80", "~", "a" * 9000])
@pytest.mark.breaks_rules("a checker forbids the tab that RFC 9110 allows")
def test_every_other_value_goes_out_as_it_is(adapter: Adapter, make: Any, value: str) -> None:
    """Obsolete bytes above ASCII are allowed (RFC 9110, 5.5)."""
    assert result(adapter, [], make("x-new", value)) == [("x-new", value)]


@both_adapters
@every_edit
@pytest.mark.parametrize(("name", "value"), [("x-new", 5), ("x-new", None), (5, "value")])
def test_names_and_values_are_text(adapter: Adapter, make: Any, name: Any, value: Any) -> None:
    """A number or None is a mistake of the policy, found at once."""
    assert isinstance(refusal(adapter, make(name, value)), (TypeError, AttributeError))


@both_adapters
@pytest.mark.parametrize("name", ["", "two words", "x:y", "\u00fc", "x\r\ny"], ids=ascii)
@pytest.mark.parametrize(
    "read",
    [
        lambda headers, name: name in headers,
        lambda headers, name: headers.get(name) is not None,
        lambda headers, name: bool(headers.getall(name)),
        lambda headers, name: headers.remove(name),
    ],
    ids=["contains", "get", "getall", "remove"],
)
@pytest.mark.breaks_rules("names in upper case under ASGI")
def test_a_name_that_is_no_token_is_not_there_under_either_protocol(
    adapter: Adapter, read: Any, name: str
) -> None:
    """To ask for what can't be there is answered alike by both forms: it isn't."""
    seen: list[Any] = []
    answer = edited(adapter, SOME, lambda headers: seen.append(read(headers, name)))
    assert answer.error is None
    assert not seen[0]
    assert answer.headers == SOME


@both_adapters
@pytest.mark.parametrize("name", ["", "two words", "x-a\r\nset-cookie", "\u00fc", "x:"], ids=ascii)
def test_a_reply_with_a_name_that_is_no_token_is_never_sent(adapter: Adapter, name: str) -> None:
    """A policy's own answer can't split a message either, under neither protocol."""

    class Split(Policy):
        def on_request(self, request: Request) -> Reply:
            return Reply(200, {name: "value"}, b"body")

    answer = adapter.drive(adapter.wrap(hello, Split()))
    assert isinstance(answer.error, ValueError)
    assert answer.status is None


@both_adapters
@pytest.mark.parametrize("name", ["two words", "x\r\nset-cookie: a=b; x"], ids=ascii)
def test_an_answer_field_with_a_name_that_is_no_token_is_never_sent(
    adapter: Adapter, name: str
) -> None:
    """Fields for every answer are held to the same rule."""

    class Split(Policy):
        def on_request(self, request: Request) -> None:
            request.add_response_header(name, "value")

    answer = adapter.drive(adapter.wrap(hello, Split()))
    assert isinstance(answer.error, ValueError)
    assert answer.status is None


@both_adapters
@pytest.mark.parametrize("value", ["a\r\nset-cookie: a=b", "a\x00", "\u0100"], ids=ascii)
def test_an_answer_field_with_a_bad_value_is_never_sent(adapter: Adapter, value: str) -> None:
    """Fields for every answer are held to the same rule."""

    class Split(Policy):
        def on_request(self, request: Request) -> None:
            request.add_response_header("x-new", value)

    answer = adapter.drive(adapter.wrap(hello, Split()))
    assert isinstance(answer.error, ValueError)
    assert answer.status is None


@both_adapters
@pytest.mark.breaks_rules("names in upper case under ASGI")
def test_answer_fields_replace_the_apps_in_any_case_and_keep_its_others(adapter: Adapter) -> None:
    """Order and case of what the app sends are kept."""

    class Sets(Policy):
        def on_request(self, request: Request) -> None:
            request.add_response_header("X-One", "n\u00e9e")
            request.add_response_header("X-Tab", "a\tb")

    def handler(carrier: Any) -> Said:
        return 200, SOME, b""

    answer = adapter.drive(adapter.wrap(handler, Sets()))
    assert answer.headers == [
        ("x-two", "2"),
        ("Set-Cookie", "a=1"),
        ("set-cookie", "b"),
        (named(adapter, "X-One"), "n\u00e9e"),
        (named(adapter, "X-Tab"), "a\tb"),
    ]


@both_adapters
def test_an_answer_field_that_is_added_twice_is_one_field_with_a_list(adapter: Adapter) -> None:
    """Two policies may add to one list-valued field, in any case of its name."""

    class Adds(Policy):
        def on_request(self, request: Request) -> None:
            request.add_response_header("X-List", "a")
            request.add_response_header("x-list", "b")

    answer = adapter.drive(adapter.wrap(hello, Adds(), Adds()))
    assert answer.error is None
    assert answer.get("x-list") == "a, b, a, b"


@both_adapters
@pytest.mark.parametrize("unless_set", [False, True], ids=["sets", "yields"])
@pytest.mark.parametrize("has_own", [False, True], ids=["missing", "own"])
@pytest.mark.parametrize("before", [None, "a", "b"])
def test_a_prepared_name_gives_the_same_field(
    adapter: Adapter, before: str | None, has_own: bool, unless_set: bool
) -> None:
    """As a name that is prepared for nothing, whatever was there before."""

    class Adds(Policy):
        def __init__(self, *, is_prepared: bool) -> None:
            self.is_prepared = is_prepared

        def on_request(self, request: mantlet.Request) -> None:
            if before is not None:
                request.add_response_header("x-NEW", before)
            if self.is_prepared:
                request._add_header(HeaderName("X-New", unless_set=unless_set), "b")
            else:
                request.add_response_header("X-New", "b", unless_set=unless_set)

    own = [("x-other", "1"), *([("x-new", "own")] if has_own else [])]
    found = [
        adapter.drive(adapter.wrap(lambda _: (200, own, b"ok"), Adds(is_prepared=prepared)))
        for prepared in (True, False)
    ]
    assert found[0].error is None
    assert found[0].headers == found[1].headers


@both_adapters
def test_the_repr_shows_names_and_no_values(adapter: Adapter) -> None:
    """Values may be credentials, and reprs end in logs."""
    seen: list[str] = []
    result(adapter, [("x-token", "s3cr3t")], lambda headers: seen.append(repr(headers)))
    assert "x-token" in seen[0]
    assert "s3cr3t" not in seen[0]


# -- against a model ------------------------------------------------------------------------------

names = st.sampled_from(["x-a", "X-A", "x-B", "Set-Cookie", "set-cookie", "ETag"])
values = st.sampled_from(["", "1", "a, b", "n\u00e9e", "a\tb"])
steps = st.one_of(
    st.tuples(st.sampled_from(["set", "append", "setdefault"]), names, values),
    st.tuples(st.just("remove"), names),
    st.tuples(st.just("remove"), names, names),
)


class Model:
    """Header fields as a plain list."""

    def __init__(self, fields: Pairs, *, lower: bool) -> None:
        self.fields = list(fields)
        self.lower = lower

    def named(self, name: str) -> str:
        return name.lower() if self.lower else name

    def getall(self, name: str) -> list[str]:
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def append(self, name: str, value: str) -> None:
        self.fields.append((self.named(name), value))

    def setdefault(self, name: str, value: str) -> None:
        if not self.getall(name):
            self.append(name, value)

    def remove(self, *gone: str) -> None:
        lower = {name.lower() for name in gone}
        self.fields = [pair for pair in self.fields if pair[0].lower() not in lower]

    def set(self, name: str, value: str) -> None:
        places = [i for i, (field, _) in enumerate(self.fields) if field.lower() == name.lower()]
        if not places:
            self.append(name, value)
            return
        self.fields[places[0]] = (self.named(name), value)
        for place in reversed(places[1:]):
            del self.fields[place]


@both_adapters
@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(names, values), max_size=6), st.lists(steps, max_size=8))
@pytest.mark.breaks_rules("names in upper case under ASGI")
def test_any_edits_come_out_as_those_of_a_plain_list(
    adapter: Adapter, fields: Pairs, edits: list[tuple[str, ...]]
) -> None:
    """Both forms read and edit alike, name by name and place by place."""
    model = Model(fields, lower=adapter.name == "asgi")

    def edit(headers: MutableHeaders) -> None:
        for method, *arguments in edits:
            getattr(headers, method)(*arguments)
            getattr(model, method)(*arguments)
            assert list(headers) == model.fields
            assert len(headers) == len(model.fields)
            for name in ("X-a", "x-b", "SET-COOKIE", "etag", "x-none"):
                assert headers.getall(name) == model.getall(name)
                assert (name in headers) is bool(model.getall(name))
                joined = ", ".join(model.getall(name)) if model.getall(name) else "-"
                assert headers.get(name, "-") == joined

    assert result(adapter, fields, edit) == model.fields


def test_the_two_kinds_of_headers_are_public() -> None:
    """A policy's type hints can name them."""
    seen: list[MutableHeaders] = []
    drive_asgi(AsgiAdapter().wrap(hello, Edit(seen.append)))
    assert isinstance(seen[0], MutableHeaders)
    assert isinstance(seen[0], Headers)
