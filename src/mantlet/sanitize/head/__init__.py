"""The head of an answer: safe fields, security fields, cookies, and what it says of the body."""

from mantlet.sanitize.head.clear import clear_site_data
from mantlet.sanitize.head.content import looks_like_json
from mantlet.sanitize.head.cookies import Cookies
from mantlet.sanitize.head.csp import Csp
from mantlet.sanitize.head.head import Head, joined_values
from mantlet.sanitize.head.security import Preset, SecurityHeaders

__all__ = [
    "Cookies",
    "Csp",
    "Head",
    "Preset",
    "SecurityHeaders",
    "clear_site_data",
    "joined_values",
    "looks_like_json",
]
