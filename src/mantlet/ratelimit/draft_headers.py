"""``RateLimit`` and ``RateLimit-Policy`` of one quota, made once for each state that they show."""

from math import gcd
from typing import Any, Final

from mantlet.core.problem import Problem
from mantlet.http.header_name import HeaderName
from mantlet.ratelimit.decision import BucketDecision
from mantlet.ratelimit.quota import Quota

__all__ = ["LIMIT_HEADER", "POLICY_HEADER", "DraftHeaders", "KnownHeaders"]

POLICY_HEADER: Final = HeaderName("RateLimit-Policy")
LIMIT_HEADER: Final = HeaderName("RateLimit")
#: How many states of a quota are kept, at about 300 bytes each.
_KEPT = 256

# Any: the native names and values, of bytes under ASGI and of str under WSGI.
#: A header with the key under which a request keeps it for the response.
_KeyedHeader = tuple[Any, tuple[Any, Any]]
#: ``RateLimit-Policy`` and ``RateLimit``, and the problem of a refusal, by a state of the quota.
KnownHeaders = dict[int, tuple[_KeyedHeader, _KeyedHeader, Problem | None]]


class DraftHeaders:
    """Both headers of a request that has one quota only, in each protocol's own form.

    Args:
        quota: the quota.
        item: its name as a String of a structured header.
        policy: its item in ``RateLimit-Policy``.

    Attributes:
        step: bounds the states: rooms with the same multiple of so many ticks are shown alike.
        known: the headers made so far, by that multiple: of WSGI (index 0) and of ASGI (index 1).
    """

    __slots__ = ("_item", "_policies", "known", "step")

    def __init__(self, quota: Quota, item: str, policy: str) -> None:
        self._item = item
        self._policies = _native(POLICY_HEADER, policy)
        self.step = gcd(quota.interval, quota.second)
        self.known: tuple[KnownHeaders, KnownHeaders] = ({}, {})

    def keep(
        self, room: int, decision: BucketDecision, problem: Problem | None, *, is_async: bool
    ) -> None:
        """Keep the headers of a decision for the next request with the same.

        Args:
            room: the room that is left in the bucket, in ticks.
            decision: the decision.
            problem: answers the request if it was refused.
            is_async: whether the headers are for ASGI.
        """
        known = self.known[is_async]
        if len(known) >= _KEPT:
            known.clear()
        shown = _native(LIMIT_HEADER, self._item + decision.parameters())[is_async]
        known[room // self.step] = self._policies[is_async], shown, problem


def _native(name: HeaderName, value: str) -> tuple[_KeyedHeader, _KeyedHeader]:
    """Return a header as WSGI and as ASGI have it."""
    return (
        (name.text_key, (name.text, value)),
        (name.bytes_key, (name.lower, value.encode())),
    )
