"""What a guard has refused, or would have: by route, place and rule, and without a value."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import mantlet
from mantlet import Contract, Finding, RouteOptions, SchemaGuard
from mantlet.guard.findings import recorder
from mantlet.guard.findings.finding import OTHERS, merge
from mantlet.guard.findings.masking import mask_name, mask_pointer
from mantlet.secrets import Secret, SecretLoader, SecretModel
from tests.drive import AsgiAdapter, WsgiAdapter, both_adapters
from tests.guard.asking import FORM, JSON, Guarded

if TYPE_CHECKING:
    from tests.drive import Adapter

#: The client's own, wherever they stand.
VALUE = "correct-horse-battery"


class Line(BaseModel):
    sku: str
    count: int


class Order(BaseModel):
    name: str
    price: float
    lines: list[Line] = []


class Page(BaseModel):
    page: int = 1


CONTRACTS: Any = {
    "POST /orders": Order,
    "GET /orders/{order_id}": Contract(query=Page),
}
DOCUMENT: Any = {
    "openapi": "3.1.0",
    "info": {"title": "Orders", "version": "1"},
    "paths": {
        "/orders": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "additionalProperties": False,
                                "properties": {"name": {"type": "string", "maxLength": 9}},
                            }
                        }
                    },
                },
                "responses": {"200": {"description": "Made."}},
            }
        }
    },
}


def rules(app: Guarded) -> list[tuple[str, str, str, int, int]]:
    """Return the routes, the places, the rules and both counts of the findings."""
    return [
        (one.operation, one.place + one.pointer, one.code, one.count, one.refused)
        for one in app.guard.findings()
    ]


@both_adapters
@pytest.mark.parametrize(
    ("mode", "refused"), [("report", False), ("enforce", True)], ids=["report", "enforce"]
)
def test_findings_are_by_route_place_and_rule(adapter: Adapter, mode: Any, refused: bool) -> None:
    """With counts of those that were refused, and the status that each gets."""
    app = Guarded(adapter, CONTRACTS, mode=mode)
    wrong = {"name": "a", "price": "x", "lines": [{"sku": "b", "count": "c"}] * 2}
    for _ in range(3):
        assert (app.post("/orders", wrong).status == 200) is not refused
    app.ask("GET", "/orders/7?page=x")
    assert rules(app) == [
        ("POST /orders", "body/lines/{}/count", "int_parsing", 3, 3 * refused),
        ("POST /orders", "body/price", "float_parsing", 3, 3 * refused),
        ("GET /orders/{order_id}", "query/page", "int_parsing", 1, refused),
    ]
    assert {one.status for one in app.guard.findings()} == {422}
    assert all(one.declared and one.subject == "request" for one in app.guard.findings())


@both_adapters
def test_a_sample_is_a_shape(adapter: Adapter) -> None:
    """Types and lengths, of the first one seen."""
    app = Guarded(adapter, CONTRACTS, mode="report")
    app.post("/orders", {"name": "abc", "price": VALUE, "lines": [{"sku": "a", "count": 1}]})
    app.post("/orders", {"name": "abc", "price": "x"})
    app.post("/orders", {"name": "abc", "more": [True, None]})
    app.ask("GET", f"/orders/7?page={VALUE}")
    app.ask("GET", f"/orders/7?utm_source={VALUE}")
    app.ask("POST", "/orders", body="a=b", headers=FORM)
    samples = {(one.pointer, one.code): one.sample for one in app.guard.findings()}
    whole = "{name: string(3), more: array(2)}"
    assert samples == {
        ("/price", "float_parsing"): (
            f"string({len(VALUE)}) in {{name: string(3), price: string({len(VALUE)}), "
            "lines: array(1)}"
        ),
        ("/price", "missing"): whole,
        ("/more", "extra_forbidden"): (
            "array(2)[boolean, ...] in {name: string(3), more: array(2)}"
        ),
        ("/page", "int_parsing"): f"string({len(VALUE)}) in {{page: string({len(VALUE)})}}",
        ("/utm_source", "undeclared_parameter"): f"string({len(VALUE)})",
        ("", "media_type"): "application/x-www-form-urlencoded, 3 bytes",
    }


@both_adapters
def test_documents_have_findings_too(adapter: Adapter) -> None:
    """With the keyword as the rule."""
    app = Guarded(adapter, openapi=DOCUMENT, mode="report")
    app.post("/orders", {"name": VALUE})
    (one,) = app.guard.findings()
    assert (one.operation, one.place, one.pointer, one.code) == (
        "POST /orders",
        "body",
        "/name",
        "maxLength",
    )
    assert one.detail == "Must have at most 9 characters"
    assert one.sample == f"string({len(VALUE)}) in {{name: string({len(VALUE)})}}"


@both_adapters
def test_requests_that_no_route_owns_are_described(adapter: Adapter) -> None:
    """By the method and the pattern of the path: numbers and ids are masked."""
    app = Guarded(adapter, CONTRACTS, mode="report")
    for path in ("/users/7/posts", "/users/8/posts", f"/users/{'0a' * 16}/posts"):
        assert app.ask("GET", path).status == 200
    app.ask("DELETE", "/orders/12")
    app.ask("GET", "/a-b/x@example.com/20")
    assert rules(app) == [
        ("GET /users/{}/posts", "path", "undeclared_path", 3, 0),
        ("DELETE /orders/{}", "path", "undeclared_method", 1, 0),
        ("GET /a-b/{}/{}", "path", "undeclared_path", 1, 0),
    ]
    assert [one.status for one in app.guard.findings()] == [404, 405, 404]
    assert not any(one.declared for one in app.guard.findings())


def test_a_method_of_the_clients_own_is_not_named() -> None:
    """Only those that there are."""
    app = Guarded(AsgiAdapter(), CONTRACTS, mode="report")
    app.ask("GARBAGE", "/orders")
    assert rules(app) == [("- /orders", "path", "undeclared_method", 1, 0)]


@both_adapters
def test_modes_by_path_leave_requests_out(adapter: Adapter) -> None:
    """Also paths that no route owns; those that are off are not looked at."""
    modes: Any = {"* /static/*": "off", "* /old/*": "report", "GET /orders/*": "report"}
    app = Guarded(adapter, CONTRACTS, mode=modes)
    assert app.ask("GET", "/static/a.js").status == 200
    assert app.ask("GET", "/old/page").status == 200
    assert app.ask("GET", "/new/page").status == 404
    assert app.ask("DELETE", "/orders/7").status == 405
    assert rules(app) == [
        ("DELETE /orders/{}", "path", "undeclared_method", 1, 1),
        ("GET /new/page", "path", "undeclared_path", 1, 1),
        ("GET /old/page", "path", "undeclared_path", 1, 0),
    ]


@both_adapters
def test_modes_of_routes_count_apart(adapter: Adapter) -> None:
    """One is enforced, and the other reports."""
    routes = {"POST /orders": RouteOptions(mode="report")}
    app = Guarded(adapter, CONTRACTS, routes=routes)
    assert app.post("/orders", []).status == 200
    assert app.ask("GET", "/orders/1?page=x").status == 422
    assert {(one.operation, one.refused) for one in app.guard.findings()} == {
        ("POST /orders", 0),
        ("GET /orders/{order_id}", 1),
    }


@both_adapters
def test_the_invalid_responses_of_the_app_are_findings(adapter: Adapter) -> None:
    """Of their own subject."""
    contracts = {"GET /": Contract(response=Order)}
    app = Guarded(adapter, contracts, responses="report")
    assert app.ask("GET", "/").status == 200
    assert {(one.subject, one.place, one.pointer, one.code) for one in app.guard.findings()} == {
        ("response", "body", "/name", "missing"),
        ("response", "body", "/price", "missing"),
    }


def test_messages_are_findings() -> None:
    """A connection that is closed for one, too."""
    guard = SchemaGuard({"WS /live": Contract(message=Line)})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    sent: list[Any] = []
    events = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "[]"}])

    async def receive() -> Any:
        return next(events, {"type": "websocket.disconnect", "code": 1000})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/live", "raw_path": b"/live", "headers": []}
    scope |= {"query_string": b"", "root_path": "", "scheme": "ws", "subprotocols": []}
    asyncio.run(mantlet.asgi.Stack(app, [guard])(scope, receive, send))
    (one,) = guard.findings()
    assert (one.operation, one.subject, one.code, one.refused, one.status) == (
        "WS /live",
        "message",
        "model_type",
        1,
        0,
    )


# -- bounds and values ----------------------------------------------------------------------------


@both_adapters
def test_nothing_of_a_clients_values_is_in_a_finding(adapter: Adapter) -> None:
    """Wherever it stands: in paths, queries, headers, bodies of any kind."""
    app = Guarded(adapter, CONTRACTS, mode="report")
    value = "s3cr3t7v41u3"
    members = {"name": value, "price": value, "lines": [value], value: value, "more": {value: 1}}
    app.post("/orders", members)
    app.ask("POST", "/orders", body=f'{{"{value}', headers=JSON)
    app.ask("POST", "/orders", body=value, headers=[("Content-Type", f"text/{value}")])
    app.ask("GET", f"/orders/{value}?page={value}&{value}={value}&{value}=1")
    app.ask("GET", f"/{value}/{value}?{value}")
    app.ask("POST", f"/orders?{value}={value}", body="{}", headers=JSON)
    assert len(app.guard.findings()) > 8
    text = json.dumps([one.as_json() for one in app.guard.findings()])
    assert value not in text
    assert value[:6] not in text


class AppSecrets(SecretModel):
    token: Secret[str]


@both_adapters
def test_secrets_of_the_stack_are_masked(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though they have the form of a name."""
    token = "opensesameopensesameopen"
    monkeypatch.setenv("TOKEN", token)
    loader = SecretLoader(AppSecrets)
    app = Guarded(adapter, CONTRACTS, mode="report", policies=[loader])
    app.post("/orders", {"name": "a", "price": 1, token: 1})
    app.ask("GET", f"/{token}/x")
    app.ask("GET", f"/orders/7?{token}=1")
    text = json.dumps([one.as_json() for one in app.guard.findings()])
    assert len(app.guard.findings()) == 3
    assert token not in text
    assert "/***" in text


@both_adapters
def test_undeclared_names_are_bounded(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones are listed, and the others are counted together."""
    monkeypatch.setattr(recorder, "_MAX_POINTERS", 3)
    app = Guarded(adapter, CONTRACTS, mode="report")
    names = ["utm_source", "utm_medium", "gclid", "fbclid", "ref"]
    for name in names:
        app.ask("GET", f"/orders/7?{name}=1")
    found = {one.pointer: one.count for one in app.guard.findings()}
    assert found == {f"/{name}": 1 for name in names[:3]} | {OTHERS: 2}


@both_adapters
def test_a_flood_of_paths_does_not_hide_a_route(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rarest makes room; nothing is lost from the count."""
    monkeypatch.setattr(recorder, "_MAX_UNDECLARED", 10)
    app = Guarded(adapter, CONTRACTS, mode="report")
    words = [a + b + c for a in "abcd" for b in "efgh" for c in "jklm"]
    for word in words:
        app.ask("GET", f"/scan/x{word}x")
        app.ask("GET", "/wanted")
    found = app.guard.findings()
    assert len(found) <= 12
    assert found[0].operation == "GET /wanted" or found[1].operation == "GET /wanted"
    assert sum(one.count for one in found) == 2 * len(words)


@both_adapters
def test_kinds_are_bounded_in_all(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Further ones are counted, by their operation."""
    monkeypatch.setattr(recorder, "_MAX_KINDS", 2)
    app = Guarded(adapter, CONTRACTS, mode="report")
    for name in ("one", "two", "three", "four"):
        app.ask("GET", f"/orders/7?{name}=1")
    app.post("/orders", [])
    assert [(one.operation, one.pointer, one.code, one.count) for one in app.guard.findings()] == [
        ("GET /orders/{order_id}", "...", "undeclared_parameter", 2),
        ("GET /orders/{order_id}", "/one", "undeclared_parameter", 1),
        ("GET /orders/{order_id}", "/two", "undeclared_parameter", 1),
        ("POST /orders", "...", "...", 1),
    ]


@given(st.text(max_size=60))
def test_a_masked_name_is_bounded_and_printable(name: str) -> None:
    """Whatever a client calls it."""
    masked = mask_name(name)
    assert masked in (name, "{}")
    assert len(masked) <= 40
    assert masked.isprintable()
    assert "/" not in masked
    assert " " not in masked


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("address_line_1", "address_line_1"),
        ("index.php", "index.php"),
        (".well-known", ".well-known"),
        ("items[]", "items[]"),
        ("größe", "größe"),
        ("42", "{}"),
        ("", "{}"),
        ("2024-05-17", "{}"),
        ("deadbeef", "{}"),
        ("a@example.com", "{}"),
        ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "{}"),
        ("x" * 41, "{}"),
        ("a\u202eb", "{}"),
        ("<script>", "{}"),
    ],
)
def test_names_that_look_like_values_are_masked(name: str, masked: str) -> None:
    """Numbers, ids, dates, addresses and markup."""
    assert mask_name(name) == masked


def test_a_long_pointer_is_cut() -> None:
    """After sixteen names."""
    assert mask_pointer("/a" * 50) == "/a" * 15 + "/..."
    assert mask_pointer("") == ""
    assert mask_pointer("/lines/0/sku") == "/lines/{}/sku"


def test_threads_lose_no_count() -> None:
    """Each violation counts once."""
    app = Guarded(WsgiAdapter(), CONTRACTS, mode="report")

    def ask() -> None:
        for number in range(50):
            app.ask("GET", f"/orders/7?page=x{number}")
            app.ask("GET", f"/none/{number}")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.count for one in app.guard.findings()] == [200, 200]


@both_adapters
def test_a_forked_worker_begins_anew(adapter: Adapter) -> None:
    """What its parent has seen is its parent's."""
    app = Guarded(adapter, CONTRACTS, mode="report")
    app.ask("GET", "/before")
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        before = len(app.guard.findings())
        app.ask("GET", "/after")
        found = [before, *(one.operation for one in app.guard.findings())]
        os.write(write, json.dumps(found).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert json.loads(os.read(read, 1000)) == [0, "GET /after"]
    assert [one.operation for one in app.guard.findings()] == ["GET /before"]


# -- Finding --------------------------------------------------------------------------------------


def finding(**more: Any) -> Finding:
    begun = datetime(2030, 1, 2, tzinfo=UTC)
    values: dict[str, Any] = {
        "operation": "GET /",
        "declared": True,
        "subject": "request",
        "place": "query",
        "pointer": "/page",
        "code": "int_parsing",
        "status": 422,
        "count": 1,
        "refused": 0,
        "first_seen": begun,
        "last_seen": begun + timedelta(hours=1),
        "detail": "Wrong",
        "sample": "string(1)",
    }
    return Finding(**values | more)


def test_a_finding_survives_its_json() -> None:
    """With its times."""
    one = finding()
    assert Finding.from_json(json.loads(json.dumps(one.as_json()))) == one


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": -1},
        {"count": True},
        {"count": "1"},
        {"declared": 1},
        {"subject": "else"},
        {"place": None},
        {"first_seen": "yesterday"},
        {"more": 1},
    ],
    ids=str,
)
def test_other_json_is_not_a_finding(wrong: dict[str, Any]) -> None:
    """It is a ValueError."""
    with pytest.raises(ValueError, match=r"finding|isoformat"):
        Finding.from_json(finding().as_json() | wrong)


def test_findings_of_one_kind_add_up() -> None:
    """The sample is the first one's, and the most frequent is the first."""
    early = datetime(2029, 1, 1, tzinfo=UTC)
    late = datetime(2031, 1, 1, tzinfo=UTC)
    merged = merge(
        [
            finding(count=2, refused=1),
            finding(code="other", count=4),
            finding(first_seen=early, count=3, sample="earlier"),
            finding(last_seen=late),
        ]
    )
    assert [(one.code, one.count, one.refused) for one in merged] == [
        ("int_parsing", 6, 1),
        ("other", 4, 0),
    ]
    assert (merged[0].first_seen, merged[0].last_seen, merged[0].sample) == (early, late, "earlier")
