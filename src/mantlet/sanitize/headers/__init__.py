"""Make response headers safe: security headers, cookies, and headers that must not be sent."""

from mantlet.sanitize.headers.cookies import Cookies
from mantlet.sanitize.headers.csp import Csp
from mantlet.sanitize.headers.header_policy import REQUEST_HEADERS, HeaderPolicy
from mantlet.sanitize.headers.native import joined_headers
from mantlet.sanitize.headers.nonce import csp_nonce, csp_nonce_context
from mantlet.sanitize.headers.security import Preset, SecurityHeaders, clear_site_data

__all__ = [
    "REQUEST_HEADERS",
    "Cookies",
    "Csp",
    "HeaderPolicy",
    "Preset",
    "SecurityHeaders",
    "clear_site_data",
    "csp_nonce",
    "csp_nonce_context",
    "joined_headers",
]
