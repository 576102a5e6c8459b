"""The phases of a response on its way out, and the only transitions between them.

`PhaseMachine.advance()` is the one place that assigns a phase; an event that the table does not
have for the current phase is a bug, and raises.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

__all__ = ["TRANSITIONS", "Event", "Phase", "PhaseMachine"]


# Integers, since these are compared and looked up several times for each response.
class Phase(IntEnum):
    """How far a response has come."""

    #: The response hooks have not run: the head waits for the first bytes of the body.
    AWAITING_BODY = 0
    #: The hooks are suspended before one that hears errors, until the app ends or raises.
    ERROR_BUFFERED = 1
    #: The hooks are suspended in one that waits for the whole body.
    BUFFERING = 2
    #: The head has been sent, and the app's body follows.
    STREAMING = 3
    #: The response is over; whatever the app still sends is dropped.
    CLOSED = 4


class Event(IntEnum):
    """The events that move a response from one phase to another."""

    #: The next hook hears errors, and the app may still raise the one that it has answered.
    HOLD_ERROR = 0
    #: A hook waits for the whole body.
    BUFFER_BODY = 1
    #: The head is sent, and more of the body will follow.
    SEND_HEAD = 2
    #: The last of the response is sent.
    SEND_END = 3
    #: Nothing more can be sent.
    FAIL = 4


_UNSENT: Final[Mapping[Event, Phase]] = MappingProxyType(
    {
        Event.HOLD_ERROR: Phase.ERROR_BUFFERED,
        Event.BUFFER_BODY: Phase.BUFFERING,
        Event.SEND_HEAD: Phase.STREAMING,
        Event.SEND_END: Phase.CLOSED,
        Event.FAIL: Phase.CLOSED,
    }
)

TRANSITIONS: Final[Mapping[Phase, Mapping[Event, Phase]]] = MappingProxyType(
    {
        Phase.AWAITING_BODY: _UNSENT,
        Phase.ERROR_BUFFERED: _UNSENT,
        Phase.BUFFERING: _UNSENT,
        Phase.STREAMING: MappingProxyType({Event.SEND_END: Phase.CLOSED, Event.FAIL: Phase.CLOSED}),
        Phase.CLOSED: MappingProxyType({Event.FAIL: Phase.CLOSED}),
    }
)


class PhaseMachine:
    """A response's phase.

    Attributes:
        phase: how far the response has come.
    """

    phase: Phase = Phase.AWAITING_BODY

    def advance(self, event: Event) -> None:
        """Move to the phase that an event leads to.

        Raises:
            RuntimeError: the event is not possible in the current phase.
        """
        try:
            self.phase = TRANSITIONS[self.phase][event]
        except KeyError:
            raise RuntimeError(
                f"a response in phase {self.phase.name} has no event {event.name}"
            ) from None
