"""Which limits hold for a request: the limiter's own, and those of the rules that match it."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from mantlet.core.request import Request
from mantlet.http.routing import Routes
from mantlet.ratelimit.compiled import Bound, Charge, Plan
from mantlet.ratelimit.concurrency import Concurrency
from mantlet.ratelimit.keys.key import KeyFunction
from mantlet.ratelimit.rules import Rule

__all__ = ["Book"]

_PARAMETER = re.compile(r"\{(\w+)")


class Book:
    """The limiter's own limits and its rules, by what they hold for.

    Args:
        own: the limiter's own charge, if it has one.
        concurrency: its own bound on what is in flight, if it has one.
        rules: its rules.
        namespace: tells it from other limiters in the same store.
        key: whose buckets a rule means that does not say so.
        shadow: whether all rules are only tried out.

    Attributes:
        plan: what holds where no rule does.
        routed: whether there are rules for requests.
        counts: whether an answer decides if its request counts.
        bounds: whether what is in flight is bounded.
        messages: whether there are rules for messages.
        windows: whether something is counted in windows.
        buckets: whether something is counted in buckets, or held.
    """

    def __init__(
        self,
        own: Charge | None,
        concurrency: Concurrency | None,
        rules: Sequence[Rule],
        *,
        namespace: str,
        key: KeyFunction,
        shadow: bool,
    ) -> None:
        self._own = own
        self._concurrency = concurrency
        self._namespace = namespace
        self._key = key
        self._shadow = shadow
        for rule in rules:
            checked: object = rule
            if not isinstance(checked, Rule):
                raise TypeError(f'a rule must be a Rule("POST /login", ...), not {rule!r}')
        self._charges = dict(zip(rules, map(self._charge, rules, _numbers(rules)), strict=True))
        self.plan = self._plan(())
        requests = [rule for rule in rules if rule.per == "request"]
        messages = [rule for rule in rules if rule.per == "message"]
        self._requests = Routes((rule.pattern, rule) for rule in requests)
        self._messages = Routes((rule.pattern, rule) for rule in messages)
        for group in (*self._requests.groups(), *self._messages.groups()):
            _check_names(group)
        #: By the rules that apply together.
        self._plans = {group: self._plan(group) for group in self._requests.groups()}
        self._plans |= {group: self._message_plan(group) for group in self._messages.groups()}
        self.routed = bool(requests)
        self.messages = bool(messages)
        plans = list(self.plans())
        self.counts = any(charge.count_if for plan in plans for charge in plan.charges)
        self.bounds = any(plan.bounds for plan in plans)
        self.windows = any(charge.windowed for plan in plans for charge in plan.charges)
        self.buckets = self.bounds or any(
            charge.bucketed for plan in plans for charge in plan.charges
        )

    def find(self, request: Request) -> Plan:
        """Return what holds for a request."""
        found = self._requests.match(request.method, request.route_path)
        if not found:
            request.state._path_parameters = None  # what a limiter further out has found
            return self.plan
        request.state._path_parameters = found[0][1]
        return self._plans[tuple(rule for rule, _ in found)]

    def find_messages(self, request: Request) -> Plan | None:
        """Return what holds for the messages of a WebSocket."""
        found = self._messages.match(request.method, request.route_path)
        if not found:
            return None
        request.state._path_parameters = found[0][1]
        return self._plans[tuple(rule for rule, _ in found)]

    def charges(self, pattern: str | None = None) -> list[Charge]:
        """Return the limiter's own charge, if it has one, or those of the rules of a pattern."""
        if pattern is None:
            return [] if self._own is None else [self._own]
        return [
            charge for rule, charge in self._charges.items() if charge and rule.pattern == pattern
        ]

    def plans(self) -> Iterator[Plan]:
        """Iterate over all plans there are."""
        yield self.plan
        yield from self._plans.values()

    def _plan(self, rules: Sequence[Rule]) -> Plan:
        """Return what holds for requests that these rules, all of one pattern, match."""
        if any(rule.exempt for rule in rules):
            return Plan((), ())
        charges = []
        if self._own is not None and not any(rule.override for rule in rules):
            charges.append(self._own)
        bounds = []
        if self._concurrency is not None:
            bounds.append(self._bound(self._concurrency))
        bounds += [
            self._bound(rule.concurrency, rule) for rule in rules if rule.concurrency is not None
        ]
        return Plan(charges + self._of_rules(rules), bounds)

    def _message_plan(self, rules: Sequence[Rule]) -> Plan:
        exempt = any(rule.exempt for rule in rules)
        return Plan(() if exempt else self._of_rules(rules), ())

    def _of_rules(self, rules: Sequence[Rule]) -> list[Charge]:
        return [charge for charge in map(self._charges.get, rules) if charge]

    def _bound(self, concurrency: Concurrency, rule: Rule | None = None) -> Bound:
        if rule is None:
            scope, key, shadow = self._namespace, None, self._shadow
        else:
            scope = f"{self._namespace}\0{rule.pattern}"
            key, shadow = rule.key, rule.mode == "report" or self._shadow
        return Bound.of(concurrency, scope=scope, key=key or self._key, shadow=shadow)

    def _charge(self, rule: Rule, number: int | None) -> Charge | None:
        """Return what requests have to pay by a rule, if it has a quota.

        Args:
            rule: the rule.
            number: of those with quotas that have the same pattern; None for the only one.
        """
        if not rule.quotas:
            return None
        return Charge(
            scope=(self._namespace, rule.pattern, rule.per, str(number or 0)),
            name=rule.pattern if number is None else f"{rule.pattern} #{number + 1}",
            quotas=rule.quotas,
            key=rule.key or self._key,
            cost=rule.cost,
            count_if=rule.count_if,
            shadow=rule.mode == "report" or self._shadow,
            close=rule.close,
        )


def _numbers(rules: Sequence[Rule]) -> Iterator[int | None]:
    """Iterate over the numbers of rules among those with quotas and with the same pattern."""
    kinds = [(rule.pattern, rule.per, bool(rule.quotas)) for rule in rules]
    counts, numbers = Counter(kinds), defaultdict[Any, Iterator[int]](count)
    for kind in kinds:
        yield next(numbers[kind]) if counts[kind] > 1 else None


def _check_names(rules: Sequence[Rule]) -> None:
    """Refuse rules of the same paths that name the parameters of these in different ways."""
    names = {tuple(_PARAMETER.findall(rule.pattern)) for rule in rules}
    if len(names) > 1:
        patterns = sorted({rule.pattern for rule in rules})
        raise ValueError(f"rules for the same paths must name parameters alike: {patterns}")
