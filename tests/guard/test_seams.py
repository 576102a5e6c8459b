"""Where a guard meets servers, apps and the libraries below it."""

from __future__ import annotations

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import permutations
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    Field,
    Json,
    SecretStr,
    computed_field,
)

import mantlet
from mantlet.guard import Contract, JsonRpc, SchemaGuard
from tests.conformance.test_laws import apart_asgi, apart_wsgi
from tests.drive import Adapter, AsgiAdapter, WsgiAdapter, both_adapters
from tests.guard.asking import FORM, JSON, Guarded, faults

asgi, wsgi = AsgiAdapter(), WsgiAdapter()


class Item(BaseModel):
    name: str
    count: int = 1


# -- bodies that the head does not tell of ---------------------------------------------------------


def test_a_body_that_only_an_event_tells_of_is_no_way_around_an_optional_one() -> None:
    """Gateways hand events over as HTTP/1.1 without a length, and apps read what comes."""
    guarded = Guarded(asgi, {"POST /items": Contract(body=Item, required=False)})
    assert guarded.ask("POST", "/items", body=b'{"evil": 1}', length=False).status == 415
    assert guarded.ask("POST", "/items", length=False).status == 200
    assert guarded.bodies == [b""]


@pytest.mark.parametrize("length", ["", ...], ids=["empty", "none"])
def test_a_body_of_http_2_is_found_under_wsgi_however_its_length_is_left_out(length: Any) -> None:
    """Some servers set an empty CONTENT_LENGTH where the client sent none."""
    http2 = {"SERVER_PROTOCOL": "HTTP/2", "wsgi.input_terminated": True, "CONTENT_LENGTH": length}
    guarded = Guarded(wsgi, {"GET /items": Contract()})
    answer = guarded.ask("GET", "/items", body=b'{"evil": 1}', **http2)
    assert faults(answer) == [("body", "", "undeclared_body")]
    assert guarded.ask("GET", "/items", **http2).status == 200


class Boxes(BaseModel):
    """A form of which a browser sends nothing where nothing is ticked."""

    ticked: list[str] = []


@both_adapters
@pytest.mark.parametrize("forward", ["original", "canonical"])
def test_a_form_of_no_bytes_is_a_form_without_fields(adapter: Adapter, forward: Any) -> None:
    """Which is valid where all of them may be left out (WHATWG URL, 5.1)."""
    contracts = {"POST /boxes": Contract(form=Boxes), "POST /items": Contract(form=Item)}
    guarded = Guarded(adapter, contracts, forward=forward)
    empty = [*FORM, ("Content-Length", "0")]
    assert guarded.ask("POST", "/boxes", headers=empty).status == 200
    assert (guarded.seen[0].body, guarded.bodies) == (Boxes(), [b""])
    assert faults(guarded.ask("POST", "/items", headers=empty)) == [("body", "/name", "missing")]
    assert faults(guarded.ask("POST", "/boxes")) == [("body", "", "missing_body")]


# -- answers ---------------------------------------------------------------------------------------


@both_adapters
def test_a_client_that_has_an_answer_already_is_told_so(adapter: Adapter) -> None:
    """A 304 is what HTTP makes of a declared answer (RFC 9110, 15.4.5)."""
    guarded = Guarded(
        adapter,
        {"GET /items": Contract(response=Item)},
        responses="enforce",
        answer=(304, [("ETag", '"a"')], b""),
    )
    assert guarded.ask("GET", "/items").status == 304


@both_adapters
@pytest.mark.parametrize(
    ("body", "coded"),
    [
        (json.dumps({"name": "a" * 11_000_000}), True),
        (json.dumps({"name": "a" * 900_000}), True),
        (json.dumps({"name": "a" * 1_100_000}), False),
        (json.dumps({"name": "a", "more": [0] * 10_001}), False),
    ],
    ids=["decoded", "ratio", "string", "items"],
)
def test_an_answer_beyond_the_limits_on_requests_is_only_not_looked_at(
    adapter: Adapter, body: str, coded: bool
) -> None:
    """The app's own answers may be larger than what clients may send."""
    fields, raw = list(JSON), body.encode()
    if coded:
        fields, raw = [*fields, ("Content-Encoding", "gzip")], gzip.compress(raw, mtime=0)
    guarded = Guarded(
        adapter,
        {"GET /items": Contract(response=Item)},
        responses="enforce",
        answer=(200, fields, raw),
    )
    assert guarded.ask("GET", "/items").status == 200
    assert guarded.guard.counts == {("GET /items", "unchecked"): 1}


# -- time ------------------------------------------------------------------------------------------


class Yes(BaseModel):
    of: list[Yes | No] = []


class No(BaseModel):
    of: list[Yes | No] = []


class Told(BaseModel):
    kind: Literal["told"]
    of: list[Annotated[Told | Other, Field(discriminator="kind")]] = []


class Other(BaseModel):
    kind: Literal["other"]
    of: list[Annotated[Told | Other, Field(discriminator="kind")]] = []


class Tree(BaseModel):
    left: Tree | None = None
    right: Tree | None = None
    leaf: dict[str, Tree] | list[Tree] | int = 0


@dataclass
class Mixed:
    of: dict[str, Mixed] | Mixed | None = None


class Elsewhere(BaseModel):
    """Has a union of models that are within themselves, and not within each other."""

    one: Tree | Told


@pytest.mark.parametrize("kind", [Yes, No, list[Yes | No], dict[str, Yes], Mixed])
def test_a_union_that_takes_time_by_the_power_of_its_depth_is_refused(kind: Any) -> None:
    """A hundred bytes would keep pydantic busy for hours."""
    with pytest.raises(ValueError, match=r"POST /items: body .* give it a discriminator"):
        SchemaGuard({"POST /items": kind})


@pytest.mark.parametrize("kind", [Told, list[Other], Tree, Elsewhere])
def test_other_models_that_are_within_themselves_are_taken(kind: Any) -> None:
    """A discriminator says which choice to read, and so does the kind of JSON value."""
    SchemaGuard({"POST /items": kind})


# -- credentials -----------------------------------------------------------------------------------


def keyed(place: str) -> dict[str, Any]:
    """Return a document whose one operation asks for a key."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "a", "version": "1"},
        "paths": {
            "/items": {
                "get": {
                    "security": [{"key": []}],
                    "responses": {"200": {"description": "fine"}},
                }
            }
        },
        "components": {"securitySchemes": {"key": {"type": "apiKey", "in": place, "name": "k"}}},
    }


@both_adapters
@pytest.mark.parametrize("cookies", ["k=good; \tk=evil", "k=good; k\x0b=evil", "k=good; k=evil"])
def test_a_key_that_a_framework_finds_twice_is_none(adapter: Adapter, cookies: str) -> None:
    """Starlette strips tabs off a name, and takes the last one."""
    guarded = Guarded(
        adapter, openapi=keyed("cookie"), security={"key": lambda _, shown: shown.value == "good"}
    )
    assert guarded.ask(target="/items", headers=[("Cookie", cookies)]).status == 401
    assert guarded.ask(target="/items", headers=[("Cookie", "k=good")]).status == 200


def test_a_key_is_found_in_the_second_cookie_field_of_http_2() -> None:
    """Which browsers send (RFC 9113, 8.2.3)."""
    guarded = Guarded(
        asgi, openapi=keyed("cookie"), security={"key": lambda _, shown: shown.value == "good"}
    )
    fields = [("Cookie", "a=b"), ("Cookie", "k=good")]
    assert guarded.ask(target="/items", headers=fields).status == 200


@both_adapters
@pytest.mark.parametrize("said", [None, 1, "yes", object()], ids=["none", "one", "text", "object"])
def test_a_checker_that_says_neither_yes_nor_no_lets_nothing_pass(
    adapter: Adapter, said: Any
) -> None:
    """It is a mistake of the app's, so nothing is answered in the client's words."""
    guarded = Guarded(adapter, openapi=keyed("header"), security={"key": lambda _, __: said})
    answer = guarded.ask(target="/items", headers=[("K", "good")])
    assert isinstance(answer.error, TypeError)
    assert guarded.seen == []


# -- canonical bodies ------------------------------------------------------------------------------


class Computing(BaseModel):
    packed: Json[int]
    camel: int = Field(alias="camelCase")
    either: int = Field(0, validation_alias=AliasChoices("either", "or"))

    @computed_field
    def double(self) -> int:
        return self.camel * 2


@both_adapters
def test_a_canonical_body_can_be_read_by_the_model_again(adapter: Adapter) -> None:
    """It has names that the model reads, and nothing that it computes."""
    guarded = Guarded(adapter, {"POST /items": Computing}, forward="canonical")
    assert guarded.post("/items", {"packed": "5", "camelCase": 1, "or": 2}).status == 200
    assert Computing.model_validate_json(guarded.bodies[0]) == guarded.seen[0].body
    assert json.loads(guarded.bodies[0]) == {"packed": "5", "camelCase": 1, "either": 2}


class Renamed(BaseModel):
    a: int = Field(validation_alias="read", serialization_alias="written")


class Deeper(BaseModel):
    a: int = Field(validation_alias=AliasPath("a", 0))


class Dropped(BaseModel):
    a: int = Field(exclude=True)


class Hidden(BaseModel):
    a: SecretStr | None = None


@dataclass
class Plain:
    a: Annotated[int, Field(validation_alias="b")]


class Named(BaseModel, populate_by_name=True):
    a: int = Field(validation_alias="b")


@pytest.mark.parametrize("kind", [Renamed, Deeper, Dropped, Hidden, Plain, list[Hidden]])
def test_a_model_that_does_not_write_what_it_reads_has_no_canonical_form(kind: Any) -> None:
    """The app would read something else than what was validated, such as asterisks."""
    with pytest.raises(ValueError, match=r"body .* the field 'a' .* forward=\"original\""):
        SchemaGuard({"POST /items": kind}, forward="canonical")
    with pytest.raises(ValueError, match="params of 'go' "):
        SchemaGuard({"POST /rpc": JsonRpc({"go": kind})}, forward="canonical")
    SchemaGuard({"POST /items": kind})
    SchemaGuard({"GET /items": Contract(response=kind)}, forward="canonical")


def test_a_field_that_is_read_by_its_name_too_may_be_written_by_it() -> None:
    """As the model's configuration says."""
    SchemaGuard({"POST /items": Named}, forward="canonical")


# -- documents that change while requests run ------------------------------------------------------


def versioned(letter: str) -> dict[str, Any]:
    """Return a document whose only body has a member of that name, and the query as well."""
    return {
        "openapi": "3.1.0",
        "info": {"title": letter, "version": "1"},
        "paths": {
            "/items": {
                "post": {
                    "parameters": [
                        {"name": letter, "in": "query", "required": True, "schema": {}},
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": [letter],
                                    "properties": {letter: {"type": "integer"}},
                                    "additionalProperties": False,
                                }
                            }
                        },
                    },
                    "responses": {"200": {"description": "fine"}},
                }
            }
        },
    }


@both_adapters
def test_a_request_sees_one_document_while_threads_put_others_in_its_place(
    adapter: Adapter,
) -> None:
    """Its query and its body are judged by the same one."""
    guard = SchemaGuard(openapi=versioned("a"))
    done = threading.Event()
    refused: set[tuple[tuple[str, str, str], ...]] = set()

    def ask(letter: str) -> None:
        guarded = Guarded(adapter, guard)
        while not done.is_set():
            answer = guarded.post(f"/items?{letter}=1", {letter: 1})
            if answer.status != 200:
                refused.add(tuple(faults(answer)))

    with ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask, letter) for letter in "aabb"]
        for letter in "babababa":
            guard.reload(versioned(letter))
        done.set()
    for one in asking:
        one.result()
    for found in refused:
        # Either nothing fits or everything does.
        assert {place for place, _, _ in found} == {"query", "body"}


# -- two guards ------------------------------------------------------------------------------------


@both_adapters
def test_two_guards_around_an_app_both_judge(adapter: Adapter) -> None:
    """What the inner one has validated is what the app finds."""
    loose = SchemaGuard({"POST /items": dict[str, Any]})
    strict = Guarded(adapter, {"POST /items": Item}, policies=[loose])
    assert strict.post("/items", {"name": "a"}).status == 200
    assert strict.seen[0].body == Item(name="a")
    assert faults(strict.post("/items", ["a"])) == [("body", "", "dict_type")]
    assert strict.post("/items", {"name": 5}).status == 422


@both_adapters
def test_a_guard_may_stand_twice_in_a_stack(adapter: Adapter) -> None:
    """As where it is added by a factory, and again by hand."""
    guard = SchemaGuard({"POST /items": Contract(body=Item, response=Item)}, responses="enforce")
    twice = Guarded(adapter, guard, policies=[guard])
    assert twice.post("/items", {"name": "a"}).status == 500  # the app answers {}
    assert twice.post("/items", {"name": 5}).status == 422


@both_adapters
@pytest.mark.filterwarnings("ignore:.* is inside ")
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_refusal_is_the_same_in_every_order_of_policies(
    adapter: Adapter, order: tuple[int, ...]
) -> None:
    """With the envelope, the sanitizer, the limiter, and a second guard that only reports."""
    others: list[mantlet.Policy] = [
        mantlet.ErrorEnvelope(),
        mantlet.OutputSanitizer(),
        mantlet.RateLimiter("1000/second"),
        SchemaGuard({"GET /others": Contract()}, mode="report", responses="enforce"),
    ]
    guarded = Guarded(adapter, {"POST /items": Item}, policies=[others[index] for index in order])
    answer = guarded.post("/items", {"name": 5, "extra": 1})
    assert answer.status == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
        ("/name", "string_type"),
        ("/extra", "extra_forbidden"),
    ]
    assert guarded.seen == []
    assert guarded.post("/items", {"name": "a"}).status == 200
    assert guarded.seen[0].body == Item(name="a")


@both_adapters
@pytest.mark.parametrize("outside", [True, False], ids=["outside", "inside"])
def test_a_refusal_of_the_limiter_is_no_wrong_answer_of_the_app(
    adapter: Adapter, outside: bool
) -> None:
    """On whichever side of the guard it stands, and whether or not the two touch."""
    limiter = mantlet.RateLimiter("1/hour")
    guard = SchemaGuard({"GET /items": Contract(response=Item)}, responses="enforce")
    app = adapter.app(lambda _: (200, [("content-type", "application/json")], b'{"name": "a"}'))
    wrap: Any = adapter.module.wrap
    apart: Any = apart_asgi if adapter.name == "asgi" else apart_wsgi
    inner, outer = (guard, limiter) if outside else (limiter, guard)
    stack = wrap(apart(wrap(app, inner, baseline=False)), outer, baseline=False)
    assert [adapter.drive(stack, "GET", "/items").status for _ in range(2)] == [200, 429]
