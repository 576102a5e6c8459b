"""Whether a new schema lets through all that an old one did."""

from typing import Any, Final

import jsonschema_rs

from mantlet.guard.jsonschema.keywords import walk
from mantlet.guard.jsonschema.number_formats import FORMATS
from mantlet.guard.jsonschema.schema import JsonSchema

__all__ = ["accepts_all"]

_ANSWERS: Final = {"yes": True, "no": False}


def accepts_all(old: JsonSchema, new: JsonSchema) -> bool | None:
    """Return whether a schema allows every value that another one does.

    Formats of one name are taken for one, whatever functions hold them.

    Args:
        old: whose values they are.
        new: that is asked about.

    Returns:
        None where it can't be decided.
    """
    try:
        answer = _canonical(new).covers(_canonical(old))
    except ValueError:
        return None
    return _ANSWERS.get(answer.value)


def _canonical(schema: JsonSchema) -> jsonschema_rs.CanonicalSchema:
    # Any: a schema is plain JSON.
    whole: Any = jsonschema_rs.canonical.schema.clone(schema.standing_alone())
    for _, part in walk(whole):
        # Those of numbers are bounds by now.
        if not schema.validators.hold_formats or part.get("format") in FORMATS:
            part.pop("format", None)
    return jsonschema_rs.canonicalize(
        whole, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )
