"""Reject file names that are unsafe or misleading on any common system.

These are rejected (OWASP, File Upload Cheat Sheet): parts of a path, drive letters and streams
(``a.php::$DATA``), also in characters that Unicode's compatibility normalization turns into these
(UAX 15); percent-encodings (``%2e%2e%2f``, ``%00``) and HTML character references, which Django
decodes; control, bidirectional and other invisible characters; names that Windows reserves, or
characters that it strips: devices, ``<>:"|?*``, dots and spaces at the end; a dot at the beginning
(``.htaccess``). Names are never changed instead.

It can't tell whether a name is taken, or how a server treats files of its extension.
"""

import re
from html import unescape
from typing import Final
from unicodedata import normalize

__all__ = ["is_safe_filename"]

# Microsoft, "Naming Files, Paths, and Namespaces".
_DEVICE: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\xb9\xb2\xb3])[ ]*(?:\..*)?",
    re.IGNORECASE | re.DOTALL,
)
_RESERVED: Final = re.compile(r'[<>:"/\\|?*]|%[0-9A-Fa-f]{2}')
_SEPARATOR: Final = re.compile(r"[/\\]")
# Spaces that macOS and French write, and joiners that Persian and emoji need. Django removes them,
# so the name must be safe without them too, and they can't be in the extension.
_HARMLESS: Final = str.maketrans("", "", "\xa0\u202f\u200c\u200d")


def is_safe_filename(name: str, max_length: int) -> bool:
    """Return whether a file's name can be used as it is.

    Args:
        name: the name from the client.
        max_length: the maximum length in bytes.
    """
    if not name or len(name.encode()) > max_length:
        return False
    visible = name.translate(_HARMLESS)
    compatible = normalize("NFKC", visible)
    _, dot, extension = name.rpartition(".")
    return (
        visible.isprintable()
        and (not dot or extension.isprintable())
        and _RESERVED.search(visible) is None
        and _SEPARATOR.search(compatible) is None
        and not compatible.startswith((".", " "))
        and not compatible.endswith((".", " "))
        and _DEVICE.fullmatch(visible) is None
        and unescape(name) == name
    )
