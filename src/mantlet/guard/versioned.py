"""`VersionedGuard`: a schema for each version of an API."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

from mantlet.core.dry_run import Switch, with_mode
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import HealthState, Policy, has_hook
from mantlet.core.preflight import is_preflight
from mantlet.core.problem import FixedProblem
from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.guard.policy import SchemaGuard

__all__ = ["VersionedGuard"]

_HOOKS: Final = (
    *("on_request", "on_response", "on_error", "on_message", "on_close", "on_text", "on_finish"),
    *("startup", "shutdown"),
)
_UNDECLARED: Final = FixedProblem(404, detail="The API declares nothing for this version.")


class VersionedGuard(Switch):
    """Validate each request with the guard of its version, which `Versions` has found.

    Requests for a version without a guard are refused with 404. So are requests without a version,
    such as those for neutral routes, unless ``unversioned`` is set. CORS preflights without a
    version pass.

    Args:
        guards: the guard of each version, such as ``{"1": SchemaGuard(openapi="v1.yaml")}``. Each
            has its own mode.
        unversioned: the guard of requests without a version.
        mode: the mode of the refusal with 404.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: ``guards`` is empty.
    """

    position = 100
    position_reason = "{} sees requests that no schema has been compared with"

    def __init__(
        self,
        guards: Mapping[str, SchemaGuard],
        *,
        unversioned: SchemaGuard | None = None,
        mode: ModeOption = "enforce",
    ) -> None:
        by_label = _check_guards(guards)
        if unversioned is not None:
            by_label[None] = _check_guard("unversioned", unversioned)
        #: Each guard once, with its first version.
        self._guards: dict[SchemaGuard, str | None] = {}
        for label, guard in by_label.items():
            self._guards.setdefault(guard, label)
        super().__init__(next(iter(self._guards)))
        runs = {guard: with_mode(guard) or Policy() for guard in self._guards}
        self._runs = {label: runs[guard] for label, guard in by_label.items()}
        self._closed = with_mode(UndeclaredVersion(mode)) or Policy()
        self.needs_first_chunk = any(run.needs_first_chunk for run in runs.values())
        every = [*runs.values(), *self._guards]
        self.disabled_hooks = frozenset(
            name for name in _HOOKS if not any(has_hook(one, name) for one in every)
        )

    def _chosen(self, request: Request) -> Policy:
        own = request.local(self)
        chosen: Policy | None = own.get("guard")
        if chosen is None:
            label: str | None = getattr(request.state, "version", None)
            chosen = own["guard"] = self._runs.get(label, self._closed)
        return chosen

    # -- lifecycle and health ---------------------------------------------------------------------

    async def startup(self) -> None:
        """Start the guards."""
        for guard in self._guards:
            await guard.startup()

    async def shutdown(self) -> None:
        """Stop all guards, even if stopping one of them fails."""
        async with AsyncExitStack() as stack:
            for guard in self._guards:
                stack.push_async_callback(guard.shutdown)

    async def health(self) -> Mapping[str, HealthState]:
        """Return the states of the guards' dependencies by version."""
        return {
            f"{label or 'unversioned'} {name}": state
            for guard, label in self._guards.items()
            for name, state in (await guard.health()).items()
        }


class UndeclaredVersion(Policy):  # report mode logs this name
    """Refuse every request: the policy of versions without a guard.

    Args:
        mode: see `VersionedGuard`.
    """

    def __init__(self, mode: ModeOption) -> None:
        self.mode = check_mode(mode)

    def on_request(self, request: Request) -> Reply | None:
        """Refuse a request, unless it is a CORS preflight."""
        if request.method == "OPTIONS" and is_preflight(request):
            return None
        return _UNDECLARED.reply(request)


def _check_guards(guards: Mapping[str, SchemaGuard]) -> dict[str | None, SchemaGuard]:
    given: object = guards
    if not isinstance(given, Mapping):
        raise TypeError(
            f'VersionedGuard takes a mapping such as {{"1": SchemaGuard(...)}}, not {given!r}'
        )
    if not given:
        raise ValueError("VersionedGuard needs the guard of at least one version")
    for label in given:
        if not isinstance(label, str):
            raise TypeError(f'a version must be text such as "1", not {label!r}')
    return {label: _check_guard(repr(label), guard) for label, guard in given.items()}


def _check_guard(option: str, guard: object) -> SchemaGuard:
    if not isinstance(guard, SchemaGuard):
        raise TypeError(f"{option} must have a SchemaGuard, not {guard!r}")
    return guard
