"""Refusal events: a callable of the user's, and a few log records of each kind.

A record on ``mantlet.ratelimit`` has the limit's name, the pattern of the rule, the method, the
request id and a fingerprint of the key: not the key itself, which may be an address or a user name.
The fingerprint is keyed with a random secret, so that nobody finds the key by guessing. It is the
same for the same key in one process, and in workers that were forked from it.
"""

import logging
from collections.abc import Callable, Mapping
from os import urandom
from typing import Final, Literal

from mantlet._internal.coroutines import is_plain_function
from mantlet._internal.fingerprint import keyed_fingerprint
from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.error_log import log_failure, logged_method
from mantlet.core.request import Request
from mantlet.core.request_view import RequestView
from mantlet.ratelimit.decision import Decision
from mantlet.ratelimit.engine import LimitResult
from mantlet.ratelimit.rules import RuleTable

__all__ = ["OnRefuse", "RefusalReporter", "check_on_refuse"]

#: Called with the decision and the request; its result is ignored.
OnRefuse = Callable[[Decision, Request], object]

_POLICY: Final = "RateLimiter"
_log = logging.getLogger("mantlet.ratelimit")


def check_on_refuse(on_refuse: OnRefuse | None) -> OnRefuse | None:
    """Return an ``on_refuse`` option if it is None or a plain callable, else raise."""
    checked: object = on_refuse
    if checked is not None and not is_plain_function(checked):
        raise TypeError(
            f"on_refuse must be a plain function of the decision and the request, not {on_refuse!r}"
        )
    return on_refuse


class RefusalReporter:
    """Calls the user's callable for each refusal, and logs a few of each kind.

    Args:
        on_refuse: the callable, or None.
        table: finds the rule of a request.
    """

    def __init__(self, on_refuse: OnRefuse | None, table: RuleTable) -> None:
        self._on_refuse = on_refuse
        self._table = table
        self._throttle = LogThrottle(_log)
        self._secret = urandom(16)

    def refused(
        self,
        request: Request,
        decision: Decision,
        key: str,
        *,
        per: Literal["request", "message"] = "request",
    ) -> None:
        """Report a request or a message that was refused.

        Args:
            request: the request, of a message its handshake.
            decision: the decision.
            key: the client's key.
            per: which of the two was refused.
        """
        if isinstance(request, RequestView):  # in report mode, which has its own record
            return
        if self._on_refuse is not None:
            try:
                self._on_refuse(decision, request)
            except Exception as error:  # noqa: BLE001  # the user's own, which decides nothing
                log_failure(
                    _log, _POLICY, "on_refuse", error, throttle=self._throttle, request=request
                )
        if not _log.isEnabledFor(logging.WARNING):
            return
        suppressed = self._throttle.suppressed(f"{per} refused by {decision.name}")
        if suppressed is None:
            return
        extra = self._describe(request, decision, key, per, suppressed)
        _log.warning(
            "%s refused a %s by the limit %s (%s, route %s, request %s, key %s)%s",
            _POLICY,
            per,
            decision.name,
            extra["method"],
            extra["route"] or "-",
            extra["request_id"],
            extra["key_fingerprint"],
            f" (and {suppressed} more like it)" if suppressed else "",
            extra=extra,
        )

    def passed(
        self,
        request: Request,
        result: LimitResult,
        *,
        per: Literal["request", "message"] = "request",
    ) -> None:
        """Log the limits in report mode that would have refused a request or a message."""
        if not _log.isEnabledFor(logging.INFO):
            return
        for index, one in enumerate(result.decision.parts):
            if one.is_within_limit or not one.is_report_only:
                continue
            suppressed = self._throttle.suppressed(f"would have refused {one.name}")
            if suppressed is None:
                continue
            _log.info(
                "%s would have refused a %s by the limit %s%s",
                _POLICY,
                per,
                one.name,
                f" (and {suppressed} more like it)" if suppressed else "",
                extra=self._describe(request, one, result.hits[index].key, per, suppressed),
            )

    def _describe(
        self,
        request: Request,
        decision: Decision,
        key: str,
        per: Literal["request", "message"],
        suppressed: int,
    ) -> Mapping[str, object]:
        """Return the attributes of a record: no text of the client but a validated request id."""
        text = key.encode("utf-8", "surrogatepass")
        return {
            "policy": _POLICY,
            "limit": decision.name,
            "route": self._table.pattern_of(request, per=per),
            "method": logged_method(request),
            "key_fingerprint": keyed_fingerprint(text, self._secret),
            "request_id": request.state._request_id or "-",
            "repeats": suppressed,
        }
