"""The phases of a response on its way out, and the only transitions between them.

`PhaseMachine.advance()` is the one place that assigns a phase; an event that the table does not
have for the current phase is a bug, and raises.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

__all__ = [
    "AWAITING_BODY",
    "BUFFERING",
    "BUFFER_BODY",
    "CLOSED",
    "ERROR_BUFFERED",
    "FAIL",
    "HOLD_ERROR",
    "SEND_END",
    "SEND_HEAD",
    "STREAMING",
    "TRANSITIONS",
    "Event",
    "Phase",
    "PhaseMachine",
]


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


# Members as constants, since looking one up on its class is a Python call before 3.12.
AWAITING_BODY: Final = Phase.AWAITING_BODY
ERROR_BUFFERED: Final = Phase.ERROR_BUFFERED
BUFFERING: Final = Phase.BUFFERING
STREAMING: Final = Phase.STREAMING
CLOSED: Final = Phase.CLOSED
HOLD_ERROR: Final = Event.HOLD_ERROR
BUFFER_BODY: Final = Event.BUFFER_BODY
SEND_HEAD: Final = Event.SEND_HEAD
SEND_END: Final = Event.SEND_END
FAIL: Final = Event.FAIL

_UNSENT: Final[Mapping[Event, Phase]] = MappingProxyType(
    {
        HOLD_ERROR: ERROR_BUFFERED,
        BUFFER_BODY: BUFFERING,
        SEND_HEAD: STREAMING,
        SEND_END: CLOSED,
        FAIL: CLOSED,
    }
)

TRANSITIONS: Final[Mapping[Phase, Mapping[Event, Phase]]] = MappingProxyType(
    {
        AWAITING_BODY: _UNSENT,
        ERROR_BUFFERED: _UNSENT,
        BUFFERING: _UNSENT,
        STREAMING: MappingProxyType({SEND_END: CLOSED, FAIL: CLOSED}),
        CLOSED: MappingProxyType({FAIL: CLOSED}),
    }
)


class PhaseMachine:
    """A response's phase.

    Attributes:
        phase: how far the response has come.
    """

    phase: Phase = AWAITING_BODY

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
