"""Make response headers safe: security headers, cookies, and headers that must not be sent."""

from mantlet.sanitize.headers.cookies import Cookies
from mantlet.sanitize.headers.csp import Csp
from mantlet.sanitize.headers.header_policy import HeaderPolicy, joined_values
from mantlet.sanitize.headers.security import Preset, SecurityHeaders, clear_site_data

__all__ = [
    "Cookies",
    "Csp",
    "HeaderPolicy",
    "Preset",
    "SecurityHeaders",
    "clear_site_data",
    "joined_values",
]
