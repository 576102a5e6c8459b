"""The variables of an exception's frames are searched for secrets, at a bounded cost."""

import dataclasses
import logging
import sys
from collections import OrderedDict, UserDict, UserList, deque
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from mantlet.redact.masking import Masker
from mantlet.redact.registry import Registry, registry_of

SECRET = "kR7-vT2_qX9.mB4w"


def masker() -> Masker:
    return Masker(registry_of([SECRET]) or Registry())


def fail(depth: int, data: Any) -> None:
    if depth:
        fail(depth - 1, data)
    raise LookupError


def record_of(data: Any) -> logging.LogRecord:
    """Return the record of an exception whose frames all refer to a value."""
    try:
        fail(20, data)
    except LookupError:
        return logging.LogRecord("shop", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    raise AssertionError("it did not raise")


def calls_of(record: logging.LogRecord) -> int:
    """Mask a record, and return how many calls that took."""
    own, calls = masker(), 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    own.text("")  # builds the scanner
    sys.setprofile(count)
    try:
        own.record(record)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    "data",
    [
        SECRET,
        SECRET.encode(),
        [{"a": ({"b": [f"x{SECRET}y"]},)}],
        {SECRET: 1},
        frozenset({SECRET}),
        bytearray(SECRET.encode()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_secret_in_a_variable_leaves_only_the_text(data: Any) -> None:
    """However deep it is."""
    record = record_of(data)
    masker().record(record)
    assert record.exc_info is None
    assert "LookupError" in (record.exc_text or "")


def test_variables_without_a_secret_leave_the_exception() -> None:
    """As it is; also where a value refers to itself."""
    cycle: list[Any] = ["a"]
    cycle.append(cycle)
    record = record_of([cycle, {"b": range(10)}])
    masker().record(record)
    assert record.exc_info is not None


def test_many_small_values_are_searched_once() -> None:
    """A body of a client's is in a variable of many frames."""
    data = [{"name": f"name {number}", "number": number} for number in range(10_000)]
    record = record_of(data)
    assert calls_of(record) < 40 * len(data)
    assert record.exc_info is not None


@pytest.mark.parametrize("data", [["x"] * 1_000_000, "x" * 20_000_000], ids=["values", "text"])
def test_too_many_values_count_as_containing_a_secret(data: Any) -> None:
    """They are not searched."""
    record = record_of(data)
    assert calls_of(record) < 50_000
    assert record.exc_info is None


def calls_to_mask(value: Any) -> tuple[int, Any]:
    """Return how many calls it takes to mask a value, and the masked value."""
    own, calls = Masker(registry_of([SECRET]) or Registry(), ["password"]), 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    own.text("")
    sys.setprofile(count)
    try:
        masked = own.value(value)
    finally:
        sys.setprofile(None)
    return calls, masked


def in_itself(inner: Any) -> list[Any]:
    """Return a list that has itself in it, many times."""
    cycle: list[Any] = [inner]
    cycle.extend([cycle] * 50)
    return cycle


def shared(inner: Any) -> list[Any]:
    """Return a small object that is huge as text: each list has the next one twice."""
    nested: list[Any] = [inner]
    for _ in range(40):
        nested = [nested, nested]
    return nested


@pytest.mark.parametrize("secret", [SECRET, "harmless"], ids=["secret", "harmless"])
@pytest.mark.parametrize(
    "make",
    [in_itself, shared, lambda inner: {"a": in_itself(inner), "b": shared(inner)}],
    ids=["cyclic", "shared", "both"],
)
def test_values_that_refer_to_themselves_take_bounded_time(make: Any, secret: str) -> None:
    """And stay as they are, if they hold no secret."""
    value = make(secret)
    calls, masked = calls_to_mask(value)
    assert calls < 100_000
    assert (masked is value) == (secret == "harmless")


@pytest.mark.parametrize(
    ("value", "most"),
    [
        (["x"] * 1_000_000, 1_000),
        ([["x"] * 300 for _ in range(2_000)], 4_000_000),
        (dict.fromkeys(range(1_000_000), "x"), 1_000),
    ],
    ids=["list", "lists", "dict"],
)
def test_huge_values_take_bounded_time(value: Any, most: int) -> None:
    """What is too much is not searched, and not shown."""
    calls, masked = calls_to_mask(value)
    assert calls < most
    assert type(masked) is type(value)
    assert "***" in str(masked)[-100:]


def test_a_huge_text_that_is_shared_is_searched_once() -> None:
    """However often a value refers to it."""
    text = "x" * 5_000_000
    calls, masked = calls_to_mask([[text] * 20_000, SECRET])
    assert calls < 1_000_000
    assert masked[1] == "***"
    assert all(one is text for one in masked[0])


class Hidden:
    """Shows nothing; a formatter of JSON writes its attributes."""

    def __init__(self) -> None:
        self.token = SECRET

    def __repr__(self) -> str:
        return "Hidden()"


class Request:
    """As frameworks have it; what mails or JSON show of it is not its text."""

    def __init__(self) -> None:
        self.META = {"HTTP_X_SIGNATURE": SECRET}
        self.scope = {"headers": [(b"x-signature", SECRET.encode())]}


class Slots:
    __slots__ = ("__token",)

    def __init__(self) -> None:
        self.__token = SECRET.encode()


@dataclasses.dataclass
class Data:
    number: int = 1
    token: list[str] = dataclasses.field(default_factory=lambda: [SECRET], repr=False)


@attrs.define
class Attrs:
    number: int = 1
    token: list[str] = attrs.field(factory=lambda: [SECRET], repr=False)


class Struct(msgspec.Struct):
    number: int = 1
    token: list[str] = msgspec.field(default_factory=lambda: [SECRET])


class Model(pydantic.BaseModel):
    number: int = 1
    token: list[str] = pydantic.Field(default=[SECRET], repr=False)


class Pair(NamedTuple):
    number: int = 1
    token: list[str] = [SECRET]  # noqa: RUF012  # a default


FIELDS: dict[str, Any] = {
    "dataclass": (Data(), {"number": 1, "token": ["***"]}),
    "attrs": (Attrs(), {"number": 1, "token": ["***"]}),
    "msgspec": (Struct(), {"number": 1, "token": ["***"]}),
    "pydantic": (Model(), {"number": 1, "token": ["***"]}),
    "namespace": (SimpleNamespace(token=SECRET), {"token": "***"}),
    "namedtuple": (Pair(), Pair(1, ["***"])),
    "attributes": (Hidden(), "Hidden()"),
    "exception": (LookupError(SECRET), "***"),
    "memory": (memoryview(SECRET.encode()), b"***"),
    "deque": (deque([SECRET], maxlen=3), deque(["***"], maxlen=3)),
    "user-list": (UserList([SECRET]), ["***"]),
    "user-dict": (UserDict({"a": SECRET}), {"a": "***"}),
    "ordered": (OrderedDict(a=SECRET, b=2), OrderedDict(a="***", b=2)),
    "headers": (MultiDict([("a", "1"), ("a", SECRET)]), MultiDict([("a", "1"), ("a", "***")])),
    "set": ({(SECRET, 1), (2, 3)}, {("***", 1), (2, 3)}),
    "key": ({SECRET: {SECRET.encode(): 1}}, {"***": {b"***": 1}}),
}


@pytest.mark.parametrize(("value", "expected"), FIELDS.values(), ids=FIELDS)
def test_a_secret_is_found_in_what_encoders_write(value: Any, expected: Any) -> None:
    """Field by field; what is around it stays, with its type where it is a built-in one."""
    masked = masker().value({"it": value, "other": "stays"})
    assert masked == {"it": expected, "other": "stays"}
    assert type(masked["it"]) is type(expected)


@pytest.mark.parametrize(
    "value",
    [*(value for value, _ in FIELDS.values()), Slots(), [LookupError(SECRET)], {"a": [Data()]}],
    ids=[*FIELDS, "slots", "exceptions", "nested"],
)
def test_a_secret_in_an_object_of_a_variable_leaves_only_the_text(value: Any) -> None:
    """Since some formatters show variables, with what is in them."""
    record = record_of(value)
    masker().record(record)
    assert record.exc_info is None


def test_requests_with_a_secret_are_not_kept() -> None:
    """Django's mails to ADMINS show the headers of ``record.request``."""
    record = logging.makeLogRecord({"request": Request(), "other": Hidden})
    masker().record(record)
    assert "Request object at" in record.request  # type: ignore[attr-defined]  # as it was added
    assert record.other is Hidden  # type: ignore[attr-defined]  # the same
    many = Request()
    many.META = {str(number): "x" for number in range(200_000)}
    assert isinstance(masker().value(many), str)


def test_variables_are_not_asked_for_their_text() -> None:
    """It may take long, or be that of a query to a database."""

    class Query:
        def __repr__(self) -> str:
            raise AssertionError("it was asked")

    record = record_of([Query()])
    masker().record(record)
    assert record.exc_info is not None


def test_fields_of_objects_have_names_too() -> None:
    """Secret by name, whatever the value is."""
    named = Masker(Registry(), ["password"])
    assert named.value([SimpleNamespace(password="plain", user="a")]) == [
        {"password": "***", "user": "a"}
    ]
    record = record_of(SimpleNamespace(password="plain"))
    named.record(record)
    assert record.exc_info is None


class Raises(UserDict[str, str]):
    def __iter__(self) -> Any:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Text(str):
    __slots__ = ()

    def encode(self, *_: Any) -> bytes:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_what_raises_when_it_is_searched_is_not_shown() -> None:
    """And raises nothing in the app that logs it."""
    own = masker()
    assert own.value({"a": Raises(), "b": 1, "c": Text(SECRET)}) == {"a": "***", "b": 1, "c": "***"}
    record = logging.makeLogRecord({"msg": "is %s", "args": (Raises(),), "it": Raises()})
    own.record(record)
    assert record.getMessage() == "is ***"
    record = logging.makeLogRecord({"msg": Raises()})
    own.record(record)
    assert record.getMessage() == "<Raises> ()"


def group_of(count: int) -> ExceptionGroup[Exception]:
    """Return a group of exceptions, of which the last one's message is secret."""
    *others, last = range(count)
    return ExceptionGroup("g", [*(ValueError(one) for one in others), LookupError(SECRET, last)])


class Quiet(Exception):
    """Has a text without its arguments."""

    def __str__(self) -> str:
        return "quiet"


def with_note() -> Exception:
    error = ValueError("x")
    error.add_note(f"is {SECRET}")
    return error


def with_attribute() -> Exception:
    error = ValueError("x")
    error.response = {"token": SECRET}  # type: ignore[attr-defined]  # as some clients do
    return error


@pytest.mark.parametrize(
    "error",
    [group_of(3), group_of(30), group_of(300), Quiet(SECRET), with_note(), with_attribute()],
    ids=["group", "wide", "wider", "arguments", "note", "attribute"],
)
def test_an_exception_with_a_secret_leaves_only_the_text(error: Exception) -> None:
    """Also where the text does not have it, but another formatter would show it."""
    record = logging.makeLogRecord({"exc_info": (type(error), error, None)})
    masker().record(record)
    assert record.exc_info is None
    assert SECRET not in str(record.exc_text)


def test_an_earlier_formatter_leaves_no_text() -> None:
    """Of a handler without the filter."""
    record = logging.makeLogRecord({"msg": "is %s", "args": (SECRET,), "threadName": SECRET})
    logging.Formatter("%(message)s").format(record)
    masker().record(record)
    assert SECRET not in str(vars(record))


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(),
    st.sampled_from([SECRET, f"is {SECRET}!", SECRET.encode(), SECRET.encode().hex()]),
    st.builds(Hidden), st.builds(Slots), st.builds(Data), st.builds(LookupError, st.just(SECRET)),
)  # fmt: skip
KEYS = st.one_of(st.text(), st.just(SECRET), st.integers(), st.binary())
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(KEYS, inner),
        st.tuples(inner, inner),
        st.lists(inner).map(deque),
        st.builds(Pair, inner, inner),
        st.builds(UserDict, st.dictionaries(st.text(), inner)),
        st.builds(lambda a: SimpleNamespace(a=a), inner),
        st.lists(KEYS).map(set),
    ),
)


def shows(value: Any) -> bool:
    """Return whether a value shows the secret, in any of its parts."""
    if isinstance(value, (Hidden, Slots, Data)):
        return True
    if isinstance(value, SimpleNamespace):
        return shows(vars(value))
    if isinstance(value, Mapping):
        return any(shows(one) for pair in value.items() for one in pair)
    if isinstance(value, (list, tuple, set, deque)):
        return any(map(shows, value))
    return SECRET in str(value) or SECRET.encode().hex() in str(value)


@given(VALUES)
def test_no_part_of_a_value_shows_a_secret(value: Any) -> None:
    """Whatever is in what; and without one, it is the same object."""
    masked = masker().value(value)
    assert not shows(masked)
    assert (masked is value) == (not shows(value))
