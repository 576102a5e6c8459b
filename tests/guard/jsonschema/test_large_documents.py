"""Documents of many schemas: the work grows with their size, and each schema is compiled once."""

from __future__ import annotations

from collections import Counter
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard.jsonschema import SchemaCompiler, SchemaError, convert, validators
from mantlet.guard.jsonschema.backend import ValidatorBuilder
from mantlet.guard.jsonschema.convert import SchemaConverter
from mantlet.guard.jsonschema.formats import FormatCheckFailed
from tests.guard.jsonschema.asking import compiled, document, faults, named, wrong

if TYPE_CHECKING:
    from collections.abc import Callable


def ring(size: int, **more: Any) -> dict[str, Any]:
    """Return objects that refer to each other in a ring, so that each reaches all."""
    return {
        f"E{index}": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "next": named(f"E{(index + 1) % size}"),
                "others": {"type": "array", "items": named(f"E{(index * 7 + 3) % size}")},
                **more,
            },
        }
        for index in range(size)
    }


def nested(depth: int, name: Any = "x") -> dict[str, Any]:
    """Return an object of the ring that has others in it."""
    value: dict[str, Any] = {"name": name}
    for _ in range(depth):
        value = {"next": value, "others": [{"name": "y"}]}
    return value


class Work:
    """Counts the calls of some functions.

    Args:
        patch: the fixture that replaces them for the time of a test.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.calls: Counter[str] = Counter()

    def count(self, owner: Any, name: str) -> None:
        """Count the calls of a function."""
        original: Callable[..., Any] = getattr(owner, name)

        def counted(*args: Any, **options: Any) -> Any:
            self.calls[name] += 1
            return original(*args, **options)

        self._patch.setattr(owner, name, counted)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """The count of work."""
    return Work(monkeypatch)


def converted(size: int) -> None:
    """Compile each schema of a ring, as many operations do."""
    compiler = SchemaCompiler(document(**ring(size)), version="3.1")
    schemas = [compiler.compile(named(f"E{index}")) for index in range(size)]
    compiler.unbounded(schemas)
    compiler.coverage([(f"/{index}", named(f"E{index}")) for index in range(size)])


def test_converting_grows_with_the_number_of_schemas(work: Work) -> None:
    """Four times the schemas take four times the visits, whatever they refer to."""
    work.count(SchemaConverter, "_schema")
    work.count(convert, "references_in")
    work.count(convert, "_references_in_place")
    seen = []
    for size in (100, 400):
        work.calls.clear()
        converted(size)
        seen.append(sum(work.calls.values()))
    assert seen[1] < 5 * seen[0]


def test_each_schema_has_one_validator(work: Work) -> None:
    """However many others refer to it; the validators are built as values get to them."""
    size = 200
    compiler = SchemaCompiler(document(**ring(size)), version="3.1")
    schemas = [compiler.compile(named(f"E{index}")) for index in range(size)]
    work.count(ValidatorBuilder, "build")
    assert wrong(schemas[0], nested(1)) == []
    assert work.calls["build"] < 10
    for schema in schemas * 2:
        assert wrong(schema, nested(3)) == []
    assert work.calls["build"] == size


def test_errors_are_found_without_compiling_everything_again(work: Work) -> None:
    """A client can't have a large document compiled over and over by invalid values."""
    compiler = SchemaCompiler(document(**ring(200)), version="3.1")
    schema = compiler.compile(named("E0"))
    size = 0

    def measured(self: Any, schema: Any, *more: Any, **options: Any) -> Any:
        nonlocal size
        size += len(str(schema))
        return build(self, schema, *more, **options)

    build = ValidatorBuilder.build
    work._patch.setattr(ValidatorBuilder, "build", measured)
    for depth in range(1, 9):
        assert wrong(schema, nested(depth, 5))[0] == ("/next" * depth + "/name", "type")
    assert size < 100_000


@pytest.mark.parametrize("depth", [1, 20])
def test_values_are_checked_through_all_of_them(depth: int) -> None:
    """Valid ones pass, and what is wrong is named with its place."""
    schema = compiled(named("E0"), **ring(50))
    assert wrong(schema, nested(depth)) == []
    assert wrong(schema, nested(depth, 5)) == [("/next" * depth + "/name", "type")]


def test_unevaluated_properties_see_those_of_linked_schemas() -> None:
    """What a schema has evaluated counts, however many schemas it refers to."""
    closed = {**named("E0"), "properties": {"own": {}}, "unevaluatedProperties": False}
    schema = compiled(closed, **ring(50))
    assert wrong(schema, {"own": 1, **nested(2)}) == []
    assert wrong(schema, {"own": 1, "more": 2}) == [("/more", "unevaluatedProperties")]


@pytest.mark.parametrize(
    "schema", [named("E0"), {"not": named("E0")}, {"oneOf": [named("E0"), named("E1")]}]
)
def test_a_custom_format_that_raises_rejects_the_value(schema: Any) -> None:
    """Also where a schema that does not match would make it valid."""

    def check(text: str) -> bool:
        raise OSError(text)

    schemas = ring(50, code={"type": "string", "format": "code"})
    compiler = SchemaCompiler(document(**schemas), version="3.1", formats={"code": check})
    (fault,) = faults(compiler.compile(schema), {"next": {"code": "s3cret"}})
    assert fault.code == "format"
    assert "s3cret" not in fault.detail
    # And it is over with that value.
    assert bool(wrong(compiler.compile(schema), nested(1))) is (schema != named("E0"))


def test_a_failure_is_that_of_one_thread() -> None:
    """Another thread's values are not refused for it."""
    failure = validators._Failure()
    failure.error = FormatCheckFailed("here")
    seen = []
    thread = Thread(target=lambda: seen.append(failure.error))
    thread.start()
    thread.join()
    assert seen == [None]


def test_each_schema_that_refers_to_a_faulty_one_has_its_problem() -> None:
    """Found once, and reported wherever it matters; the others compile."""
    schemas = ring(40)
    schemas["E7"]["properties"]["name"]["pattern"] = "("
    schemas["Sound"] = {"type": "string"}
    schemas["User"] = {"allOf": [named("E3")]}
    compiler = SchemaCompiler(document(**schemas), version="3.1")
    for name in ("E0", "E7", "User", "E0"):
        with pytest.raises(SchemaError, match="is not a valid regular expression") as caught:
            compiler.compile(named(name))
        assert [problem.pointer for problem in caught.value.problems] == [
            "/components/schemas/E7/properties/name/pattern"
        ]
    assert wrong(compiler.compile(named("Sound")), "x") == []


def test_defaults_are_filled_through_linked_schemas() -> None:
    """At any depth, whichever schema was compiled first."""
    compiler = SchemaCompiler(document(**ring(50, n={"default": 7})), version="3.1")
    for name in ("E0", "E9"):
        filled = compiler.compile(named(name)).load(b"", {"next": {"next": {}}}, "body")
        assert filled == {"n": 7, "next": {"n": 7, "next": {"n": 7}}}
