"""When operations are compiled: at construction, or each at its first request."""

from __future__ import annotations

import logging
import os
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard import SchemaGuard
from mantlet.guard.openapi import document as module
from mantlet.guard.openapi import operation_compiler
from mantlet.guard.openapi.diagnostics import DocumentError
from tests.drive import Adapter, both_adapters
from tests.guard.asking import JSON, Guarded
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK, json_body, parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMED = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def paths(count: int) -> dict[str, Any]:
    """Return operations that share a schema."""
    body = json_body({"$ref": "#/components/schemas/Named"})
    return {
        f"/x{index}": {"post": {"requestBody": body, "responses": OK}} for index in range(count)
    }


def api(count: int = 3, **more: Any) -> dict[str, Any]:
    """Return a document of some operations, ``POST /x0`` and so on."""
    components = {"schemas": {"Named": NAMED}, **more.pop("components", {})}
    return document({**paths(count), **more.pop("paths", {})}, components=components, **more)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates of the operations that have been compiled, in their order."""
    seen: list[str] = []
    original = operation_compiler.compile_operation

    def counted(schemas: Any, described: Any, *more: Any) -> Any:
        seen.append(described.template)
        return original(schemas, described, *more)

    monkeypatch.setattr(module, "compile_operation", counted)
    return seen


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("compile_", "count", "at_once"),
    [("eager", 301, 301), ("lazy", 3, 0), ("auto", 300, 300), ("auto", 301, 0)],
)
def test_operations_are_compiled_when_the_option_says(
    compile_: Any, count: int, at_once: int, compiled: list[str]
) -> None:
    """By default at once in documents of up to 300 operations."""
    SchemaGuard(openapi=api(count), compile=compile_)
    assert len(compiled) == at_once


def test_an_option_that_is_invalid_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match='compile must be "auto", "eager" or "lazy", not True'):
        SchemaGuard(openapi=api(), compile=True)  # type: ignore[arg-type]  # what the test is about


@both_adapters
def test_each_is_compiled_once_at_its_first_request(adapter: Adapter, compiled: list[str]) -> None:
    """And decides then as it would have at construction; other requests compile nothing."""
    app = Guarded(adapter, openapi=api(), compile="lazy")
    assert app.ask("GET", "/none").status == 404
    assert app.ask("GET", "/x0").status == 405
    assert compiled == []
    for _ in range(2):
        assert app.ask("POST", "/x1", body='{"name": "a"}', headers=JSON).status == 200
        assert app.ask("POST", "/x1", body='{"name": 1}', headers=JSON).status == 422
        assert app.ask("POST", "/x1?undeclared=1", body='{"name": "a"}', headers=JSON).status == 422
    assert compiled == ["/x1"]
    assert app.seen[0].body == {"name": "a"}


@both_adapters
def test_requests_without_credentials_compile_nothing(
    adapter: Adapter, compiled: list[str]
) -> None:
    """They are refused before."""
    secured = api(
        components={"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "K"}}},
        security=[{"key": []}],
    )
    app = Guarded(
        adapter, openapi=secured, compile="lazy", security={"key": lambda _, one: one.value == "k"}
    )
    assert app.ask("POST", "/x0", body="{}", headers=JSON).status == 401
    assert compiled == []
    good = [*JSON, ("K", "k")]
    assert app.ask("POST", "/x0", body='{"name": "a"}', headers=good).status == 200
    assert app.ask("POST", "/x0", body="{}", headers=JSON).status == 401
    assert app.ask("POST", "/x0", body="{}", headers=good).status == 422
    assert compiled == ["/x0"]


#: A fault that only compiling finds.
FAULTY = {"/bad": {"get": {"parameters": [parameter("query", "q", {"pattern": "("})],
                           "responses": OK}}}  # fmt: skip


@both_adapters
@pytest.mark.parametrize(("on_invalid", "status"), [("error", 501), ("close", 501), ("open", 200)])
def test_a_fault_that_is_found_late_closes_the_operation(
    adapter: Adapter, on_invalid: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Or opens it, and is logged once; the others work."""
    guarded = api(paths=FAULTY)
    app = Guarded(adapter, openapi=guarded, compile="lazy", on_invalid=on_invalid)
    assert caplog.messages == []
    for _ in range(2):
        assert app.ask("GET", "/bad?q=1").status == status
    assert app.ask("POST", "/x0", body='{"name": "a"}', headers=JSON).status == 200
    (message,) = caplog.messages
    assert message.startswith(
        "SchemaGuard: the declaration of GET /bad in the OpenAPI document is invalid"
    )
    assert "'(' is not a valid regular expression" in message
    with pytest.raises(DocumentError, match="is not a valid regular expression"):
        SchemaGuard(openapi=guarded, compile="eager")


@both_adapters
def test_an_error_while_compiling_closes_the_operation(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No request gets past an operation that could not be compiled."""

    def fail(*_: Any) -> Any:
        raise RecursionError

    app = Guarded(adapter, openapi=api(), compile="lazy")
    monkeypatch.setattr(module, "compile_operation", fail)
    for _ in range(2):
        assert app.ask("POST", "/x0", body='{"name": "a"}', headers=JSON).status == 501
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert app.seen == []


@both_adapters
def test_responses_are_validated_from_the_first_request_on(adapter: Adapter) -> None:
    """By the operation that the request had compiled."""
    content = {"application/json": {"schema": NAMED}}
    answers = {"/r": {"get": {"responses": {"200": {"description": "x", "content": content}}}}}
    app = Guarded(adapter, openapi=api(paths=answers), compile="lazy", responses="enforce")
    assert [app.ask("GET", "/r").status for _ in range(2)] == [500, 500]


@both_adapters
def test_paths_may_have_semicolons_where_a_parameter_has_them(adapter: Adapter) -> None:
    """Also before the operation is compiled."""
    matrix = parameter("path", "id", {"type": "integer"}, style="matrix", required=True)
    app = Guarded(
        adapter,
        openapi=api(paths={"/m/{id}": {"get": {"parameters": [matrix], "responses": OK}}}),
        compile="lazy",
    )
    assert [app.ask("GET", "/m/;id=5").status for _ in range(2)] == [200, 200]
    assert app.ask("POST", "/x0;a=1", body='{"name": "a"}', headers=JSON).status in (400, 404)


def test_the_coverage_compiles_the_rest(compiled: list[str]) -> None:
    """So that it says the same as one of operations compiled at once."""
    lazy = SchemaGuard(openapi=api(paths=FAULTY), compile="lazy", on_invalid="close")
    eager = SchemaGuard(openapi=api(paths=FAULTY), compile="eager", on_invalid="close")
    compiled.clear()
    assert lazy.coverage == eager.coverage
    assert [name for name, _ in lazy.coverage.closed] == ["GET /bad"]
    assert len(compiled) == 4


def test_a_reload_of_the_same_accepts_the_same() -> None:
    """And of a narrower one says what it no longer accepts."""
    guard = SchemaGuard(openapi=api(), compile="lazy")
    assert guard.reload(api()) == ()
    narrower = api()
    narrower["components"]["schemas"]["Named"]["properties"]["name"]["maxLength"] = 3
    assert any("POST /x0" in one for one in guard.reload(narrower))


def test_threads_compile_one_operation_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """And each once, however many requests come for it at the same time."""
    inside: list[int] = []
    counts: list[int] = []
    original = operation_compiler.compile_operation

    def watched(*args: Any) -> Any:
        inside.append(1)
        counts.append(len(inside))
        try:
            return original(*args)
        finally:
            inside.pop()

    monkeypatch.setattr(module, "compile_operation", watched)
    guard = SchemaGuard(openapi=api(20), compile="lazy")
    operations = [one.operation for one in guard._router.validators]
    barrier = Barrier(8)
    found: list[Any] = []

    def run() -> None:
        barrier.wait()
        found.extend(one.compiled() for one in operations)

    threads = [Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [1] * 20
    assert len({id(one.body) for one in found}) == 20


def test_a_fork_while_compiling_leaves_a_working_child() -> None:
    """The child has its own lock and schemas, whatever the parent's thread was at."""
    guard = SchemaGuard(openapi=api(), compile="lazy")
    (first, *_) = [one.operation for one in guard._router.validators]
    source: Any = guard._source
    with source._lazy.lock.hold():
        child = os.fork()
        if not child:
            os._exit(0 if first.compiled().body is not None else 1)
        _, status = os.waitpid(child, 0)
    assert status == 0


def values(guard: SchemaGuard) -> Iterator[Any]:
    """Iterate over the schemas' caches of a guard."""
    compiler: Any = guard._source._schemas._compiler  # type: ignore[attr-defined]  # within
    yield compiler._converter.definitions
    yield compiler._validators._targets
    yield guard._source._schemas._compiled  # type: ignore[attr-defined]  # within


@both_adapters
def test_requests_hold_no_more_than_the_compiled_document(adapter: Adapter) -> None:
    """However many come, and whatever they are."""
    app = Guarded(adapter, openapi=api(10), compile="lazy")
    sizes = set()
    for turn in range(5):
        for index in range(10):
            app.ask("POST", f"/x{index}", body=f'{{"name": 1{turn}}}', headers=JSON)
            app.ask("POST", f"/x{index}/{turn}")
        sizes.add(tuple(map(len, values(app.guard))))
    assert len(sizes) == 1
