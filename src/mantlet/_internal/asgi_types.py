"""The shapes of ASGI and WSGI callables, so that the package needs neither framework nor server.

The ASGI names are those of the specification (asgi.readthedocs.io, "Applications"); the WSGI ones
come from the standard library's `wsgiref.types` (PEP 3333).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

# The values of a scope or a message are of many types by specification, hence Any.
Scope = MutableMapping[str, Any]
AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]
# Any: each framework has scope and message types of its own, which are not this package's.
AsgiApp = Callable[[Any, Any, Any], Awaitable[Any]]

__all__ = ["AsgiApp", "AsgiMessage", "Receive", "Scope", "Send"]
