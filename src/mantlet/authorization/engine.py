"""`Engine`: what decides about objects."""

# Any: objects of the app's own, and requests of frameworks.
from typing import Any, Protocol, runtime_checkable

from mantlet.core.identity import Identity

__all__ = ["Engine"]


@runtime_checkable
class Engine(Protocol):
    """Decides whether somebody may do something to an object.

    It is called in the thread, or the event loop, of the view that asks, so it must not block.
    """

    def decide(self, identity: Identity | None, action: str, resource: Any, request: Any) -> bool:
        """Return whether the client may do it.

        An exception, or a result that is neither True nor False, refuses the request.

        Args:
            identity: who is asking; None for a client without an identity.
            action: what it wants to do, such as ``"read"``.
            resource: the object, as the view passes it; None if there is none.
            request: the request, as the view passes it.
        """
        ...
