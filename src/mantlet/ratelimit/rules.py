"""`Rule`: limits for some requests only, and the table that finds the limits of a request."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Literal

from mantlet._internal.options import KnowsOptions
from mantlet.core.policy import Close
from mantlet.core.request import Request
from mantlet.http.routing import Routes, parse_pattern
from mantlet.ratelimit.compiled import CompiledRule, ConcurrencyLimit, Hit, RequestLimits
from mantlet.ratelimit.keys.key import Key, KeyFunction, as_key, hash_if_long, is_digest
from mantlet.ratelimit.options import (
    Cost,
    CountIf,
    QuotaFunction,
    QuotaOption,
    check_concurrency,
    check_cost,
    check_count_if,
    read_quotas,
)
from mantlet.ratelimit.quota import Ban, Concurrency, LimitMode, Quota, check_limit_mode

__all__ = ["Rule", "RuleTable"]

_PARAMETER = re.compile(r"\{(\w+)")
#: How many results of `RuleTable.find()` are kept, and for how many characters of a request.
_MAX_CACHED = 512
_MAX_CACHED_LENGTH = 256
#: The rules that match one reading of a path, each with its path parameters.
_Matches = Sequence[tuple["Rule", Mapping[str, str]]]


class Rule(KnowsOptions):
    """Limits for the requests of one method and path template.

    They apply in addition to the limiter's own limits. Of all rules, those of the most specific
    matching template apply, and of its methods the exact one before ``*``; several rules with the
    same pattern apply together. A rule for ``GET`` also applies to ``HEAD``. Where the app may take
    a path for two of its own (`Request.route_paths`), the rules of both apply, and an exemption of
    one of them does not.

    Args:
        pattern: such as ``"POST /login"``, ``"GET /export/{kind}"`` or ``"* /static/*"``, with the
            path as the app's own routes have it. See `mantlet.http.routing`.
        quota: a rate, several rates joined by ``;``, a `Quota`, a sequence of these, or a function
            (``def`` or ``async def``) of the request that returns one of them, or None for no
            limit.
        key: names the bucket of a request; by default the limiter's key. See `mantlet.keys`.
        cost: the number of tokens that a request takes, or a function (``def`` or ``async def``) of
            the request that returns it. A request that costs more than a quota's burst is always
            refused; a constant cost of that kind is warned about.
        count_if: a predicate on the response; the request counts only if it returns true. Tokens
            are reserved before the app runs, so that concurrent requests can't slip through, and
            refunded afterwards. An exception counts by its status, or as 500.
        per: ``"request"``, which includes WebSocket handshakes, or ``"message"``: each message that
            a client sends over a WebSocket.
        exempt: these requests are not limited at all, not even by the limiter's own quota.
        override: the limiter's own quota does not apply to these requests.
        concurrency: how many of these requests may be in flight at once.
        ban: refuse a key for longer once it has been refused several times.
        mode: ``"enforce"``; ``"report"`` to decide, count and log without ever refusing or banning;
            or ``"off"``, as if the rule were not there, except for `RateLimiter.check()` and its
            like.
        over: what happens to a message over the quota: ``"close"`` closes the connection,
            ``"drop"`` drops the message.
        close_code: the close code of the connection: 1008 (RFC 6455, 7.4.1), or one of your own,
            such as 4429.

    Raises:
        TypeError: an option is of the wrong type, or can't be combined with another.
        ValueError: an option has an invalid value; the message names it and says what is valid.
    """

    def __init__(
        self,
        pattern: str,
        quota: QuotaOption | None = None,
        *,
        key: KeyFunction | None = None,
        cost: Cost = 1,
        count_if: CountIf | None = None,
        per: Literal["request", "message"] = "request",
        exempt: bool = False,
        override: bool = False,
        concurrency: Concurrency | None = None,
        ban: Ban | None = None,
        mode: LimitMode = "enforce",
        over: Literal["close", "drop"] = "close",
        close_code: int = 1008,
    ) -> None:
        if not isinstance(pattern, str):
            raise TypeError(f'pattern must be text such as "POST /login", not {pattern!r}')
        if per not in ("request", "message"):
            raise ValueError(f'per must be "request" or "message", not {per!r}')
        if over not in ("close", "drop"):
            raise ValueError(f'over must be "close" or "drop", not {over!r}')
        if exempt and (quota is not None or concurrency is not None):
            raise TypeError(f"the rule {pattern!r} is exempt, so it can't have a limit")
        if not exempt and not override and quota is None and concurrency is None:
            raise TypeError(
                f"the rule {pattern!r} has no effect: give it a quota, a concurrency, override "
                f"or exempt"
            )
        if per == "message" and (count_if is not None or concurrency is not None):
            raise TypeError('count_if and concurrency can\'t be used with per="message"')
        self.pattern = pattern
        self.quotas: tuple[Quota, ...] | QuotaFunction = () if quota is None else read_quotas(quota)
        self.key = None if key is None else as_key(key)
        self.cost = check_cost(cost, self.quotas)
        self.count_if = check_count_if(count_if)
        self.per = per
        self.exempt = exempt
        self.override = override
        self.concurrency = check_concurrency(concurrency)
        if ban is not None and not isinstance(ban, Ban):
            raise TypeError(f"ban must be a Ban(after=..., within=..., seconds=...), not {ban!r}")
        if ban is not None and not self.quotas:
            raise TypeError(f"the rule {pattern!r} has a ban, but no quota that refuses requests")
        if not self.quotas and (count_if is not None or cost != 1):
            raise TypeError(f"the rule {pattern!r} has a cost or count_if, but no quota")
        self.ban = ban
        self.mode = check_limit_mode(mode)
        self.close: Close | None = Close(close_code, "rate limit") if over == "close" else None

    def __repr__(self) -> str:
        return f"Rule({self.pattern!r})"


class RuleTable:
    """Finds the limits of a request: the limiter's own, and those of the rules that match it.

    Args:
        own: the limiter's own compiled rule, if it has a quota.
        concurrency: its own concurrency limit, if it has one.
        rules: its rules.
        namespace: distinguishes the limiter from others that use the same store.
        key: the key of rules without a key of their own.
        is_report_only: whether no rule ever refuses.

    Attributes:
        default: the limits of a request that no rule matches.
        is_routed: whether limits depend on the route of a request.
        has_count_if: whether some requests count by their response.
        has_concurrency: whether there are concurrency limits.
        has_report_only: whether some limits are in report mode.
        has_messages: whether there are rules for WebSocket messages.
        has_bans: whether refusals may ban a key.
        windows: the quotas that are counted in windows.
        has_buckets: whether there are token buckets or concurrency limits.
        trusted_headers: the headers that its keys trust.
    """

    def __init__(
        self,
        own: CompiledRule | None,
        concurrency: Concurrency | None,
        rules: Sequence[Rule],
        *,
        namespace: str,
        key: Key,
        is_report_only: bool,
    ) -> None:
        self._own = own
        self._concurrency = concurrency
        self._namespace = namespace
        self._key = key
        self._is_report_only = is_report_only
        if isinstance(rules, Rule):
            raise TypeError(f"rules must be a list, such as rules=[{rules!r}]")
        for rule in rules:
            checked: object = rule
            if not isinstance(checked, Rule):
                raise TypeError(f'a rule must be a Rule("POST /login", ...), not {rule!r}')
        self._compiled = dict(zip(rules, map(self._compile, rules, _numbers(rules)), strict=True))
        self.default = self._request_limits(())
        active = [rule for rule in rules if rule.mode != "off"]
        requests = [rule for rule in active if rule.per == "request"]
        messages = [rule for rule in active if rule.per == "message"]
        self._requests = Routes((rule.pattern, rule) for rule in requests)
        self._messages = Routes((rule.pattern, rule) for rule in messages)
        for group in (*self._requests.groups(), *self._messages.groups()):
            _check_parameter_names(group)
        #: The limits of each group of rules that apply together.
        self._limits = {group: self._request_limits(group) for group in self._requests.groups()}
        self._limits |= {group: self._message_limits(group) for group in self._messages.groups()}
        #: The limits of the requests that were seen last, by their methods and paths.
        self._found = lru_cache(_MAX_CACHED)(self._find)
        keys = [key, concurrency.key] if concurrency is not None and concurrency.key else [key]
        # A key that reads path parameters must not see those of another limiter.
        self.is_routed = bool(requests) or any(one.reads_path for one in keys)
        for rule in rules:
            keys += [] if rule.key is None else [rule.key]
            if rule.concurrency is not None and rule.concurrency.key is not None:
                keys.append(rule.concurrency.key)
        self.reads_identity = any(one.reads_identity for one in keys)
        self.trusted_headers = frozenset(name for one in keys for name in one.trusted_headers)
        self.has_messages = bool(messages)
        every = [self.default, *self._limits.values()]
        compiled = [rule for limits in every for rule in limits.rules]
        self.has_count_if = any(rule.count_if for rule in compiled)
        slots = [limit for limits in every for limit in limits.concurrency]
        self.has_concurrency = bool(slots)
        self.has_report_only = any(limit.is_report_only for limit in slots)
        self.has_report_only |= any(rule.is_report_only for rule in compiled)
        compiled += filter(None, self._compiled.values())  # also those that are off
        self.has_bans = any(rule.strikes for rule in compiled)
        self.windows = frozenset(quota for rule in compiled for quota in rule.windows)
        self.has_buckets = self.has_concurrency or any(rule.has_buckets for rule in compiled)

    def find(self, request: Request) -> RequestLimits:
        """Return the limits of a request: of every path that the app may take its path for."""
        paths = request.route_paths
        method = request.raw.get(request.method_key, "GET")
        is_short = sum(map(len, paths)) + len(method) <= _MAX_CACHED_LENGTH
        found = (self._found if is_short else self._find)(method, paths)
        # Set in any case, since an outer limiter may have left its own.
        limits, request.state._path_parameters = found
        return limits

    def _find(
        self, method: str, paths: tuple[str, ...]
    ) -> tuple[RequestLimits, Mapping[str, str] | None]:
        """Return the limits of a request, and its path parameters."""
        path = paths[0]
        if len(paths) == 1 and path[-1:] != "/" and "//" not in path:  # the usual case
            found = self._requests.match(method, path)
        else:
            readings = self._requests.match_all(method, paths)
            if len(readings) > 1:
                return self._strictest(readings), _parameters_of(readings)
            found = readings[0]
        if not found:
            return self.default, None
        return self._limits[tuple(rule for rule, _ in found)], found[0][1]

    def names_options(self, request: Request) -> bool:
        """Return whether a rule that matches a request names OPTIONS, and not just ``*``."""
        readings = self._requests.match_all(request.method, request.route_paths)
        rules = [rule for found in readings for rule, _ in found]
        return any("OPTIONS" in parse_pattern(rule.pattern).methods for rule in rules)

    def pattern_of(self, request: Request, *, per: Literal["request", "message"]) -> str | None:
        """Return the pattern of the rules that match a request, if there are any."""
        table = self._requests if per == "request" else self._messages
        readings = table.match_all(request.method, request.route_paths)
        return next((found[0][0].pattern for found in readings if found), None)

    def find_for_messages(self, request: Request) -> RequestLimits | None:
        """Return the limits of the messages of a WebSocket; None if no rule matches."""
        readings = self._messages.match_all(request.method, request.route_paths)
        if not any(readings):
            return None
        request.state._path_parameters = _parameters_of(readings)
        return self._strictest(list(filter(None, readings)))

    def _strictest(self, readings: Sequence[_Matches]) -> RequestLimits:
        """Return the limits of a request whose path can be read in several ways: all of them."""
        limits = [
            self._limits[tuple(rule for rule, _ in found)] if found else self.default
            for found in readings
        ]
        if len(limits) == 1:
            return limits[0]
        places = {place.prefix: place for each in limits for place in each.concurrency}
        return RequestLimits(
            dict.fromkeys(rule for each in limits for rule in each.rules),
            places.values(),
            check_names=False,  # those of rules that are never meant for the same requests
        )

    def prefixes(self) -> list[str]:
        """Return the beginnings of the keys of all buckets."""
        compiled = [self._own, *self._compiled.values()]
        return [rule.prefix for rule in compiled if rule is not None]

    def hits_of_key(self, pattern: str | None, key: str, cost: int) -> list[Hit]:
        """Return the hits of a key, outside of a request.

        Args:
            pattern: the pattern of a rule; None for the limiter's own quotas.
            key: the key.
            cost: the number of tokens.

        Raises:
            LookupError: the rule is unknown, or the limiter has no quota of its own.
            TypeError: the quota is a function of the request, or the key is not text.
        """
        if not isinstance(key, str):
            raise TypeError(f'a key must be text such as "192.0.2.1", not {key!r}')
        if callable(check_cost(cost, ())):
            raise TypeError("cost must be a number here, since there is no request")
        if pattern is None:
            rules = [] if self._own is None else [self._own]
        else:
            rules = [one for rule, one in self._compiled.items() if one and rule.pattern == pattern]
        if not rules:
            missing = "quota of its own" if pattern is None else f"rule {pattern!r} with a quota"
            raise LookupError(f"the limiter has no {missing}")
        # A hashed key is in its final form already.
        key = key if is_digest(key) else hash_if_long(key)
        hits: list[Hit] = []
        for rule in rules:
            if rule.limits is None:
                raise TypeError(f"the quota of {rule.name!r} is a function of the request")
            hits += rule.hits_of_key(rule.limits, key, cost)
        return hits

    def _request_limits(self, rules: Sequence[Rule]) -> RequestLimits:
        """Return the limits of requests that these rules match, all of them with one pattern."""
        if any(rule.exempt for rule in rules):
            return RequestLimits(())
        compiled = []
        if self._own is not None and not any(rule.override for rule in rules):
            compiled.append(self._own)
        concurrency = []
        if self._concurrency is not None:
            concurrency.append(self._concurrency_limit(self._concurrency))
        concurrency += [
            self._concurrency_limit(rule.concurrency, rule)
            for rule in rules
            if rule.concurrency is not None
        ]
        return RequestLimits(compiled + self._compiled_of(rules), concurrency)

    def _message_limits(self, rules: Sequence[Rule]) -> RequestLimits:
        exempt = any(rule.exempt for rule in rules)
        return RequestLimits(() if exempt else self._compiled_of(rules))

    def _compiled_of(self, rules: Sequence[Rule]) -> list[CompiledRule]:
        return [compiled for compiled in map(self._compiled.get, rules) if compiled]

    def _concurrency_limit(
        self, concurrency: Concurrency, rule: Rule | None = None
    ) -> ConcurrencyLimit:
        if rule is None:
            scope, key, is_report_only = self._namespace, None, self._is_report_only
        else:
            scope, key = f"{self._namespace}\0{rule.pattern}", rule.key
            is_report_only = rule.mode == "report" or self._is_report_only
        return ConcurrencyLimit.compile(
            concurrency, scope=scope, key=key or self._key, is_report_only=is_report_only
        )

    def _compile(self, rule: Rule, number: int | None) -> CompiledRule | None:
        """Compile the quotas of a rule; return None if it has none.

        Args:
            rule: the rule.
            number: its number among the rules with quotas and the same pattern; None if it is the
                only one.
        """
        if not rule.quotas:
            return None
        return CompiledRule(
            scope=(self._namespace, rule.pattern, rule.per, str(number or 0)),
            name=rule.pattern if number is None else f"{rule.pattern} #{number + 1}",
            quotas=rule.quotas,
            key=rule.key or self._key,
            cost=rule.cost,
            count_if=rule.count_if,
            ban=rule.ban,
            is_report_only=rule.mode == "report" or self._is_report_only,
            close=rule.close,
        )


def _numbers(rules: Sequence[Rule]) -> Iterator[int | None]:
    """Number the rules with quotas and the same pattern; a single one has no number."""
    kinds = [(rule.pattern, rule.per, bool(rule.quotas)) for rule in rules]
    counts, numbers = Counter(kinds), defaultdict[Any, Iterator[int]](count)
    for kind in kinds:
        yield next(numbers[kind]) if counts[kind] > 1 else None


def _parameters_of(readings: Sequence[_Matches]) -> Mapping[str, str]:
    """Return the path parameters of all readings, those of the first before the others."""
    named: dict[str, str] = {}
    for found in reversed(readings):
        named |= found[0][1] if found else {}
    return named


def _check_parameter_names(rules: Sequence[Rule]) -> None:
    """Reject rules for the same paths that give the path parameters different names."""
    names = {tuple(_PARAMETER.findall(rule.pattern)) for rule in rules}
    if len(names) > 1:
        patterns = sorted({rule.pattern for rule in rules})
        raise ValueError(f"rules for the same paths must use the same parameter names: {patterns}")
