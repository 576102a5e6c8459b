"""The value that every policy answers with (RFC 9457)."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

import mantlet
from mantlet import (
    BodyTooLarge,
    ErrorEnvelope,
    MalformedRequest,
    MantletError,
    Policy,
    Problem,
    Reply,
    Request,
)
from mantlet.core.problem import FixedProblem
from mantlet.errors import RequestId
from tests.drive import Adapter, Answer, both_adapters, hello


class States(Policy):
    """Answers every request with a problem, given as a reply or raised."""

    def __init__(self, problem: Problem, *, raises: bool = False) -> None:
        self.problem = problem
        self.raises = raises

    def on_request(self, request: Request) -> Reply:
        if self.raises:
            raise self.problem
        return self.problem.reply(request)


def stated(
    adapter: Adapter, problem: Problem, *, raises: bool = False, method: str = "GET"
) -> Answer:
    answer = adapter.drive(adapter.wrap(hello, States(problem, raises=raises)), method)
    assert answer.error is None
    return answer


@both_adapters
@pytest.mark.parametrize("raises", [False, True], ids=["replied", "raised"])
def test_a_problem_is_answered_alike_replied_or_raised(adapter: Adapter, raises: bool) -> None:
    """Its members, its media type, and no cache keeps it."""
    problem = Problem(
        403,
        type="https://example.org/credit",
        title="Not enough credit.",
        detail="It costs 50.",
        instance="/accounts/1",
        headers={"X-Balance": "30"},
        extensions={"balance": 30},
    )
    answer = stated(adapter, problem, raises=raises)
    assert answer.status == 403
    assert answer.get("Content-Type") == "application/problem+json"
    assert answer.get("Cache-Control") == "no-store"
    assert answer.get("Content-Length") == str(len(answer.body))
    assert answer.get("X-Balance") == "30"
    assert answer.json() == {
        "type": "https://example.org/credit",
        "title": "Not enough credit.",
        "status": 403,
        "detail": "It costs 50.",
        "instance": "/accounts/1",
        "balance": 30,
    }


@both_adapters
def test_members_that_are_not_given_are_left_out(adapter: Adapter) -> None:
    """Without an id there is no instance, and no member is null."""
    answer = stated(adapter, Problem(404))
    assert answer.json() == {"type": "about:blank", "title": "Not Found", "status": 404}


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (400, "Bad Request"),
        (404, "Not Found"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
        (429, "Too Many Requests"),
        (431, "Request Header Fields Too Large"),
        (500, "Internal Server Error"),
        (503, "Service Unavailable"),
        (499, "Client Error"),
        (599, "Server Error"),
    ],
)
def test_the_title_is_the_statuss_own_phrase(status: int, title: str) -> None:
    """RFC 9457, 4.2.1: with about:blank it should be the phrase; those of RFC 9110 are meant."""
    problem = Problem(status)
    assert problem.title == title
    assert str(problem) == f"{status} {title}"


@both_adapters
@pytest.mark.parametrize(
    "text", ["\u00fc\u2028\U0001f600", "</script>", '"\\', "\ud800", "\r\n\x00"]
)
def test_any_text_is_told_as_ascii_json(adapter: Adapter, text: str) -> None:
    """Nothing breaks out, and nothing fails."""
    answer = stated(adapter, Problem(400, detail=text, extensions={"more": text}))
    assert answer.body.isascii()
    assert b"\n" not in answer.body
    assert answer.json()["detail"] == answer.json()["more"] == text


@both_adapters
def test_head_gets_no_body(adapter: Adapter) -> None:
    """The length is the one that GET would have had."""
    get, head = (stated(adapter, Problem(404), method=method) for method in ("GET", "HEAD"))
    assert head.body == b""
    assert head.status == 404
    assert head.get("Content-Length") == get.get("Content-Length")


@pytest.mark.parametrize("status", [0, 99, 200, 304, 399, 600, -1], ids=str)
def test_a_status_that_is_no_error_is_refused(status: int) -> None:
    """The message shows the value and the range."""
    with pytest.raises(ValueError, match=f"status must be between 400 and 599, not {status}"):
        Problem(status)


@pytest.mark.parametrize("status", ["not found", None], ids=repr)
def test_a_status_that_is_not_a_number_is_a_type_error(status: Any) -> None:
    """The message shows the value, and how a problem begins."""
    with pytest.raises(TypeError, match=rf"a number such as Problem\(409\), not {status!r}$"):
        Problem(status)


@pytest.mark.parametrize("name", ["type", "title", "status", "detail", "instance", "request_id"])
def test_an_extension_never_takes_a_standard_members_place(name: str) -> None:
    """The message names it."""
    with pytest.raises(ValueError, match=name):
        Problem(400, extensions={name: "other", "fine": 1})


@pytest.mark.parametrize("value", ["a\r\nb", "nul\x00", "\u0100"], ids=ascii)
def test_a_header_value_that_could_split_a_message_is_refused_at_construction(value: str) -> None:
    """Not only when the answer is made."""
    with pytest.raises(ValueError, match="X-New"):
        Problem(400, headers={"X-New": value})


@pytest.mark.parametrize("name", ["", "two words", "x\r\nset-cookie: a=b; x", "\u00fc"], ids=ascii)
def test_a_header_name_that_is_no_token_is_refused_at_construction(name: str) -> None:
    """Not only when the answer is made."""
    with pytest.raises(ValueError, match="token"):
        Problem(400, headers={name: "value"})


@both_adapters
@pytest.mark.parametrize("name", ["Content-Type", "content-type", "CACHE-CONTROL", "Cache-Control"])
def test_a_problems_own_field_takes_the_default_ones_place_in_any_case(
    adapter: Adapter, name: str
) -> None:
    """A field is never sent twice because its name was written in another case."""
    answer = stated(adapter, Problem(400, headers={name: "application/own+json"}))
    assert answer.getall(name) == ["application/own+json"]


def test_what_was_given_can_be_changed_without_changing_the_problem() -> None:
    """It is a value."""
    headers, extensions = {"X-A": "1"}, {"a": 1}
    problem = Problem(400, headers=headers, extensions=extensions)
    headers["X-B"], extensions["b"] = "2", 2
    assert dict(problem.headers) == {"X-A": "1"}
    assert dict(problem.extensions) == {"a": 1}
    with pytest.raises(TypeError):
        problem.extensions["c"] = 3  # type: ignore[index]  # what is tested


def test_the_packages_own_problems_say_what_they_are() -> None:
    """A body over its limit, and a request that breaks the rules."""
    assert (BodyTooLarge(10).status, BodyTooLarge(10).limit) == (413, 10)
    assert BodyTooLarge(10).detail == "The request body is larger than 10 bytes."
    assert (MalformedRequest("No.").status, MalformedRequest("No.").detail) == (400, "No.")
    assert issubclass(Problem, MantletError)


def repickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize(
    "problem",
    [Problem(404, detail="No."), BodyTooLarge(10), MalformedRequest("No.")],
    ids=lambda problem: type(problem).__name__,
)
@pytest.mark.parametrize("again", [copy.copy, repickled], ids=["copy", "pickle"])
def test_a_problem_survives_a_copy_and_a_pickle(problem: Problem, again: Any) -> None:
    """A worker process may raise one, and a pool then pickles it."""
    same = again(problem)
    assert type(same) is type(problem)
    assert (same.status, same.detail, str(same)) == (problem.status, problem.detail, str(problem))


# -- replies --------------------------------------------------------------------------------------


class Replies(Policy):
    """Answers every request with the same reply."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    def on_request(self, request: Request) -> Reply:
        return self.reply


@both_adapters
@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (Reply(200, body=b"bytes"), b"bytes"),
        (Reply(200, body="t\u00ebxt"), b"t\xc3\xabxt"),
        (Reply(200), b""),
        (Reply(204), b""),
        (Reply(304, {"ETag": '"a"'}), b""),
        (Reply(599, [("X-A", "1"), ("X-A", "2")]), b""),
    ],
    ids=repr,
)
@pytest.mark.breaks_rules("a checker wants the Content-Length that RFC 9110 forbids with 204")
def test_a_reply_is_sent_as_it_says(adapter: Adapter, reply: Reply, body: bytes) -> None:
    """With its length, where it may have one."""
    answer = adapter.drive(adapter.wrap(hello, Replies(reply)))
    assert answer.error is None
    assert (answer.status, answer.body) == (reply.status, body)
    length = None if reply.status in (204, 304) else str(len(body))
    assert answer.get("Content-Length") == length
    for name, value in reply.headers:
        assert value in answer.getall(name)


@pytest.mark.parametrize("status", [0, 100, 101, 199, 600], ids=str)
def test_a_reply_with_a_status_that_is_no_answer_is_refused(status: int) -> None:
    """Informational ones are no whole answers."""
    with pytest.raises(ValueError, match=f"status must be between 200 and 599, not {status}"):
        Reply(status)


@pytest.mark.parametrize("value", ["a\r\nb", "\x00", "\u0100"], ids=ascii)
def test_a_reply_with_a_value_that_could_split_a_message_is_refused(value: str) -> None:
    """At construction."""
    with pytest.raises(ValueError, match="X-New"):
        Reply(200, {"X-New": value})


def test_a_replys_repr_shows_nothing_of_its_content() -> None:
    """A body may hold what a log must not."""
    assert repr(Reply(200, {"X-A": "s3cr3t"}, b"s3cr3t")) == "Reply(200, 6 bytes)"


@both_adapters
def test_one_reply_may_answer_many_requests(adapter: Adapter) -> None:
    """It is a value, and no answer changes it."""
    app = adapter.wrap(hello, mantlet.ErrorEnvelope(), Replies(Reply(200, {"X-A": "1"}, "same")))
    answers = [adapter.drive(app, headers=[("X-Request-ID", "i")]) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert (
        json.dumps(answers[0].headers).count("X-A".lower())
        + json.dumps(answers[0].headers).count("X-A")
        == 1
    )


# -- problems that never change -------------------------------------------------------------------

_MANY = {
    "type": "https://example.org/credit",
    "title": "Nicht genug Guthaben \u2013 leider",
    "detail": 'It costs "50".',
    "headers": {"X-Balance": "30", "Retry-After": "5"},
    "extensions": {"balance": 30},
}


@both_adapters
@pytest.mark.parametrize("in_envelope", [True, False], ids=["envelope", "alone"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        _MANY,
        {"instance": "/accounts/1"},
        {"headers": {"Cache-Control": "max-age=60"}},
        {"headers": {"Content-Type": "application/json"}},
    ],
    ids=["bare", "all", "instance", "cached", "typed"],
)
def test_a_fixed_problem_is_answered_like_any_other(
    adapter: Adapter, options: dict[str, Any], in_envelope: bool
) -> None:
    """In each form, and the second time as the first."""
    fixed, plain = FixedProblem(403, **options), Problem(403, **options)
    outer = [ErrorEnvelope(request_id=RequestId(generate=lambda: "an-id"))] if in_envelope else []
    for accept in ("application/json", "text/html", "text/plain", "application/json", "text/xml"):
        answers = [
            adapter.drive(
                adapter.wrap(hello, *outer, States(problem)), headers=[("Accept", accept)]
            )
            for problem in (fixed, plain)
        ]
        assert answers[0].error is None
        assert answers[0].status == answers[1].status
        assert answers[0].headers == answers[1].headers
        assert answers[0].body == answers[1].body


def test_a_fixed_problem_can_be_copied() -> None:
    """With its parts."""
    fixed = FixedProblem(403, **_MANY)
    for again in (
        copy.copy(fixed),
        copy.deepcopy(fixed),
        pickle.loads(pickle.dumps(fixed)),
    ):  # its own
        assert again._common_parts() == fixed._common_parts()
        assert (again.headers, again.extensions) == (fixed.headers, fixed.extensions)
