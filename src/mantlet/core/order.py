"""The order of policies in a stack: where a policy belongs, and stacks that cannot work."""

from collections.abc import Sequence

from mantlet._internal.user_warnings import warn_user
from mantlet.core.policy import Policy

__all__ = ["check_order", "check_wsgi", "insert_in_order"]


def check_order(policies: Sequence[Policy]) -> None:
    """Warn about policies that cannot do their work where they are.

    A policy is compared with those outside it by `Policy.position`; it is misplaced where one of
    them belongs inside it, and it has a `Policy.position_reason` or that one an `inner_reason`.
    A policy that needs to know who is asking is misplaced outside the one that finds out.

    Args:
        policies: the policies of a stack, the outermost first.
    """
    for index, inner in enumerate(policies):
        if inner.position is None:
            continue
        for outer in reversed(policies[:index]):
            if outer.position is None or outer.position <= inner.position:
                continue
            inside, outside = type(inner).__name__, type(outer).__name__
            reason = inner.position_reason.format(outside) or outer.inner_reason.format(inside)
            if reason:
                warn_user(
                    f"{inside} is inside {outside}, so {reason}; pass {inside} before {outside}"
                )
                break
    _check_identity(policies)


def _check_identity(policies: Sequence[Policy]) -> None:
    active = [policy for policy in policies if policy.mode != "off"]
    finder = next((policy for policy in active if policy.authenticates), None)
    if finder is None:
        return
    inside = type(finder).__name__
    for policy in active[: active.index(finder)]:
        if policy.needs_identity:
            outside = type(policy).__name__
            warn_user(
                f"{inside} is inside {outside}, so {outside} doesn't know who is asking; pass "
                f"{inside} before {outside}"
            )


def insert_in_order(policies: list[Policy], policy: Policy) -> None:
    """Insert a policy outside all that belong inside it, and inside those that belong outside.

    Where both cannot be, it is outside.
    """
    place = 0
    for index, other in enumerate(policies):
        # A stack refuses anything but policies, later.
        position = getattr(other, "position", None)
        if position is None or policy.position is None:
            continue
        if position > policy.position:
            break
        place = index + 1
    policies.insert(place, policy)


def check_wsgi(policies: Sequence[Policy]) -> None:
    """Warn about policies that cannot do all of their work under WSGI.

    Args:
        policies: the policies of a stack that is made for WSGI.
    """
    for policy in policies:
        if policy.wsgi_reason and policy.mode != "off":
            warn_user(f"{type(policy).__name__} is under WSGI, where {policy.wsgi_reason}")
