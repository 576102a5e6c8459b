"""`Health`: answer liveness and readiness checks.

Liveness: the process answers requests. Orchestrators restart a process that is not live, so
liveness depends on nothing outside of the process.

Readiness: the policies of the stack have started, and have what they need, such as stores, secrets
and documents (`Policy.health`). Load balancers send no requests to a process that is not ready.

Checks are answered before any policy that refuses requests, and the app does not see them.

Anyone who can reach the app can read the responses. They name the policies and, in one word, the
state of each dependency; they contain no host, no path and no value. If nobody else should know
even that, let the proxy in front of the app answer these paths with 404.

The app's own dependencies, such as its database, are not checked: write a policy with a `health()`
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
    405, detail="Health checks accept GET and HEAD only.", headers={"Allow": "GET, HEAD"}
)


class Health(Policy):
    """Answer health checks: whether the process is live, and whether it is ready for requests.

    Both answer GET and HEAD with 200. Readiness is 503 while a policy has not started, or needs
    something that is down. Policies in report mode are listed, but don't make the app unready.

    It has no ``mode``, and ``MANTLET_MODE`` does not switch it off, since it decides about no other
    requests.

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
