"""The `mode` option of every policy: enforce, report, or off, for all requests or by route."""

import logging
import os
from collections.abc import Mapping
from typing import Final, Literal, get_args

from mantlet.core.preflight import METHOD_OVERRIDE_NAMES
from mantlet.core.request import Request
from mantlet.http.routing import Routes

__all__ = ["Mode", "ModeOption", "RouteModes", "check_mode"]

Mode = Literal["enforce", "report", "off"]
"""How a policy acts: on the response, in the log alone, or not at all."""
ModeOption = Mode | Mapping[str, Mode]
"""One mode for every request, or modes by route patterns such as ``"POST /login"``."""

#: The environment variable that overrides the mode of every policy: ``report`` or ``off``.
VARIABLE: Final = "MANTLET_MODE"

_MODES: Final = get_args(Mode)
_log = logging.getLogger("mantlet")
_logged: set[str] = set()


class RouteModes:
    """Modes by route patterns; a route that no pattern matches is enforced.

    Args:
        modes: the mode for each pattern of `mantlet.http.routing`.

    Raises:
        TypeError: a pattern is not text.
        ValueError: a pattern is malformed, or a mode is unknown.
    """

    __slots__ = ("_routes", "modes")

    def __init__(self, modes: Mapping[str, Mode]) -> None:
        self.modes = {pattern: _known(mode) for pattern, mode in modes.items()}
        self._routes: Routes[Mode] = Routes(self.modes.items())

    def find(self, request: Request) -> Mode:
        """Return the mode of a request; the strictest one where its path has several readings.

        So it is where a header may replace its method, in a middleware of the app.
        """
        methods = request.method, *request.get_headers(METHOD_OVERRIDE_NAMES).values()
        readings = (
            found
            for method in methods
            for found in self._routes.match_all(method, request.route_paths)
        )
        return min((found[0][0] if found else "enforce" for found in readings), key=_MODES.index)

    def __repr__(self) -> str:
        return f"RouteModes({self.modes!r})"


def check_mode(option: ModeOption) -> Mode | RouteModes:
    """Return the mode of a policy: its option, unless ``MANTLET_MODE`` overrides it.

    Args:
        option: ``"enforce"``, ``"report"`` (decide, count and log, and change nothing), ``"off"``,
            or a mapping of route patterns to these.

    Raises:
        TypeError: the option is neither text nor a mapping, or a pattern is not text.
        ValueError: a mode is unknown, a pattern is malformed, or ``MANTLET_MODE`` is neither
            ``report`` nor ``off``.
    """
    if not isinstance(option, (str, Mapping)):
        raise TypeError(
            f'mode must be "enforce", "report" or "off", or a mapping of route patterns to these, '
            f"not {option!r}"
        )
    own = _known(option) if isinstance(option, str) else RouteModes(option)
    override = os.environ.get(VARIABLE)
    if not override:
        return own
    if override not in ("report", "off"):
        raise ValueError(f"{VARIABLE} must be report or off, not {override!r}")
    if override not in _logged:
        _logged.add(override)
        _log.warning("%s=%s overrides the mode of every policy", VARIABLE, override)
    return "off" if override == "off" else "report"


def _known(mode: str) -> Mode:
    for known in _MODES:
        if mode == known:
            found: Mode = known
            return found
    raise ValueError(f'mode must be "enforce", "report" or "off", not {mode!r}')
