"""Check options: their names, numbers and durations."""

import re
from typing import TYPE_CHECKING, Any, Final, Self

__all__ = ["KnowsOptions", "check_duration", "check_int", "check_number"]

#: `inspect.CO_VARKEYWORDS`: a function takes any keyword.
_TAKES_ANY: Final = 0x08
#: `inspect.CO_VARARGS`: a function takes any arguments by position.
_TAKES_MORE: Final = 0x04
#: Durations as text: a number and its unit, each in seconds.
_DURATION: Final = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class KnowsOptions:
    """Base of classes that refuse an unknown option with the nearest known one."""

    __slots__ = ()

    if not TYPE_CHECKING:  # a type checker reads the options of __init__

        def __new__(cls, *args: Any, **options: Any) -> Self:
            """Check the names of the options before ``__init__`` gets them.

            Raises:
                TypeError: an option is unknown, or is not passed by keyword.
            """
            if options or args:
                code = getattr(cls.__init__, "__code__", None)
                if args and _takes_keywords_alone(code):
                    raise _by_keyword(cls, code.co_varnames[1])
                if code is not None and _takes_fewer(code, len(args)):
                    raise _rest_by_keyword(cls, code)
                if code is not None and not code.co_flags & _TAKES_ANY:
                    known = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
                    for name in options:
                        if name not in known:
                            raise _unknown(cls, name, known)
            return super().__new__(cls)


def _takes_keywords_alone(code: Any) -> bool:
    return (
        code is not None
        and code.co_argcount == 1
        and code.co_kwonlyargcount > 0
        and not code.co_flags & _TAKES_MORE
    )


def _takes_fewer(code: Any, count: int) -> bool:
    return count >= code.co_argcount > 1 and not code.co_flags & _TAKES_MORE


def _rest_by_keyword(kind: type, code: Any) -> TypeError:
    names = ", ".join(code.co_varnames[1 : code.co_argcount])
    return TypeError(f"{kind.__name__}() takes {names} by position, all else by keyword")


def _by_keyword(kind: type, first: str) -> TypeError:
    name = kind.__name__
    usual = getattr(kind, "_usual_option", first)
    return TypeError(f"{name}() takes its options by keyword, such as {name}({usual}=...)")


def _unknown(kind: type, name: str, known: tuple[str, ...]) -> TypeError:
    from difflib import get_close_matches  # for a mistake alone

    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"its options are {', '.join(known)}"
    return TypeError(f"{kind.__name__}() has no option {name!r}; {hint}")


def check_int(
    option: str, value: object, *, least: int = 1, most: int | None = None, unit: str = ""
) -> int:
    """Return an option that is a whole number.

    Args:
        option: its name.
        value: its value.
        least: the smallest value that is allowed.
        most: the largest value that is allowed, if there is one.
        unit: what it counts, such as ``"bytes"``, for the message of the TypeError.

    Raises:
        TypeError: the value is not an int; a bool is not one here.
        ValueError: it is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        counted = f" of {unit}" if unit else ""
        raise TypeError(f"{option} must be a whole number{counted}, not {value!r}")
    if value < least or (most is not None and value > most):
        raise ValueError(f"{option} must be {_range(least, most)}, not {value}")
    return value


def check_number(
    option: str,
    value: object,
    *,
    least: float | None = None,
    most: float | None = None,
    unit: str = "seconds",
) -> float:
    """Return an option that is a number, whole or not.

    Args:
        option: its name.
        value: its value.
        least: the smallest value that is allowed; None: it must be more than 0.
        most: the largest value that is allowed, if there is one.
        unit: its unit, for the message.

    Raises:
        TypeError: the value is neither an int nor a float; a bool is not a number here.
        ValueError: it is out of range, or not a number (NaN).
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        counted = f" of {unit}" if unit else ""
        raise TypeError(f"{option} must be a number{counted}, not {value!r}")
    in_range = value > 0 if least is None else value >= least
    if not in_range or (most is not None and value > most):
        raise ValueError(f"{option} must be {_range(least, most, unit)}, not {value}")
    return value


def check_duration(
    option: str, value: object, *, least: float | None = None, most: float | None = None
) -> float:
    """Return an option that is a duration, in seconds.

    Args:
        option: its name.
        value: a number of seconds, or text such as ``"90s"``, ``"15m"``, ``"24h"`` or ``"7d"``.
        least: the shortest that is allowed, in seconds; None: it must be more than 0.
        most: the longest that is allowed, if there is one.

    Raises:
        TypeError: the value is neither a number nor text.
        ValueError: it is no duration, or out of range.
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if match is None:
            raise ValueError(f'{option} must be a duration such as "90s" or "24h", not {value!r}')
        value = int(match[1]) * _UNITS[match[2]]
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(
            f'{option} must be a duration such as "24h" or a number of seconds, not {value!r}'
        )
    return check_number(option, value, least=least, most=most)


def _range(least: float | None, most: float | None, unit: str = "") -> str:
    unit = f" {unit}" if unit else ""
    if least is None:
        return f"more than 0{unit}" + ("" if most is None else f" and at most {most}")
    return f"at least {least}{unit}" if most is None else f"from {least} to {most}{unit}"
