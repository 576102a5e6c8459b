"""Parameters of paths, queries, headers and cookies, declared by a model or a document.

A `ParameterGroup` has the parameters of one place. Each is a `Parameter`, whose `Coercer` has the
types of its value.
"""

from mantlet.guard.parameters.coercion import TEXT, TEXTS, Coercer, coerce
from mantlet.guard.parameters.deep import DeepShape
from mantlet.guard.parameters.group import ParameterGroup
from mantlet.guard.parameters.parameter import Parameter, ParameterPlace, Style
from mantlet.guard.parameters.parts import PartsReader
from mantlet.guard.parameters.schema_shape import shape_of
from mantlet.guard.parameters.writing import write_field

__all__ = [
    "TEXT",
    "TEXTS",
    "Coercer",
    "DeepShape",
    "Parameter",
    "ParameterGroup",
    "ParameterPlace",
    "PartsReader",
    "Style",
    "coerce",
    "shape_of",
    "write_field",
]
