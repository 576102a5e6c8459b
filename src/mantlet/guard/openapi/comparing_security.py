"""Whether an operation asks for other credentials than another one."""

from collections.abc import Mapping

from mantlet.guard.openapi.model import Requirement, SchemeDescription

__all__ = ["asks_more"]

#: Alternatives, and the schemes that they name.
Security = tuple[tuple[Requirement, ...], Mapping[str, SchemeDescription]]
#: The forms of credentials that are asked for together, each with its scopes.
_Asked = Mapping[tuple[str | None, ...], frozenset[str]]


def asks_more(before: Security, after: Security) -> bool:
    """Return whether what satisfied the one security may not satisfy the other one."""
    old, new = _asked(before), _asked(after)
    return not all(any(_satisfies(shown, asked) for asked in new) for shown in old)


def _asked(security: Security) -> list[_Asked]:
    alternatives, schemes = security
    # None at all is an alternative in which nothing is asked for.
    return [
        {_form(schemes[name]): frozenset(scopes) for name, scopes in requirement}
        for requirement in alternatives or ((),)
    ]


def _form(scheme: SchemeDescription) -> tuple[str | None, ...]:
    return scheme.name, scheme.kind, scheme.place, scheme.parameter, scheme.scheme


def _satisfies(shown: _Asked, asked: _Asked) -> bool:
    return all(form in shown and scopes <= shown[form] for form, scopes in asked.items())
