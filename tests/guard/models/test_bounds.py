"""Bounds on the work that models make: errors, alternatives, hashes, and what stays closed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import OrderedDict
from decimal import Decimal  # noqa: TC003  # read by pydantic
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from mantlet.guard import BodyLimits, Contract, JsonRpc, SchemaGuard
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.models.schema import ModelSchema
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded, faults

#: All of its multiples have the same hash.
MODULUS = sys.hash_info.modulus


def schema_of(kind: Any, **options: Any) -> ModelSchema:
    return ModelSchema(kind, name="a test", errors=20, **options)


def codes(kind: Any, value: Any, **options: Any) -> list[str]:
    """Return the codes of a value's errors; none if it is valid."""
    try:
        schema_of(kind, **options).load(json.dumps(value).encode(), value, "body")
    except ValidationFailed as failure:
        return [error.code for error in failure.errors]
    return []


# -- errors ---------------------------------------------------------------------------------------


def wide(name: str, count: int) -> Any:
    fields: dict[str, Any] = {f"{name}{at}": (int, ...) for at in range(count)}
    return create_model(name, **fields)


Wide: Any = wide("a", 30)
Other: Any = wide("b", 30)
Open: Any = create_model("Open", c=(int, 1))


class Nodes(BaseModel):
    left: Nodes | None = None
    right: Nodes | None = None
    a: int
    b: int
    c: int


def tree(depth: int) -> dict[str, Any]:
    return {"left": tree(depth - 1), "right": tree(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (list[Wide], [{}] * 9_000),
        (list[list[Wide]], [[{}] * 90] * 100),
        (dict[str, Wide], {str(at): {} for at in range(900)}),
        (OrderedDict[str, Wide], {str(at): {} for at in range(900)}),
        (tuple[Wide, ...], [{}] * 9_000),
        (list[int], ["x"] * 9_000),
        (set[int], ["x"] * 9_000),
        (list[Wide], [{f"x{at}": at for at in range(130)}] * 900),
        (list[Wide | Other], [{}] * 900),
        (Nodes, tree(10)),
    ],
    ids=["list", "lists", "dict", "ordered", "tuple", "numbers", "set", "members", "union", "tree"],
)
def test_errors_are_bounded_before_they_are_made(
    kind: Any, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the size of one item, not by the number of items."""
    schema = schema_of(kind, checks=2_000)
    made: list[int] = []
    invalid = ModelSchema._invalid

    def counted(self: ModelSchema, error: Any, *args: Any, **options: Any) -> Any:
        made.append(error.error_count())
        return invalid(self, error, *args, **options)

    monkeypatch.setattr(ModelSchema, "_invalid", counted)
    with pytest.raises(ValidationFailed) as failure:
        schema.load(json.dumps(value).encode(), value, "body")
    assert all(count <= 200 for count in made)
    assert made or [error.code for error in failure.value.errors] == ["json_checks"]


def test_all_errors_of_a_small_text_are_listed() -> None:
    """As far as they are few."""
    value: list[Any] = [{"c": "x"}, {"c": 1}, {"c": "x", "d": 1}]
    assert codes(list[Open], value) == ["int_parsing", "int_parsing", "extra_forbidden"]
    assert codes(list[Open], [{"c": at} for at in range(100)] + value) == [
        "int_parsing",
        "int_parsing",
        "extra_forbidden",
    ]


_PEAK = """
import gzip, io, json, resource
from pydantic import BaseModel
from mantlet import BodyLimits, SchemaGuard, wrap

class Item(BaseModel):
    a: int = 0

def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]

limits = BodyLimits(body="10 MB", ratio=1000)
guarded = wrap(app, SchemaGuard({"POST /": list[Item]}, limits=limits))

def send(count):
    items = [{f"x{at}": 1 for at in range(130)}] * count
    body = gzip.compress(json.dumps(items, separators=(",", ":")).encode())
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1",
               "CONTENT_TYPE": "application/json", "HTTP_CONTENT_ENCODING": "gzip",
               "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body),
               "wsgi.url_scheme": "http", "SERVER_NAME": "a", "SERVER_PORT": "80"}
    statuses = []
    b"".join(guarded(environ, lambda status, *_: statuses.append(status)))
    return statuses[0][:3]

assert send(10) == "422"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert send(8_000) == "422"
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_a_million_undeclared_members_take_no_more_memory_than_their_text() -> None:
    """They are a few kilobytes of gzip, and once took a gigabyte and more."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 250_000  # kilobytes, for 9 MB that are parsed twice


# -- alternatives ---------------------------------------------------------------------------------


class Cat(BaseModel):
    kind: Literal["cat"]
    names: list[str]


class Dog(BaseModel):
    kind: Literal["dog"]
    names: list[str]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


@both_adapters
def test_a_text_that_needs_too_many_checks_is_refused_by_an_option(adapter: Adapter) -> None:
    """For unions, whose choices are all tried for each object."""
    limits = BodyLimits(checks=5_000)
    app = Guarded(adapter, {"POST /items": list[Wide | Other | Open]}, limits=limits)
    assert app.post("/items", [{"c": 1}] * 100).status == 200
    answer = app.post("/items", [{"c": 1}] * 1_000)
    assert answer.status == 400
    assert faults(answer) == [("body", "", "json_checks")]
    assert "BodyLimits(checks=" in answer.text()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (list[Pet], [{"kind": "dog", "names": ["a", "b"]}] * 2_000),
        (list[Open], [{"c": 1}] * 9_000),
        (list[list[float]], [[1.5] * 1_000] * 100),
        (list[int | str | None], ["a"] * 9_000),
        (Nodes, {"left": {"a": 1, "b": 1, "c": 1}, "a": 1, "b": 1, "c": 1}),
    ],
    ids=["tagged", "models", "numbers", "scalars", "tree"],
)
def test_honest_texts_need_few_checks(kind: Any, value: Any) -> None:
    """A tagged union tries one choice, and an array of numbers is one array."""
    assert codes(kind, value) == []


def test_checks_follow_the_size_of_bodies() -> None:
    """Large bodies are allowed by one option."""
    assert BodyLimits().checks == 100_000
    assert BodyLimits(body="50 MB").checks == 5_000_000
    assert BodyLimits(body=5).checks == 1
    assert BodyLimits(checks=7).checks == 7
    assert BodyLimits(body="5 MB").decoded == 5_000_000


@pytest.mark.exhaustive
def test_unions_of_unions_that_multiply_are_refused_at_construction() -> None:
    """The choices of each of them are tried by each choice of the one around it."""
    kind: Any = int
    for depth in range(13):
        kind = create_model(f"A{depth}", a=(kind, ...)) | create_model(f"B{depth}", a=(kind, ...))
    with pytest.raises(ValueError, match="give them discriminators"):
        schema_of(kind)


# -- members --------------------------------------------------------------------------------------


class Ignoring(BaseModel):
    model_config = ConfigDict(extra="ignore")
    within: Closed | None = None


class Closed(BaseModel):
    x: int = 0


class AllowingTyped(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    x: int


class Typed(TypedDict):
    x: int


@dataclass
class Data:
    x: int = 0


class Around(BaseModel):
    ignoring: Ignoring | None = None
    closed: Closed | None = None
    many: list[Closed] = []
    typed: Typed | None = None
    allowing: AllowingTyped | None = None
    data: Data | None = None


@pytest.mark.parametrize(
    ("value", "is_open"),
    [
        ({"more": 1}, False),
        ({"closed": {"more": 1}}, False),
        ({"many": [{"more": 1}]}, False),
        ({"typed": {"x": 1, "more": 1}}, False),
        ({"ignoring": {"within": {"more": 1}}}, False),
        ({"ignoring": {"more": 1}}, True),
        ({"allowing": {"x": 1, "more": 1}}, True),
    ],
    ids=json.dumps,
)
def test_an_open_model_does_not_open_others(value: Any, is_open: bool) -> None:
    """Neither those around it, nor beside it, nor within it."""
    assert codes(Around, value) == ([] if is_open else ["extra_forbidden"])
    assert codes(Around, value, closed=False) == []
    with_data = codes(Around, {**value, "data": {"z": 1}})
    assert sorted(with_data) == [*codes(Around, value), "unexpected_keyword_argument"]
    large = {**value, "many": [{"x": 1}] * 3_000 + value.get("many", [])}
    assert codes(Around, large) == ([] if is_open else ["extra_forbidden"])


def test_the_report_names_each_open_model() -> None:
    """With the setting that opens it."""
    guard = SchemaGuard({"POST /items": Around, "POST /closed": Closed})
    notes = [(place, note) for place, note in guard.coverage.notes if "OPEN" in note]
    assert {place for place, _ in notes} == {"POST /items"}
    assert sorted(note.rpartition(": ")[2] for _, note in notes) == [
        'AllowingTyped (extra="allow")',
        'Ignoring (extra="ignore")',
    ]
    assert "OPEN to undeclared members" in str(guard.coverage)


# -- hashes ---------------------------------------------------------------------------------------


class Numbers(BaseModel):
    integers: set[int] = set()
    frozen: frozenset[int] = frozenset()
    floats: set[float] = set()
    decimals: set[Decimal] = set()
    ids: set[UUID] = set()
    anything: set[Any] = set()
    named: dict[int, int] = {}
    optional: set[int | None] | None = None
    pairs: set[tuple[int, int]] = set()
    lists: list[int] = []


def colliding(count: int) -> list[int]:
    return [MODULUS * at for at in range(count)]


@pytest.mark.parametrize(
    "value",
    [
        {"integers": colliding(100)},
        {"integers": [str(one) for one in colliding(100)]},
        {"integers": [-one for one in colliding(100)]},
        {"integers": [f" +{one:_} " for one in colliding(100)]},
        {"frozen": colliding(100)},
        {"decimals": [str(one) for one in colliding(100)]},
        {"decimals": [f"{one}.0" for one in colliding(100)]},
        {"ids": [str(UUID(int=one)) for one in colliding(100)]},
        {"ids": [UUID(int=one).hex for one in colliding(100)]},
        {"ids": [UUID(int=one).urn.upper() for one in colliding(100)]},
        {"anything": colliding(100)},
        {"named": {str(one): 1 for one in colliding(100)}},
        {"optional": colliding(100)},
        {"floats": [2.0 ** (61 * at) for at in range(-16, 16)]},
    ],
    ids=lambda value: f"{next(iter(value))} {str(next(iter(value.values())))[:30]}",
)
def test_numbers_of_one_hash_are_refused(value: Any) -> None:
    """However they are written; a set of them takes quadratic time."""
    assert codes(Numbers, value) == ["hash_collisions"]


@pytest.mark.parametrize("name", ["integers", "frozen", "anything", "optional", "lists"])
def test_other_large_numbers_are_accepted(name: str) -> None:
    """Such as random ones of 64 bits, and a number that is repeated."""
    rng = random.Random(1)
    value = {name: [rng.getrandbits(64) for _ in range(5_000)] + [2**70] * 4_000}
    assert codes(Numbers, value) == []
    assert codes(Numbers, {name: list(range(9_000))}) == []


def test_sets_of_other_values_are_bounded() -> None:
    """Hashes of tuples and models can be chosen too."""
    assert codes(Numbers, {"pairs": [[1, at] for at in range(100)]}) == []
    assert codes(Numbers, {"pairs": [[1, at] for at in range(101)]}) == ["too_long"]
    longer = Annotated[set[tuple[int, int]], Field(max_length=500)]
    assert codes(longer, [[1, at] for at in range(400)]) == []
    assert codes(set[str], [str(at) for at in range(9_000)]) == []
    assert codes(dict[str, int], {str(at): at for at in range(900)}) == []


@both_adapters
def test_numbers_of_one_hash_are_refused_wherever_they_stand(adapter: Adapter) -> None:
    """In forms, lines, calls and bodies alike."""
    ids = create_model("Ids", ids=(set[int], ...))
    app = Guarded(
        adapter,
        {
            "POST /body": ids,
            "POST /form": Contract(form=ids),
            "POST /lines": Contract(lines=ids),
            "POST /rpc": JsonRpc({"add": ids}),
        },
    )
    value = {"ids": colliding(100)}
    call = {"jsonrpc": "2.0", "method": "add", "params": value}
    form = "&".join(f"ids={one}" for one in value["ids"])
    answers = [
        app.post("/body", value),
        app.post("/rpc", call),
        app.ask("POST", "/form", body=form,
                headers=[("Content-Type", "application/x-www-form-urlencoded")]),
        app.ask("POST", "/lines", body=json.dumps(value),
                headers=[("Content-Type", "application/x-ndjson")]),
    ]  # fmt: skip
    assert [faults(answer)[0][2] for answer in answers] == ["hash_collisions"] * 4


# -- decimals -------------------------------------------------------------------------------------


class Price(BaseModel):
    amount: Decimal


@both_adapters
@pytest.mark.parametrize("exponent", ["999999999", "-999999999", "1001"])
def test_decimals_have_no_huge_exponents(adapter: Adapter, exponent: str) -> None:
    """An app that makes an int of one would need a gigabyte."""
    app = Guarded(
        adapter,
        {
            "POST /body": Price,
            "POST /form": Contract(form=Price),
            "GET /query": Contract(query=Price),
        },
    )
    for amount, code in ((f"1e{exponent}", "decimal_max_digits"), ("1e30", None), ("0.1", None)):
        form = f"amount={amount}"
        answers = [
            app.post("/body", {"amount": amount}),
            app.ask("GET", f"/query?{form}"),
            app.ask("POST", "/form", body=form,
                    headers=[("Content-Type", "application/x-www-form-urlencoded")]),
        ]  # fmt: skip
        for answer in answers:
            found = faults(answer)[0][2] if answer.status != 200 else None
            assert found == code, amount
