"""Forward a subscription to a WebSocket."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from mantlet._internal.disconnects import is_disconnect
from mantlet.events.inbox import EndReason
from mantlet.events.subscriptions import Subscription

__all__ = ["forward"]

#: RFC 6455, 7.4.1, and the registry it makes: 1013 is "try again later". `Authenticator` closes
#: with 4401 too.
_CLOSE_CODES: Final[Mapping[EndReason, int]] = MappingProxyType(
    {"slow": 1013, "expired": 4401, "shutdown": 1001}
)


async def forward(
    subscription: Subscription,
    send: Callable[[str], Awaitable[object]],
    close: Callable[[int], Awaitable[object]],
) -> None:
    """Send each event of a subscription to a WebSocket, as ``{"type": …, "id": …, "data": …}``.

    It returns when the subscription ends, or when a message can't be sent since the client is gone,
    and closes the subscription in any case. Something else has to receive meanwhile, and close the
    subscription when the client disconnects; see the page on events.

    Args:
        subscription: the subscription.
        send: sends a text, as ``WebSocket.send_text`` of Starlette, FastAPI, Litestar and Falcon
            and ``Websocket.send`` of Quart do.
        close: closes the WebSocket with a code, as their ``close`` does. It is called unless the
            app has closed the subscription: with 1013 (try again later) if the client was too slow,
            4401 at the time that the subscription was given, and 1001 (going away) at a shutdown.
    """
    try:
        while (entry := await subscription._next_entry()) or subscription.reason is None:
            if entry is not None:
                # Type and id have no characters but ASCII's, of which two are escaped.
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
