"""What can go wrong between here and the server, and whose fault it is."""

import re
import time

from mantlet.exceptions import StoreError, StoreOutage
from mantlet.ratelimit.stores.redis.client.address import Address
from mantlet.ratelimit.stores.redis.client.wire import ReplyError

__all__ = ["CommandError", "Lost", "Outage", "error_code", "refusal", "time_left"]

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
