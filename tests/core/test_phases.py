"""The phases of a response: every transition of the table, and nothing beside it."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import mantlet
from mantlet import Policy, Reply, Request, Response
from mantlet.core.response_pipeline import TRANSITIONS, Event, Phase, PhaseMachine
from tests.conformance.exchanges import Script, play_asgi, play_wsgi

ROOT = Path(__file__).parents[2]
HTML = (("content-type", "text/html"),)


def machine(phase: Phase) -> PhaseMachine:
    """Return a machine in a phase, by the shortest way to it."""
    made = PhaseMachine()
    event = {
        Phase.HELD: Event.HOLD,
        Phase.BUFFERING: Event.BUFFER_BODY,
        Phase.STREAMING: Event.SEND_HEAD,
        Phase.CLOSED: Event.SEND_END,
    }.get(phase)
    if event is not None:
        made.advance(event)
    assert made.phase == phase
    return made


@pytest.mark.parametrize(("phase", "event"), list(product(Phase, Event)), ids=lambda one: one.name)
def test_the_table_is_all_that_can_happen(phase: Phase, event: Event) -> None:
    """An event that the table does not have raises, and leaves the phase alone."""
    moving = machine(phase)
    target = TRANSITIONS[phase].get(event)
    if target is None:
        with pytest.raises(RuntimeError, match=f"phase {phase.name} has no event {event.name}"):
            moving.advance(event)
        assert moving.phase == phase
    else:
        moving.advance(event)
        assert moving.phase == target


def test_only_one_place_assigns_a_phase() -> None:
    """Everything else calls `advance()`."""
    assigning = [
        path.name
        for path in (ROOT / "src").rglob("*.py")
        if re.search(r"\.phase\b[^=!<>\n]*(?<![=!<>])=(?!=)", path.read_text())
    ]
    assert assigning == ["response_pipeline.py"]


def test_the_drawn_table_is_the_real_one() -> None:
    """`docs/architecture.md` has a row for each phase and a column for each event."""
    rows = {
        cells[0]: cells[1:]
        for line in (ROOT / "docs/architecture.md").read_text().splitlines()
        if (cells := re.findall(r"`?([A-Z_]+|-)`? *\|", line.removeprefix("|")))
    }
    assert [*rows["PHASE"]] == [event.name for event in Event]
    for phase in Phase:
        drawn = dict(zip(Event, rows[phase.name], strict=True))
        assert {event: Phase[name] for event, name in drawn.items() if name != "-"} == dict(
            TRANSITIONS[phase]
        )


class Walk(Policy):
    """Makes an exchange take a given way through the phases."""

    def __init__(self, way: str) -> None:
        self.way = way

    async def on_response(self, request: Request, response: Response) -> Reply | None:
        if "buffer" in self.way:
            await response.body(1000)
        return Reply(500) if "reply" in self.way else None

    def on_error(self, request: Request, error: BaseException) -> None:
        """Be a policy that hears errors."""


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Return the events of the exchanges that follow."""
    seen: list[Event] = []
    advance = PhaseMachine.advance

    def watched(self: PhaseMachine, event: Event) -> None:
        seen.append(event)
        advance(self, event)

    monkeypatch.setattr(PhaseMachine, "advance", watched)
    return seen


PROTOCOLS = pytest.mark.parametrize(
    "protocol",
    [(play_asgi, mantlet.asgi.Stack), (play_wsgi, mantlet.wsgi.Stack)],
    ids=["asgi", "wsgi"],
)


@PROTOCOLS
@pytest.mark.parametrize(
    ("way", "script", "expected"),
    [
        ("", Script(chunks=(b"a", b"b")), [Event.SEND_HEAD, Event.SEND_END]),
        ("buffer", Script(chunks=(b"a", b"b")), [Event.BUFFER_BODY, Event.SEND_END]),
        ("", Script(status=500, chunks=(b"a", b"b")), [Event.SEND_HEAD, Event.SEND_END]),
        (
            "buffer",
            Script(status=500, chunks=(b"a", b"b")),
            [Event.BUFFER_BODY, Event.SEND_END],
        ),
        ("buffer reply", Script(chunks=(b"a", b"b")), [Event.BUFFER_BODY, Event.SEND_END]),
        ("", Script(headers=HTML, chunks=(b"a",), raises_at=0), [Event.FAIL]),
    ],
)
def test_an_exchange_goes_its_way(
    protocol: Any,
    way: str,
    script: Script,
    expected: list[Event],
    events: list[Event],
) -> None:
    """Real exchanges use the transitions of the table, the same under both protocols."""
    play, stack = protocol
    play(lambda app: stack(app, [Walk(way)]), script, "GET")
    # A WSGI app that raises is done with at once, and fails again where its end is looked for.
    assert events[: len(expected)] == expected
    assert set(events[len(expected) :]) <= {Event.FAIL}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(status=500), [Event.HOLD, Event.SEND_END]),
        (
            Script(status=500, declares_length=True, ends_with_last=False),
            [Event.HOLD, Event.SEND_END],
        ),
        (Script(status=500, ends_with_last=False), [Event.SEND_HEAD, Event.SEND_END]),
        (Script(status=499), [Event.SEND_END]),
    ],
    ids=["last chunk", "length", "neither", "no server error"],
)
def test_only_a_whole_server_error_is_held(
    script: Script, expected: list[Event], events: list[Event]
) -> None:
    """ASGI alone lets an app raise behind its answer."""
    play_asgi(lambda app: mantlet.asgi.Stack(app, [Walk("")]), script)
    assert events == expected
    play_wsgi(lambda app: mantlet.wsgi.Stack(app, [Walk("")]), script)
    assert Event.HOLD not in events[len(expected) :]


def test_a_body_of_one_chunk_is_over_at_once(events: list[Event]) -> None:
    """ASGI tells that with the chunk; under WSGI only the end of the iterable does."""
    script = Script(headers=HTML, chunks=(b"a",))
    play_asgi(lambda app: mantlet.asgi.Stack(app, [Walk("")]), script)
    assert events == [Event.SEND_END]
    events.clear()
    play_wsgi(lambda app: mantlet.wsgi.Stack(app, [Walk("")]), script)
    assert events == [Event.SEND_HEAD, Event.SEND_END]
