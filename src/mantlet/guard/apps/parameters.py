"""Make groups of parameters that are validated as FastAPI does."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from mantlet.guard.apps.fields import AppField, read_fields
from mantlet.guard.errors import Place
from mantlet.guard.options import OperationSettings
from mantlet.guard.parameters import TEXT, TEXTS, Coercer, Parameter, ParameterGroup
from mantlet.http.headers import is_token

__all__ = ["AppFields", "app_group", "open_query"]

#: The parameter that has the undeclared names of a query whose model takes them. It can't be a name
#: in a query that the group splits, since the group reads its members.
_OTHERS: Final = "*"
_ANY_TEXTS: Final = Coercer(types=frozenset({"object"}), additional=TEXT)


class AppFields:
    """Validates the values of one place; a `Schema`.

    Args:
        fields: the fields.
        converters: functions that convert the texts of the path, by name, as the router does.
        limit: the maximum number of errors to report.
    """

    __slots__ = ("_converters", "_fields", "_limit")

    # Any: a converter of Starlette.
    def __init__(
        self, fields: Sequence[AppField], limit: int, converters: Mapping[str, Any] | None = None
    ) -> None:
        self._fields = tuple(fields)
        self._limit = limit
        self._converters = converters or {}

    # Any: the interface's.
    def check(self, value: Any, place: Place) -> Any:
        """Return the validated values by the names of the app's parameters.

        Raises:
            ValidationFailed: with 422.
        """
        values: dict[str, Any] = value
        if _OTHERS in values and place == "query":
            values = {**values.pop(_OTHERS), **values}
        for name, convert in self._converters.items():
            if name in values:
                values[name] = convert(values[name])
        return read_fields(self._fields, values, self._limit)

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Return the validated values of an object."""
        return self.check(dict(value), place)

    def dump(self, value: Any) -> bytes:
        """Parameters are never serialized."""
        raise TypeError("parameters can't be serialized")


def app_group(
    place: Place,
    fields: Sequence[AppField],
    settings: OperationSettings,
    *,
    known: Iterable[str] = (),
    converters: Mapping[str, Any] | None = None,
) -> ParameterGroup | None:
    """Return the parameters of one place, or None if it has none.

    Args:
        place: the place.
        fields: the app's fields.
        settings: how strictly to treat the operation.
        known: names that the app reads by itself, such as those of credentials.
        converters: see `AppFields`.
    """
    if not fields and not known:
        return None
    sequences: dict[str, bool] = dict.fromkeys(known, False)
    required: set[str] = set()
    for field in fields:
        for names in field.names:
            for _, wire in names.aliases:
                if place in ("header", "cookie") and not is_token(wire):
                    continue  # no client can send it
                repeats = names.sequence and place != "cookie"
                sequences[wire] = sequences.get(wire, False) or repeats
        if field.required and not field.is_model and len(field.names[0].aliases) == 1:
            required.add(field.names[0].aliases[0][1])
    parameters = [
        Parameter(
            name=wire,
            place=place,  # type: ignore[arg-type]  # one of the four
            style="cookie" if place == "cookie" else None,
            required=place == "path" or wire in required,
            shape=TEXTS if is_sequence else TEXT,
            lines=is_sequence and place == "header",
        )
        for wire, is_sequence in sequences.items()
    ]
    extra = {setting for field in fields for setting in field.extra_settings}
    closed = "query" not in settings.allow and extra <= {"forbid"}
    if place == "query" and "allow" in extra:
        parameters.append(Parameter(name=_OTHERS, place="query", explode=True, shape=_ANY_TEXTS))
    return ParameterGroup(
        place,
        parameters,
        AppFields(fields, settings.limits.errors, converters),
        settings.limits,
        closed=closed,
        unique="duplicates" not in settings.allow,
    )


def open_query(settings: OperationSettings) -> ParameterGroup:
    """Return a query of any names within the limits, for an endpoint that reads it itself."""
    return ParameterGroup("query", (), None, settings.limits, closed=False)
