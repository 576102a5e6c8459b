"""What leaves is safe, whatever the app wrote."""

from mantlet.sanitize.findings import Finding
from mantlet.sanitize.head import Cookies, Csp, SecurityHeaders, clear_site_data
from mantlet.sanitize.json_fields import JsonField
from mantlet.sanitize.leaks import Leaks
from mantlet.sanitize.policy import OutputSanitizer

__all__ = [
    "Cookies",
    "Csp",
    "Finding",
    "JsonField",
    "Leaks",
    "OutputSanitizer",
    "SecurityHeaders",
    "clear_site_data",
]
