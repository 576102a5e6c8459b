"""`Cedar`: decide by policies in the Cedar language.

Policies are evaluated by Cedar's own implementation, through ``cedarpy`` (the extra ``cedar``).
A request is allowed if a ``permit`` is satisfied and no ``forbid`` is. Cedar leaves out a policy
that fails to evaluate, also a ``forbid``; so where one fails, the request is refused, whatever the
others say. Let policies check attributes with ``has``, or check them against a schema here.

Source: Cedar Policy Language Reference, "Authorization" and "Validation", docs.cedarpolicy.com.
"""

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from mantlet._internal.extras import import_extra
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.options import KnowsOptions
from mantlet.core.identity import Identity

__all__ = ["Cedar"]

_log: Final = logging.getLogger("mantlet.authorization")
#: Text that a policy begins with, in place of a path.
_POLICY: Final = re.compile(r"(?:\s++|//[^\n]*+)*+(?:@|permit\s*+\(|forbid\s*+\()")
_TYPE: Final = re.compile(r"[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*", re.ASCII)
#: The name of a policy in the messages of Cedar: its number among all of them.
_NUMBER: Final = re.compile(r"policy(\d+)")
#: What separates policies: their end, with the strings and comments that may hold semicolons.
_STATEMENT: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|//[^\n]*+|;', re.DOTALL)
#: The identity of requests without one.
_ANONYMOUS: Final = "anonymous"

# Any: plain JSON, and objects of the app's own.
Entity = Mapping[str, Any]
Entities = Callable[[Identity | None, str, Any], Sequence[Entity]]
Reference = Callable[[Any], tuple[str, str]]


class _Policy(NamedTuple):
    """A policy, and where it is."""

    text: str
    place: str


class Cedar(KnowsOptions):
    """Decide by policies in the Cedar language; an `Engine`.

    The principal is ``User::"subject"``, with the attributes ``scopes``, ``roles`` (sets) and
    ``scheme``, and a parent ``Role::"name"`` for each role; without an identity it is
    ``User::"anonymous"`` of the type ``Anonymous``. The action is ``Action::"read"``.

    Args:
        policies: the path of a ``.cedar`` file; that of a directory, whose ``.cedar`` files are
            read in the order of their names, also those in directories; or the text of policies.
        schema: the path of a schema in Cedar's own format or JSON, its text, or the schema as a
            dict; policies are checked against it here. None for no check.
        principal: the type of principals.
        role: the type of their parents.
        action: the type of actions: ``Action``, or that in a namespace.
        resource: a callable that returns the type and the id of an object that the view passes to
            `mantlet.authorize()`; by default the name of its class and its attribute ``id``. An
            object that is None is ``Resource::"none"``.
        entities: a callable of the identity, the action and the object that returns entities, as
            dicts in Cedar's JSON form, such as the object with its attributes. One for the
            principal takes the place of the usual one.
        context: a callable of the request, as the view passes it, that returns the context.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: a policy, the schema or a name is invalid, or there is no policy; the message
            names the file and the line.
        ImportError: the extra ``cedar`` is not installed.
        OSError: a file can't be read.
    """

    def __init__(
        self,
        policies: str | os.PathLike[str],
        *,
        schema: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        principal: str = "User",
        role: str = "Role",
        action: str = "Action",
        resource: Reference | None = None,
        entities: Entities | None = None,
        context: Callable[[Any], Mapping[str, Any]] | None = None,
    ) -> None:
        self._cedar = import_extra("cedarpy", "cedar")
        for name, value in (("principal", principal), ("role", role), ("action", action)):
            _check_type(name, value)
        for name, function in (
            ("resource", resource),
            ("entities", entities),
            ("context", context),
        ):
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be a callable, not {function!r}")
        self._principal = principal
        self._role = role
        self._action = action
        self._resource = resource or _reference
        self._entities = entities
        self._context = context
        self._policies = list(_read_policies(policies))
        if not self._policies:
            raise ValueError(f"policies must have at least one policy: {os.fspath(policies)!r}")
        for policy in self._policies:
            if self._parsed(policy.text, policy.place).templates():
                raise ValueError(
                    f"{policy.place}: a template never applies, not even one that forbids; write "
                    f"policies without ?principal and ?resource"
                )
        text = "\n".join(policy.text for policy in self._policies)
        self._set = self._parsed(text, "policies")
        self._schema = None if schema is None else self._checked(text, schema)
        self._throttle = LogThrottle(_log)

    # Any: the library's own.
    def _parsed(self, text: str, place: str) -> Any:
        try:
            return self._cedar.PolicySet.from_str(text)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None

    # Any: plain JSON, and the library's own.
    def _checked(self, text: str, schema: str | os.PathLike[str] | Mapping[str, Any]) -> Any:
        """Return the schema, once the policies have been checked against it."""
        place, content = _read_schema(schema)
        try:
            parsed = self._cedar.Schema.from_str(content)
        except ValueError as error:
            try:
                parsed = self._cedar.Schema.from_json_str(content)
            except (AttributeError, ValueError):
                raise ValueError(f"{place}: {error}") from None
        result = self._cedar.validate_policies(text, parsed)
        if not result.validation_passed:
            lines = [f"{self._place(str(one))}: {one.error}" for one in result.errors]
            raise ValueError("\n".join(lines) or "the policies do not match the schema")
        return parsed

    def _place(self, message: str) -> str:
        """Return where the policy is that a message names."""
        found = _NUMBER.search(message)
        number = int(found[1]) if found else len(self._policies)
        return self._policies[number].place if number < len(self._policies) else "policies"

    # Any: objects of the app's own, and requests of frameworks.
    def decide(self, identity: Identity | None, action: str, resource: Any, request: Any) -> bool:
        """Return whether the policies allow it; see `Engine`.

        Raises:
            TypeError: the object has no type or id.
            ValueError: Cedar does not accept the request, such as an entity.
        """
        principal = _uid("Anonymous", _ANONYMOUS)
        if identity is not None:
            principal = _uid(self._principal, identity.subject)
        target = _uid("Resource", "none") if resource is None else _uid(*self._resource(resource))
        entities = [*(self._entities(identity, action, resource) if self._entities else ())]
        if identity is not None and not any(_names(one, principal) for one in entities):
            entities.append(self._principal_entity(identity, principal))
        asked = {
            "principal": principal,
            "action": _uid(self._action, action),
            "resource": target,
            "context": {} if self._context is None else dict(self._context(request)),
        }
        result = self._cedar.is_authorized(asked, self._set, json.dumps(entities), self._schema)
        decision = result.decision.name
        if decision == "NoDecision":
            # Its text may have values of the client.
            raise ValueError("Cedar does not accept the request or its entities")
        failed = list(dict.fromkeys(map(self._place, result.diagnostics.errors)))
        if failed and self._throttle.suppressed(f"{failed}") is not None:
            _log.warning("Cedar: these policies fail, so they refuse: %s", ", ".join(failed))
        return decision == "Allow" and not failed

    def _principal_entity(self, identity: Identity, uid: Mapping[str, str]) -> Entity:
        return {
            "uid": uid,
            "attrs": {
                "scheme": identity.scheme,
                "scopes": sorted(identity.scopes),
                "roles": sorted(identity.roles),
            },
            "parents": [_uid(self._role, role) for role in sorted(identity.roles)],
        }

    def __repr__(self) -> str:
        return f"Cedar({len(self._policies)} policies)"


def _check_type(option: str, value: object) -> None:
    """Check the name of a type.

    Raises:
        TypeError: it is not text.
        ValueError: it is not a name, or that of an action is not ``Action``, as Cedar wants.
    """
    if not isinstance(value, str):
        raise TypeError(f"{option} must be the name of a type, not {value!r}")
    if not _TYPE.fullmatch(value):
        raise ValueError(f'{option} must be the name of a type such as "User", not {value!r}')
    if option == "action" and value.rpartition("::")[2] != "Action":
        raise ValueError(f'action must be "Action", or that in a namespace, not {value!r}')


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def _names(entity: Entity, uid: Mapping[str, str]) -> bool:
    own = entity.get("uid")
    own = own.get("__entity", own) if isinstance(own, Mapping) else own
    return own == uid


# Any: an object of the app's own.
def _reference(resource: Any) -> tuple[str, str]:
    """Return the type and the id of an object."""
    name = getattr(resource, "id", None)
    if name is None or callable(name):
        raise TypeError(
            f"the object {type(resource).__name__} has no id: pass resource= to Cedar, a callable "
            f"that returns its type and its id"
        )
    return type(resource).__name__, str(name)


# -- files ----------------------------------------------------------------------------------------


def _read_policies(source: object) -> Iterator[_Policy]:
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"policies must be a path or the text of policies, not {source!r}")
    if isinstance(source, str) and _POLICY.match(source):
        yield from _split("policies", source)
        return
    path = Path(source)
    if not path.is_dir():
        yield from _split(str(path), path.read_text("utf-8"))
        return
    for one in sorted(path.rglob("*.cedar")):
        yield from _split(str(one), one.read_text("utf-8"))


def _split(name: str, text: str) -> Iterator[_Policy]:
    """Iterate over the policies of a text, each with the line that it begins in."""
    start = 0
    for found in _STATEMENT.finditer(text):
        if found[0] == ";":
            yield _one(name, text, start, found.end())
            start = found.end()
    if re.sub(r"//[^\n]*", "", text[start:]).strip():
        yield _one(name, text, start, len(text))


def _one(name: str, text: str, start: int, end: int) -> _Policy:
    policy = text[start:end]
    blank = re.match(r"(?:\s|//[^\n]*)*", policy)
    begin = start + (blank.end() if blank else 0)
    return _Policy(policy, f"{name}:{text.count(chr(10), 0, begin) + 1}")


def _read_schema(schema: str | os.PathLike[str] | Mapping[str, Any]) -> tuple[str, str]:
    """Return the name and the text of a schema."""
    if isinstance(schema, Mapping):
        return "schema", json.dumps(schema)
    if not isinstance(schema, (str, os.PathLike)):
        raise TypeError(f"schema must be a path, the text of a schema or a dict, not {schema!r}")
    if isinstance(schema, str) and ("{" in schema or ";" in schema):
        return "schema", schema
    return str(schema), Path(schema).read_text("utf-8")
