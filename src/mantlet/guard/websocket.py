"""WebSocket messages: each is JSON that its schema allows, in either direction."""

from typing import Final

from mantlet.core.policy import Close, Message
from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.operation import Operation
from mantlet.guard.options import Settings
from mantlet.guard.strict_json import Structure

__all__ = ["Messages", "closing"]

# RFC 6455, 7.4.1.
_MALFORMED: Final = 1007
_REFUSED: Final = 1008
_TOO_BIG: Final = 1009
_FAILED: Final = 1011


class Messages:
    """What the messages of a WebSocket may be.

    Args:
        operation: the WebSocket.
        settings: how strictly it is dealt with.
    """

    __slots__ = ("_canonical", "_longest", "_schemas", "_structure")

    def __init__(self, operation: Operation, settings: Settings) -> None:
        self._schemas = {"in": operation.message, "out": operation.outgoing}
        self._structure = Structure(settings.limits)
        self._longest = settings.limits.body
        self._canonical = settings.forward == "canonical"

    def judge(self, message: Message) -> Message:
        """Return a message that may pass.

        Raises:
            Invalid: it may not.
        """
        schema = self._schemas[message.direction]
        if schema is None:
            return message
        data = message.data
        text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        inward = message.direction == "in"
        if inward and len(text) > self._longest:
            raise Invalid(413, [Fault("message", "", "message_too_large", "Is too large")])
        value = schema.load(text, self._structure.read(text, "message"), "message")
        if not (self._canonical and inward):
            return message
        written = schema.dump(value)
        return Message(written.decode() if isinstance(data, str) else written, "in")


def closing(message: Message, invalid: Invalid) -> Close:
    """Return the end of a connection for a message that may not pass.

    Its reason is the code of what is wrong; of the app's own messages clients are told nothing.
    """
    if message.direction == "out":
        return Close(_FAILED)
    code = {400: _MALFORMED, 413: _TOO_BIG}.get(invalid.status, _REFUSED)
    return Close(code, invalid.faults[0].code)
