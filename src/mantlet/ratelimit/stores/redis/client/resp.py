"""The protocol's bytes (RESP2 and RESP3), which hiredis reads and writes."""

import re
import time
from collections.abc import Callable

from mantlet.exceptions import StoreError, StoreOutage
from mantlet.ratelimit.stores.redis.client.uri import Address

__all__ = [
    "MORE",
    "NONSENSE",
    "CommandError",
    "Lost",
    "Outage",
    "PushNotification",
    "Reader",
    "ReplyError",
    "error_code",
    "make_reader",
    "pack",
    "refusal",
    "time_left",
]

try:
    from hiredis import ProtocolError, PushNotification, Reader, ReplyError, pack_command
except ImportError as error:
    raise ImportError(
        "a store in Redis or Valkey needs hiredis 3.2 or later: pip install mantlet[redis]"
    ) from error


#: What a reader has where no reply is complete. RESP3 knows None and False as replies.
MORE = object()
#: What a reader raises on bytes that are no reply; TypeError is for a map with odd keys.
NONSENSE = (ProtocolError, TypeError)

Pack = Callable[[tuple[bytes | str | int, ...]], bytes]
#: Returns the bytes of a command. Text is UTF-8.
pack: Pack = pack_command  # type: ignore[assignment]  # its stub knows commands of one word only


def make_reader() -> Reader:
    """Return a reader whose replies are bytes, numbers, lists, and errors not raised."""
    return Reader(notEnoughData=MORE)


#: Errors that say that the server, or this part of a cluster, can't serve anyone just now.
_DOWN = frozenset(
    {
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
    }
)
_CODE = re.compile(r"([A-Z][A-Z0-9_]{0,31})(?= |$)")
#: How much of an error's text is kept, in characters.
_SHOWN = 200
_HINTS = {
    "MOVED": "; it is a node of a cluster, so write redis+cluster://",
    "NOAUTH": "; it wants a password, so write redis://:password@host",
}


class Outage(StoreOutage):
    """The server can't be used now: refused, timed out, closed, loading, without a master."""


class Lost(Outage):
    """The connection ended before the reply came. On another one there may come one."""


class CommandError(StoreError):
    """The server answered with an error, and asking again would not mend it.

    Args:
        code: the error's first word, such as ``"NOSCRIPT"`` or ``"WRONGPASS"``.
        text: what to show.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[1])


def error_code(error: ReplyError) -> str:
    """Return an error's first word, or ``ERR`` where that is no code."""
    found = _CODE.match(str(error))
    return found[1] if found else "ERR"


def refusal(
    error: ReplyError, address: Address, secret_step: str | None = None
) -> Outage | CommandError:
    """Return what to raise for a server's error.

    Args:
        error: what the server answered.
        address: the server.
        secret_step: the step that it answered where a password was sent. Some servers repeat an
            unknown command's arguments, so their words are not shown then.
    """
    code = error_code(error)
    said = f"{code} to {secret_step}" if secret_step else repr(str(error)[:_SHOWN])
    text = f"{address} answered {said}{_HINTS.get(code, '')}"
    return Outage(text) if code in _DOWN else CommandError(code, text)


def time_left(expires: float, address: Address) -> float:
    """Return the seconds until ``expires``.

    Raises:
        Outage: there are none.
    """
    left = expires - time.monotonic()
    if left <= 0:
        raise Outage(f"no time was left to ask {address}")
    return left
