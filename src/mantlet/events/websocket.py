"""Forward a subscription to a WebSocket."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from mantlet._internal.disconnects import is_disconnect
from mantlet.events.inbox import EndReason
from mantlet.events.subscriptions import Subscription

__all__ = ["forward"]

#: RFC 6455, 7.4.1, and the registry that it establishes: 1013 is "try again later". `Authenticator`
#: also closes with 4401.
_CLOSE_CODES: Final[Mapping[EndReason, int]] = MappingProxyType(
    {"slow": 1013, "expired": 4401, "shutdown": 1001}
)


async def forward(
    subscription: Subscription,
    send: Callable[[str], Awaitable[object]],
    close: Callable[[int], Awaitable[object]],
) -> None:
    """Send each event of a subscription to a WebSocket, as ``{"type": …, "id": …, "data": …}``.

    It returns when the subscription ends, or when a message can't be sent because the client is
    gone, and always closes the subscription. Meanwhile another task has to receive messages, and to
    close the subscription when the client disconnects; see the page on events.

    Args:
        subscription: the subscription.
        send: sends a text message, such as ``WebSocket.send_text`` of Starlette, FastAPI, Litestar
            and Falcon, and ``Websocket.send`` of Quart.
        close: closes the WebSocket with a code, such as their ``close``. It is called unless the
            app has closed the subscription: with 1013 (try again later) if the client was too slow,
            4401 when the subscription expires, and 1001 (going away) at shutdown.
    """
    try:
        while (entry := await subscription._next_entry()) or subscription.reason is None:
            if entry is not None:
                # Type and id are ASCII; two of its characters are escaped.
                await send(
                    f'{{"type":{_quoted(entry.type)},"id":{_quoted(entry.id)},"data":{entry.data}}}'
                )
        code = _CLOSE_CODES.get(subscription.reason)
        if code is not None:
            await close(code)
    except Exception as error:
        # OSError: the connection is closed, by the client or by a policy.
        if not isinstance(error, OSError) and not is_disconnect(error):
            raise
    finally:
        subscription.close()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
