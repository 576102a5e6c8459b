"""The protocol (RESP2 and RESP3), read and written by hiredis, and the errors of a server."""

import re
from collections.abc import Callable

from mantlet.exceptions import StoreError, StoreOutage
from mantlet.stores.redis.uri import ServerAddress

try:
    from hiredis import ProtocolError, PushNotification, Reader, ReplyError, pack_command
except ImportError as error:
    raise ImportError(
        'a store in Redis or Valkey needs hiredis 3.2 or later: pip install "mantlet[redis]"'
    ) from error

__all__ = [
    "INCOMPLETE",
    "PROTOCOL_ERRORS",
    "CommandError",
    "ConnectionLost",
    "OutOfMemory",
    "PushNotification",
    "Reader",
    "ReplyError",
    "ServerUnavailable",
    "encode_command",
    "error_code",
    "error_from_reply",
    "make_reader",
]

#: Returned by a reader while no reply is complete. In RESP3, None and False are valid replies.
INCOMPLETE = object()
#: Raised by a reader for invalid bytes; a TypeError for a map with unhashable keys.
PROTOCOL_ERRORS = (ProtocolError, TypeError)

#: Error codes of a server, or a part of a cluster, that is temporarily unable to serve anyone.
_UNAVAILABLE = frozenset(
    {
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOREPLICAS",
        "READONLY",
        "TRYAGAIN",
    }
)
_CODE = re.compile(r"([A-Z][A-Z0-9_]{0,31})(?= |$)")
#: Maximum length of an error's text that is shown, in characters.
_MAX_TEXT = 200
_HINTS = {
    "MOVED": "; it is a node of a cluster, so use redis+cluster://",
    "NOAUTH": "; it requires a password, so use redis://:password@host",
}

#: Encodes a command, with text as UTF-8.
encode_command: Callable[[tuple[bytes | str | int, ...]], bytes]
encode_command = pack_command  # type: ignore[assignment]  # its stub expects one-word commands


def make_reader() -> Reader:
    """Return a reader whose replies are bytes, numbers, lists, and errors (which it returns)."""
    return Reader(notEnoughData=INCOMPLETE)


class ServerUnavailable(StoreOutage):
    """The server can't be used: unreachable, too slow, disconnected, loading, without a master."""


class ConnectionLost(ServerUnavailable):
    """The connection was closed before the reply arrived. A retry on another one may succeed."""


class OutOfMemory(ServerUnavailable):
    """The server has no memory left for the command. It still runs others that need no memory."""


class CommandError(StoreError):
    """The server replied with an error that a retry would not fix.

    Args:
        code: the error's first word, such as ``"NOSCRIPT"`` or ``"WRONGPASS"``.
        text: the message to show.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[1])


def error_code(error: ReplyError) -> str:
    """Return an error's first word; ``ERR`` if that is not a code."""
    found = _CODE.match(str(error))
    return found[1] if found else "ERR"


def error_from_reply(
    error: ReplyError, address: ServerAddress, secret_command: str | None = None
) -> ServerUnavailable | CommandError:
    """Return the exception to raise for a server's error.

    Args:
        error: the server's reply.
        address: the server.
        secret_command: the name of the command, if its arguments contained a password. Some servers
            repeat the arguments of an unknown command, so the error's text is not shown then.
    """
    code = error_code(error)
    shown = f"{code} to {secret_command}" if secret_command else repr(str(error)[:_MAX_TEXT])
    text = f"{address} replied {shown}{_HINTS.get(code, '')}"
    if code == "OOM":
        return OutOfMemory(text)
    return ServerUnavailable(text) if code in _UNAVAILABLE else CommandError(code, text)
