"""`OutputSanitizer`: make every response safe to send, whatever the app has written."""

from mantlet.sanitize.headers import (
    Cookies,
    Csp,
    SecurityHeaders,
    clear_site_data,
    csp_nonce,
    csp_nonce_context,
)
from mantlet.sanitize.json_fields import JsonField
from mantlet.sanitize.leaks import Leaks
from mantlet.sanitize.policy import OutputSanitizer
from mantlet.sanitize.reporting import Finding
from mantlet.sanitize.rules.pattern import Pattern

__all__ = [
    "Cookies",
    "Csp",
    "Finding",
    "JsonField",
    "Leaks",
    "OutputSanitizer",
    "Pattern",
    "SecurityHeaders",
    "clear_site_data",
    "csp_nonce",
    "csp_nonce_context",
]
