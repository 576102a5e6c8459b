"""`Health`: answer liveness and readiness checks.

Liveness tells that the process answers requests. An orchestrator restarts a process that is not
live, so nothing outside of the process counts.

Readiness tells whether the policies of the stack have what they need: stores, secrets, documents
(`Policy.health`), and a start that has succeeded. A load balancer sends no requests to a process
that is not ready.

Both are answered outside of the policies that refuse requests, and the app does not see them.

Anyone who reaches the app may ask. The answer has the names of policies and the states of what they
depend on, in one word each: no host, no path and no value. A proxy in front of the app should
answer these paths with 404 where the states concern nobody else.

It does not check the app's own dependencies, such as its database: write a policy with a `health()`
method for that, see ``docs/write-a-policy.md``.
"""

import json
from collections.abc import Awaitable, Mapping
from typing import Final

from mantlet.core.policy import HealthState, Policy
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Reply

__all__ = ["Health"]

_HEADERS: Final = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
_WRONG_METHOD: Final = Problem(
    405, detail="A health check takes GET and HEAD.", headers={"Allow": "GET, HEAD"}
)


class Health(Policy):
    """Answer health checks: whether the process is live, and whether it is ready for requests.

    Both answer GET and HEAD with 200; readiness answers with 503 while a policy cannot work without
    what is down, or has not started. A policy in report mode is shown, and counts for nothing.

    It has no ``mode``, and ``MANTLET_MODE`` does not switch it off: it decides about no other
    request.

    Args:
        path: the path of the liveness check, within the wrapped app.
        ready: the path of the readiness check.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: a path does not begin with a slash, or both are the same.
    """

    sees_lifecycle = True
    position = 25
    position_reason = "{} may refuse health checks"

    def __init__(self, *, path: str = "/-/health", ready: str = "/-/ready") -> None:
        for name, value in (("path", path), ("ready", ready)):
            if not isinstance(value, str):
                raise TypeError(f"{name} must be text, not {value!r}")
            if not value.startswith("/"):
                raise ValueError(f"{name} must begin with a slash, not {value!r}")
        if path == ready:
            raise ValueError(f"path and ready must differ, but both are {path!r}")
        self._live = path
        self._ready = ready
        self._paths = path, ready

    def on_request(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        """Answer a health check; let any other request pass."""
        if not request.path.endswith(self._paths) or request.protocol != "http":
            return None
        path = request.route_path
        if path not in self._paths:
            return None
        if request.method not in ("GET", "HEAD"):
            return _WRONG_METHOD.reply(request)
        return _reply(200, {"status": "live"}) if path == self._live else self._check(request)

    async def _check(self, request: Request) -> Reply:
        checks: dict[str, Mapping[str, HealthState]] = {}
        is_ready = True
        for policy, states in await request._lifecycle.health():
            name = kind = type(policy).__name__
            count = 1
            while name in checks:
                count += 1
                name = f"{kind} {count}"
            checks[name] = states
            if policy.mode != "report" and "down" in states.values():
                is_ready = False
        status = "ready" if is_ready else "not ready"
        return _reply(200 if is_ready else 503, {"status": status, "checks": checks})


def _reply(status: int, document: Mapping[str, object]) -> Reply:
    return Reply(status, _HEADERS, json.dumps(document))
