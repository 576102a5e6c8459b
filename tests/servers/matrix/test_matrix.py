"""Whatever goes wrong in whichever framework, nothing internal leaves, and the log has it once."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator

from tests.servers.conftest import some
from tests.servers.matrix.cells import (
    APPS,
    BACKGROUND,
    DECLARED,
    ENDED_WHOLE,
    EXCEPTIONS,
    HELLO,
    LATE,
    OWN,
    REFUSALS,
    App,
    Fault,
)
from tests.servers.matrix.client import Answer, ask
from tests.servers.matrix.problem_schema import SCHEMA
from tests.servers.matrix.records import Record, read_records
from tests.servers.matrix.seed import leaks, marker
from tests.servers.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
SCHEMA_OF_A_PROBLEM = Draft202012Validator(SCHEMA)
#: All that a problem says which states nothing but its status.
BARE = {"type", "title", "status", "instance", "request_id"}


@pytest.fixture(scope="session", params=some(APPS, __name__, 4), ids=str)
def app(request: pytest.FixtureRequest) -> App:
    """Each app of the matrix."""
    made: App = request.param
    return made


@pytest.fixture(scope="session")
def server(app: App) -> Iterator[Server]:
    """The app's server, which all of its cells share."""
    with serve(app.server, f"{__package__}.{app.place}", directory=ROOT) as started:
        yield started


def problem_of(answer: Answer, status: int) -> dict[str, Any]:
    """Return the problem that an answer states, which nothing may be amiss with."""
    assert answer.whole
    assert answer.status == status
    assert answer.headers.get_all("Content-Type") == ["application/problem+json"]
    assert answer.headers.get_all("Content-Length") == [str(len(answer.body))]
    problem: dict[str, Any] = json.loads(answer.body)
    SCHEMA_OF_A_PROBLEM.validate(problem)
    assert problem["status"] == status
    assert problem["instance"] == f"urn:uuid:{UUID(problem['instance'])}"
    assert answer.headers.get_all("X-Request-ID") == [problem["request_id"]]
    return problem


def records_of(server: Server, source: str, answer: Answer) -> list[Record]:
    """Return what is logged of an exchange once the server has answered another."""
    assert ask(server, source, HELLO).status == 200
    request_id = answer.headers["X-Request-ID"]
    return [record for record in read_records(server.log) if record.request_id == request_id]


def logged_once(server: Server, source: str, answer: Answer, fault: Fault) -> None:
    """Check that the exception is in one record, with one traceback."""
    server.wait_for_log(answer.headers["X-Request-ID"])
    (record,) = records_of(server, source, answer)
    assert record.level == fault.level
    assert "Traceback" not in record.message
    assert record.exc_text is not None
    assert "Traceback" in record.exc_text
    assert record.exc_text.count(fault.traced) == 1


@pytest.mark.parametrize("fault", EXCEPTIONS, ids=str)
def test_an_exception_is_a_clean_problem_and_one_record(
    app: App, server: Server, source: str, fault: Fault
) -> None:
    """What is raised before the head is answered with a problem that says nothing of it."""
    answer = ask(server, source, fault)

    assert leaks(answer.raw) == []
    if (app.name, fault.name) in ENDED_WHOLE:
        assert (answer.status, answer.body, answer.whole) == (200, b"", True)
    else:
        problem = problem_of(answer, fault.status)
        assert problem.keys() == BARE or fault.status != 500
    logged_once(server, source, answer, fault)


def test_a_declared_problem_is_answered_with_just_what_it_states(
    server: Server, source: str
) -> None:
    """A raised `Problem` is for the client, in its own words, and no error."""
    answer = ask(server, source, DECLARED)

    assert leaks(answer.raw) == []
    problem = problem_of(answer, 409)
    assert problem.keys() == BARE | {"detail", "order"}
    assert (problem["type"], problem["title"]) == ("about:blank", "Conflict")
    assert (problem["detail"], problem["order"]) == ("declared", "A-17")
    assert "ERROR" not in [record.level for record in records_of(server, source, answer)]


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_a_refusal_of_the_framework_becomes_a_problem(
    app: App, server: Server, source: str, refusal: Fault
) -> None:
    """What a framework answers by itself keeps its status and its ``Allow``, and is no error."""
    fault = OWN.get((app.name, refusal.name), refusal)
    answer = ask(server, source, fault)

    assert leaks(answer.raw) == []
    problem_of(answer, fault.status)
    if fault.status == 405:
        (allowed,) = answer.headers.get_all("Allow", [])
        assert "GET" in re.split(", ?", allowed)
    assert "ERROR" not in [record.level for record in records_of(server, source, answer)]


def test_a_body_that_fails_late_breaks_off(app: App, server: Server, source: str) -> None:
    """Once the head has gone the connection ends without the body's end, and the log says why."""
    answer = ask(server, source, LATE)

    assert leaks(answer.raw) == []
    assert answer.status == 200
    assert answer.whole is ((app.name, LATE.name) in ENDED_WHOLE)
    assert b"first chunk\n".startswith(answer.body)
    logged_once(server, source, answer, LATE)


def test_work_after_the_answer_fails_unseen(server: Server, source: str) -> None:
    """The client has its whole answer; the error is logged, or the server or the framework says it.

    Whoever does, the policy's own record is there once at most.
    """
    answer = ask(server, source, BACKGROUND)

    assert leaks(answer.raw) == []
    assert (answer.status, answer.body, answer.whole) == (200, b"hello", True)
    server.wait_for_log(marker(BACKGROUND.name))
    for record in records_of(server, source, answer)[:1]:
        assert record.level == "ERROR"
        assert (record.exc_text or "").count(BACKGROUND.traced) == 1
    assert len(records_of(server, source, answer)) <= 1


def test_every_record_is_of_another_exchange(server: Server) -> None:
    """Nothing was logged twice, nor without an id, in whatever was asked for so far."""
    counted = Counter(record.request_id for record in read_records(server.log))

    assert None not in counted
    assert set(counted.values()) <= {1}
