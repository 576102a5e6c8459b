"""The baseline: the policies that are safe for every app and need no decision."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from mantlet.core.lifecycle import Lifecycle, Startup
from mantlet.core.order import insert_in_order
from mantlet.core.policy import Policy

__all__ = ["default_policies", "make_stack"]


class _Stack(Protocol):
    app: Any
    policies: tuple[Policy, ...]
    _baseline: tuple[Policy, ...]
    _lifecycle: Lifecycle
    _startup: Startup


StackT = TypeVar("StackT", bound=_Stack)


def default_policies() -> tuple[Policy, ...]:
    """Return the baseline, the outermost first: an `OutputSanitizer` and an `ErrorEnvelope`.

    A rate limit or a schema is a decision, so neither is part of it.
    """
    return tuple(kind() for kind in _default_classes())


def make_stack(
    stack_class: Callable[..., StackT],
    app: Any,
    policies: Sequence[Policy],
    *,
    baseline: bool,
    startup: Startup,
) -> StackT:
    """Return a stack around an app; with the baseline, unless the caller opts out of it.

    A policy that is passed takes the place of the baseline's of the same class. Where the app is a
    stack already, its sanitizer and its envelope move out to their place around the new policies,
    so that the result has one baseline.

    Args:
        stack_class: `mantlet.asgi.Stack` or `mantlet.wsgi.Stack`.
        app: the app, or a stack of that class.
        policies: the policies to put around it, the outermost first.
        baseline: whether to add the baseline.
        startup: see `mantlet.wrap()`.

    Raises:
        TypeError: one of the policies is not a `Policy`.
    """
    if not baseline:
        return stack_class(app, policies, startup=startup)
    inner: StackT | None = app if type(app) is stack_class else None
    outer = list(policies)
    rest = [] if inner is None else list(inner.policies)
    replaceable = () if inner is None else inner._baseline
    added: list[Policy] = []
    for kind in _default_classes():
        present = [policy for policy in rest if isinstance(policy, kind)]
        if any(isinstance(policy, kind) for policy in policies):
            replaced = _identities(present) & _identities(replaceable)
            rest = [policy for policy in rest if id(policy) not in replaced]
            continue
        policy = present[0] if present else kind()
        rest = [other for other in rest if other is not policy]
        insert_in_order(outer, policy)
        if not present or id(policy) in _identities(replaceable):
            added.append(policy)
    if inner is None:
        stack = stack_class(app, outer, startup=startup)
    else:
        startup = "lazy" if inner._startup == "lazy" else startup
        started = inner._lifecycle.started
        stack = stack_class(inner.app, [*outer, *rest], startup=startup, _started=started)
    stack._baseline = tuple(added)
    return stack


def _identities(policies: Iterable[Policy]) -> set[int]:
    return set(map(id, policies))


def _default_classes() -> tuple[type[Policy], ...]:
    from mantlet.errors import ErrorEnvelope  # for the baseline alone
    from mantlet.sanitize import OutputSanitizer  # the same

    return OutputSanitizer, ErrorEnvelope
