"""Validate WebSocket messages: JSON that its schema allows, in either direction."""

from typing import Final

from mantlet.core.policy import Close, Message
from mantlet.guard.bodies.strict_json import StrictJson
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.operation import Operation
from mantlet.guard.options import OperationSettings

__all__ = ["MessageValidator", "close_for"]

# Close codes of RFC 6455, 7.4.1.
_MALFORMED: Final = 1007
_POLICY_VIOLATION: Final = 1008
_TOO_BIG: Final = 1009
_INTERNAL_ERROR: Final = 1011


class MessageValidator:
    """Validates the messages of one WebSocket operation.

    Args:
        operation: the operation.
        settings: how strictly to treat it.
    """

    __slots__ = ("_canonical", "_json", "_max_size", "_schemas")

    def __init__(self, operation: Operation, settings: OperationSettings) -> None:
        self._schemas = {"in": operation.message, "out": operation.outgoing}
        self._json = StrictJson(settings.limits)
        self._max_size = settings.limits.body
        self._canonical = settings.forward == "canonical" and settings.mode != "report"

    def validate(self, message: Message) -> Message:
        """Return the message to pass on.

        Raises:
            ValidationFailed: the message is invalid.
        """
        schema = self._schemas[message.direction]
        if schema is None:
            return message
        data = message.data
        text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        incoming = message.direction == "in"
        if incoming and len(text) > self._max_size:
            detail = f"The message is larger than {self._max_size} bytes"
            raise ValidationFailed(413, [ErrorItem("message", "", "message_too_large", detail)])
        value = schema.load(text, self._json.parse(text, "message"), "message")
        if not (self._canonical and incoming):
            return message
        written = schema.dump(value)
        return Message(written.decode() if isinstance(data, str) else written, "in")


def close_for(message: Message, failure: ValidationFailed) -> Close:
    """Return the close frame for an invalid message.

    Its reason is the code of the first error; errors of the app's own messages are not disclosed.
    """
    if message.direction == "out":
        return Close(_INTERNAL_ERROR)
    code = {400: _MALFORMED, 413: _TOO_BIG}.get(failure.status, _POLICY_VIOLATION)
    return Close(code, failure.errors[0].code)
