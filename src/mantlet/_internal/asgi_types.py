"""The types of ASGI callables, so that the package needs neither a framework nor a server.

The names are those of the specification (asgi.readthedocs.io, "Applications"). The types of WSGI
callables are in the standard library's `wsgiref.types` (PEP 3333).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

# The values of a scope or a message are of many types by specification, hence Any.
Scope = MutableMapping[str, Any]
AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]
# Any: each framework has its own scope and message types.
AsgiApp = Callable[[Any, Any, Any], Awaitable[Any]]

__all__ = ["AsgiApp", "AsgiMessage", "Receive", "Scope", "Send"]
