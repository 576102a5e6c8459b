"""The words of a model's errors: one for each place, that a front-end developer can act on."""

from __future__ import annotations

import enum
import json
import math
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mantlet import Contract, SchemaGuard
from mantlet._internal.pydantic_errors import value_list
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.models import validator_messages
from mantlet.guard.models.nullable import allows_null
from mantlet.guard.models.schema import ModelSchema
from tests.drive import both_adapters
from tests.guard.asking import FORM, Guarded

if TYPE_CHECKING:
    from tests.drive import Adapter


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog", Colour.RED]
    bark: str


class Node(BaseModel):
    value: int | None = None
    children: list[Node] | None = None


def checked(value: Any) -> Any:
    return value


def told(kind: Any, value: Any, messages: Any = "safe") -> list[tuple[str, str, str]]:
    """Return the pointers, codes and details of the errors of a value."""
    schema = ModelSchema(kind, name="a test", errors=20, messages=messages)
    with pytest.raises(ValidationFailed) as caught:
        schema.load(json.dumps(value).encode(), value, "body")
    return [(one.pointer, one.code, one.detail) for one in caught.value.errors]


BE = "Input should be "
INTEGER = "a valid integer, unable to parse string as an integer"
NEITHER = "Input matches none of the 2 alternatives: it needs kind and lives, or kind and bark"
#: A type, a value that it does not allow, and the errors.
CASES: list[tuple[Any, Any, list[tuple[str, str, str]]]] = [
    (int | None, "x", [("", "int_parsing", BE + "a valid integer, or null")]),
    (int | None, 1.5, [("", "int_from_float", BE + "a valid integer, or null")]),
    (int, "x", [("", "int_parsing", BE + INTEGER)]),
    (int | bool | None, "x", [("", "union", BE + "a valid integer, or a valid boolean, or null")]),
    (int | str, [], [("", "union", BE + "a valid integer, or a valid string")]),
    (Annotated[int, AfterValidator(checked)] | Annotated[str, BeforeValidator(checked)], {},
     [("", "union", BE + "a valid integer, or a valid string")]),
    (Annotated[int, AfterValidator(checked)] | None, "x",
     [("", "int_parsing", BE + "a valid integer, or null")]),
    (Annotated[int, Field(gt=3)] | None, 1, [("", "greater_than", BE + "greater than 3")]),
    (int | Annotated[str, Field(max_length=2)], "abc",
     [("", "string_too_long", "String should have at most 2 characters")]),
    (Cat | None, 1, [("", "model_type", BE + "an object, or null")]),
    (Cat | None, {},
     [("/kind", "missing", "Field required"), ("/lives", "missing", "Field required")]),
    (Cat | int, {"kind": "cat"}, [("/lives", "missing", "Field required")]),
    (Cat | Dog, {"kind": "cat"}, [("/lives", "missing", "Field required")]),
    (Cat | Dog, {}, [("", "union", NEITHER)]),
    (list[Cat] | list[Dog] | None, [{"kind": "dog"}], [("/0/bark", "missing", "Field required")]),
    (list[int | str] | None, ["a", {}],
     [("/1", "union", BE + "a valid integer, or a valid string")]),
    (dict[str, int] | None, [], [("", "dict_type", BE + "an object, or null")]),
    (list[int], {}, [("", "list_type", BE + "an array")]),
    (Colour | None, "green", [("", "enum", BE + "'red' or 'blue', or null")]),
    (Literal["a", "b", "c"], "d",
     [("", "literal_error", BE + "'a', 'b' or 'c'")]),
    (Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": "cow"},
     [("", "union_tag_invalid", "The member 'kind' should be 'cat', 'dog' or 'red'")]),
    (Annotated[Cat | Dog, Field(discriminator="kind")], {},
     [("", "union_tag_not_found",
       "The member 'kind' is required: it selects the kind of the object")]),
    (datetime | None, "soon",
     [("", "datetime_from_date_parsing", BE + "a valid datetime, or null")]),
    (date, "soon", [("", "date_from_datetime_parsing", BE + "a valid date")]),
    (UUID | None, "x", [("", "uuid_parsing", BE + "a valid UUID, or null")]),
    (Node, {"children": [{"value": "x"}]},
     [("/children/0/value", "int_parsing", BE + "a valid integer, or null")]),
    (None, 1, [("", "none_required", BE + "null")]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "errors"), CASES, ids=range(len(CASES)))
def test_errors_are_in_plain_words(
    kind: Any, value: Any, errors: list[tuple[str, str, str]]
) -> None:
    """Once for a place, with all that the schema allows there."""
    assert told(kind, value) == errors


def test_a_discriminator_that_is_a_function_is_not_named() -> None:
    """It is the app's."""

    def secret_function(value: Any) -> str:
        return "none"

    kind = Annotated[
        Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")], Discriminator(secret_function)
    ]
    assert told(kind, {}) == [("", "union_tag_invalid", "Input is not of an allowed kind")]


@pytest.mark.parametrize(
    ("listed", "shown"),
    [
        ("'a'", "'a'"),
        ("'a', 'b' or 'a'", "'a' or 'b'"),
        ("'or', 'or, or' or 1", "'or', 'or, or' or 1"),
        ("""'it\\'s' or "it's" """, """'it\\'s' or "it's\""""),
        ("<Kind.a: 'a'>, 'a' or <Kind.b: 2>", "'a' or 2"),
        ("True or None", "True or None"),
        (
            ", ".join(f"'{n}'" for n in range(50)),
            "one of '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ... (50 values)",
        ),
        (f"'{'x' * 300}' or 'y'", "one of ... (2 values)"),
        ("", ""),
    ],
)
def test_lists_of_values_are_bounded_and_without_doubles(listed: str, shown: str) -> None:
    """Members of an enumeration are their values."""
    assert value_list(listed) == shown


def test_a_large_enumeration_is_cut() -> None:
    """And its size is told."""
    kind = Literal[*(f"value {n}" for n in range(1000))]  # type: ignore[valid-type]  # of many
    ((_, _, detail),) = told(kind, "x")
    assert len(detail) < 250
    assert detail.endswith("... (1000 values)")


class Tree(BaseModel):
    value: int | str | None = None
    left: Tree | int | None = None


@pytest.mark.parametrize("depth", [1, 10, 50, 150])
def test_errors_within_many_unions_keep_their_place(depth: int) -> None:
    """Also beyond the depth to which unions are followed."""
    value: Any = {"value": []}
    for _ in range(depth):
        value = {"left": value}
    found = told(Tree, value)
    assert found[0][0] == "/left" * depth + "/value"
    # Tokens of a location: two for each member.
    if 2 * depth < 120:
        detail = "Input should be a valid integer, or a valid string, or null"
        assert found == [("/left" * depth + "/value", "union", detail)]


def test_null_is_looked_for_in_every_wrapper() -> None:
    """Aliases, dataclasses, dicts and tuples."""

    class Wrapped(BaseModel):
        by_alias: int | None = Field(alias="byAlias")
        table: dict[str, int | None]
        pair: tuple[int, str | None]
        plain: int

        @model_validator(mode="after")
        def same(self) -> Wrapped:
            return self

    schema: Any = TypeAdapter(list[Wrapped]).core_schema
    for path, allowed in {
        (0, "byAlias"): True,
        (0, "table", "x"): True,
        (0, "pair", 0): False,
        (0, "pair", 1): True,
        (0, "plain"): False,
        (0,): False,
        (0, "nothing", 1): False,
    }.items():
        assert allows_null(schema, path) is allowed, path


class Query(BaseModel):
    page: int | None = None
    sort: Literal["a", "b"] | None = None


@both_adapters
def test_texts_can_not_be_null(adapter: Adapter) -> None:
    """So parameters and forms are not told that they can."""
    contracts = {"GET /": Contract(query=Query), "POST /": Contract(form=Query)}
    app = Guarded(adapter, contracts)
    answer = app.ask("GET", "/?page=x&sort=c")
    integer = "Input should be a valid integer, unable to parse string as an integer"
    assert [one["detail"] for one in answer.json()["errors"]] == [
        integer,
        "Input should be 'a' or 'b'",
    ]
    answer = app.ask("POST", "/", body="page=x", headers=FORM)
    assert [one["detail"] for one in answer.json()["errors"]] == [integer]


# -- validators -----------------------------------------------------------------------------------

LIMIT = 3
TEXT = "Must be of the other kind"


class Judged(BaseModel):
    value: str
    other: str = ""

    @field_validator("value")
    @classmethod
    def judge(cls, value: str, info: ValidationInfo) -> str:  # noqa: PLR0912  # one for each
        kind, _, rest = value.partition(":")
        match kind:
            case "constant":
                raise ValueError("Must be in the future")
            case "global":
                raise ValueError(TEXT)
            case "limit":
                raise ValueError(f"Must be at most {LIMIT} things")
            case "field":
                raise ValueError(f"{info.field_name} is not free any more")
            case "assert":
                raise AssertionError("Must be even")
            case "custom":
                raise PydanticCustomError("taken", "Already taken {times} times", {"times": 2})
            case "echo":
                raise ValueError(f"No such name: {value}")
            case "part":
                raise ValueError(f"Unknown: {rest[:4]}!")
            case "upper":
                raise ValueError("Unknown " + rest.upper())
            case "format":
                raise ValueError("Unknown {}".format(rest))  # noqa: UP032  # as validators do
            case "percent":
                raise ValueError("Unknown %s" % rest)  # noqa: UP031  # as validators do
            case "custom echo":
                raise PydanticCustomError("unknown", "Unknown {value}", {"value": rest})
            case "library":
                int(rest)
            case "json":
                json.loads(rest)
            case "math":
                math.sqrt(-1)
        return value


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("constant:", "Must be in the future"),
        ("global:", TEXT),
        ("limit:", "Must be at most 3 things"),
        ("field:", "value is not free any more"),
        ("assert:", "Must be even"),
        ("custom:", "Already taken 2 times"),
    ],
)
def test_messages_of_validators_reach_the_client(value: str, detail: str) -> None:
    """Where they hold nothing of the input."""
    assert [one[2] for one in told(Judged, {"value": value})] == [detail]
    assert [one[2] for one in told(Judged, {"value": value}, "stripped")] == [detail]
    assert [one[2] for one in told(Judged, {"value": value}, "none")] == ["Invalid value"]


@pytest.mark.parametrize(
    ("kind", "stripped"),
    [
        ("echo", "No such name: ..."),
        ("part", "Unknown: ..."),
        ("upper", "Unknown ..."),
        ("format", "Unknown ..."),
        ("percent", "Unknown ..."),
        ("custom echo", "Unknown ..."),
        ("library", "..."),
        ("json", "Invalid value"),
    ],
)
def test_messages_with_input_are_hidden_or_stripped(kind: str, stripped: str) -> None:
    """By option; the exceptions of libraries are not for clients at all."""
    value = {"value": f"{kind}:wordsworth"}
    assert [one[2] for one in told(Judged, value)] == ["Invalid value"]
    assert [one[2] for one in told(Judged, value, "stripped")] == [stripped]
    assert [one[2] for one in told(Judged, value, "none")] == ["Invalid value"]


@given(
    st.sampled_from(["echo", "part", "upper", "format", "percent", "custom echo"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=3, max_size=30),
    st.sampled_from(["safe", "stripped"]),
)
def test_no_message_has_the_input(kind: str, text: str, messages: str) -> None:
    """Whatever it is; a text that is in the template too is not told from it."""
    template = "no such name: unknown: !invalid value..."
    assume(text.casefold()[:3] not in template)
    for _, _, detail in told(Judged, {"value": f"{kind}:{text}"}, messages):
        assert text[:3] not in detail
        assert text.upper()[:3] not in detail


def test_the_input_of_other_fields_is_looked_for_too() -> None:
    """A validator of a model sees all of them."""

    class Pair(BaseModel):
        first: str
        second: list[str]

        @model_validator(mode="after")
        def differ(self) -> Pair:
            raise ValueError(f"Differs from {self.second[0]}")

    assert told(Pair, {"first": "a", "second": ["wordsworth"]})[0][2] == "Invalid value"


def test_a_constant_that_is_the_input_is_hidden() -> None:
    """The validator may have compared the two."""

    def judge(value: str) -> str:
        if value == "taken":
            raise ValueError(f"{value} is not free")
        raise ValueError(value)

    kind = Annotated[str, AfterValidator(judge)]
    assert told(kind, "taken")[0][2] == "Invalid value"
    assert told(kind, "taken", "stripped")[0][2] == "... is not free"
    assert told(kind, "any")[0][2] == "Invalid value"


@pytest.mark.parametrize(
    "message",
    ["", "x" * 400, "two\nlines", "\u202ereversed"],
    ids=["none", "long", "lines", "bidi"],
)
def test_messages_are_one_line(message: str) -> None:
    """Of at most 300 characters."""

    def judge(value: int) -> int:
        raise ValueError(message)

    assert told(Annotated[int, AfterValidator(judge)], 5)[0][2] == "Invalid value"


def test_one_request_has_its_input_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And few different messages looked at."""

    def judge(value: int) -> int:
        raise ValueError(f"Must be {chr(0x4E00 + value)}")

    reads: list[int] = []
    split: list[str] = []
    read_input, split_message = validator_messages._read_input, validator_messages._split

    def counted(value: Any, names: Any) -> Any:
        reads.append(1)
        return read_input(value, names)

    def counted_split(message: str, constants: Any) -> Any:
        split.append(message)
        return split_message(message, constants)

    monkeypatch.setattr(validator_messages, "_read_input", counted)
    monkeypatch.setattr(validator_messages, "_split", counted_split)
    told(list[Annotated[int, AfterValidator(judge)]], list(range(190)))
    assert len(reads) == 1
    assert len(split) <= 40


def test_a_large_input_is_compared_in_bounds() -> None:
    """Then only constants are shown."""

    def judge(value: Any) -> Any:
        if len(value) % 2:
            raise ValueError("Must be even")
        raise ValueError(f"Must be {LIMIT} of them")

    kind = Annotated[list[int], AfterValidator(judge)]
    assert told(kind, list(range(1001)))[0][2] == "Must be even"
    assert told(kind, list(range(1000)))[0][2] == "Invalid value"
    assert told(kind, [7, 8])[0][2] == "Must be 3 of them"


@both_adapters
@pytest.mark.parametrize(
    ("options", "detail"),
    [
        ({}, "Must be in the future"),
        ({"validator_messages": "stripped"}, "Must be in the future"),
        ({"validator_messages": "none"}, "Invalid value"),
    ],
    ids=["default", "stripped", "none"],
)
def test_the_guard_takes_the_option(adapter: Adapter, options: Any, detail: str) -> None:
    """For bodies, forms and parameters."""
    contracts = {
        "POST /json": Judged,
        "POST /form": Contract(form=Judged),
        "GET /": Contract(query=Judged),
    }
    app = Guarded(adapter, contracts, **options)
    answers = [
        app.post("/json", {"value": "constant:"}),
        app.ask("POST", "/form", body="value=constant:", headers=FORM),
        app.ask("GET", "/?value=constant:"),
    ]
    assert [answer.json()["errors"][0]["detail"] for answer in answers] == [detail] * 3


def test_another_value_of_the_option_is_an_error() -> None:
    """That names those that there are."""
    wrong: Any = "all"
    with pytest.raises(ValueError, match='validator_messages must be "safe", "stripped" or'):
        SchemaGuard({"POST /": Judged}, validator_messages=wrong)
