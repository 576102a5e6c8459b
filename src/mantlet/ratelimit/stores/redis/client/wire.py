"""The protocol's bytes (RESP2 and RESP3), which hiredis reads and writes."""

from collections.abc import Callable

try:
    from hiredis import ProtocolError, PushNotification, Reader, ReplyError, pack_command
except ImportError as error:
    raise ImportError(
        "a store in Redis or Valkey needs hiredis 3.2 or later: pip install mantlet[redis]"
    ) from error

__all__ = ["MORE", "NONSENSE", "PushNotification", "Reader", "ReplyError", "make_reader", "pack"]

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
