"""A policy that does what it is told, and writes down what it sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mantlet import Policy, Reply, Request, Response, ResponseTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable

OnRequest = Literal["pass", "reply", "raise", "body", "problem"]
OnResponse = Literal["pass", "reply", "raise", "edit", "transform", "body", "small body", "status"]
OnError = Literal["pass", "reply", "raise", "keep", "keep shouted", "body"]


class PolicyError(Exception):
    """What a recorder raises when it is told to."""


@dataclass(frozen=True)
class Plan:
    """What a recorder does in each hook; None is a hook that it does not override."""

    on_request: OnRequest | None = "pass"
    on_response: OnResponse | None = "pass"
    on_error: OnError | None = "pass"
    on_finish: bool = True
    waits: bool = False


class Recorder:
    """Makes policies from plans, and keeps what they saw, by their place in the stack."""

    def __init__(self) -> None:
        self.seen: dict[int, list[str]] = {}

    def policies(self, plans: Iterable[Plan]) -> list[Policy]:
        """Return a policy for each plan."""
        return [self._policy(place, plan) for place, plan in enumerate(plans)]

    def _policy(self, place: int, plan: Plan) -> Policy:
        seen = self.seen.setdefault(place, [])
        hooks = {
            "on_request": _on_request(place, plan, seen) if plan.on_request else None,
            "on_response": _on_response(place, plan, seen) if plan.on_response else None,
            "on_error": _on_error(place, plan, seen) if plan.on_error else None,
            "on_finish": _on_finish(plan, seen) if plan.on_finish else None,
        }
        made = {name: hook for name, hook in hooks.items() if hook}
        policy: Policy = type(f"Recorder{place}", (Policy,), made)()
        return policy


def _on_request(place: int, plan: Plan, seen: list[str]) -> object:
    def decide(self: Policy, request: Request) -> Reply | None:
        seen.append("on_request")
        if plan.on_request == "reply":
            return Reply(403, {"x-by": str(place)}, f"request {place}")
        if plan.on_request == "raise":
            raise PolicyError(f"request {place}")
        return None

    async def wait(self: Policy, request: Request) -> Reply | None:
        await request.body(1000)
        return decide(self, request)

    return wait if plan.waits or plan.on_request == "body" else decide


def _on_response(place: int, plan: Plan, seen: list[str]) -> object:
    def decide(self: Policy, request: Request, response: Response) -> Reply | None:
        if not plan.waits and "body" not in (plan.on_response or ""):
            seen.append(f"on_response {response.status}")
        if plan.on_response == "reply":
            return Reply(502, {"x-by": str(place)}, f"response {place}")
        if plan.on_response == "raise":
            raise PolicyError(f"response {place}")
        if plan.on_response == "edit":
            response.headers.set("x-edited", str(place))
        if plan.on_response == "status":
            response.status = 299
        if plan.on_response == "transform":
            response.transform(
                lambda chunk, more: chunk.swapcase() + (b"" if more else f"<{place}>".encode())
            )
        return None

    async def wait(self: Policy, request: Request, response: Response) -> Reply | None:
        seen.append(f"on_response {response.status}")
        if plan.on_response in ("body", "small body"):
            try:
                body = await response.body(100_000 if plan.on_response == "body" else 3)
                seen.append(f"body {body!r}")
            except ResponseTooLarge:
                seen.append("too large")
        return decide(self, request, response)

    return wait if plan.waits or plan.on_response in ("body", "small body") else decide


def _on_error(place: int, plan: Plan, seen: list[str]) -> object:
    def decide(self: Policy, request: Request, error: BaseException) -> Reply | Response | None:
        own = request.app_response
        seen.append(f"on_error {error}" + (f" after {own.status}" if own else ""))
        if own is not None and plan.on_error in ("keep", "keep shouted"):
            own.headers.set("x-kept", str(place))
            if plan.on_error == "keep shouted":
                own.transform(lambda chunk, _: chunk.upper())
            return own
        if plan.on_error == "reply":
            return Reply(500, {"x-by": str(place)}, f"error {place}")
        if plan.on_error == "raise":
            raise PolicyError(f"error {place}")
        return None

    async def wait(self: Policy, request: Request, error: BaseException) -> Reply | Response | None:
        own = request.app_response
        if own is not None and plan.on_error == "body":
            seen.append(f"body {await own.body(100_000)!r}")
            assert request.app_response is own
        return decide(self, request, error)

    return wait if plan.waits or plan.on_error == "body" else decide


def _on_finish(plan: Plan, seen: list[str]) -> object:
    def note(self: Policy, request: Request) -> None:
        seen.append("on_finish")

    async def wait(self: Policy, request: Request) -> None:
        note(self, request)

    return wait if plan.waits else note
