"""Names of files that are what they seem, and nothing but a name, on every system.

What is refused (OWASP, File Upload Cheat Sheet): parts of a path, drive letters and streams
(``a.php::$DATA``), also in the compatibility forms that Unicode's normalization makes of others
(UAX 15); percent-encodings (``%2e%2e%2f``, ``%00``) and HTML's character references, which Django
undoes; control, bidirectional and other invisible characters; what Windows reserves, or strips: its
devices, ``<>:"|?*``, dots and spaces at the end; a dot at the beginning (``.htaccess``). No name is
ever changed instead.

What it can't tell is whether a name is taken, or what a server does with files of its ending.
"""

import re
from html import unescape
from typing import Final
from unicodedata import normalize

__all__ = ["is_safe"]

# Microsoft, "Naming Files, Paths, and Namespaces".
_DEVICE: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\xb9\xb2\xb3])[ ]*(?:\..*)?",
    re.IGNORECASE | re.DOTALL,
)
_RESERVED: Final = re.compile(r'[<>:"/\\|?*]|%[0-9A-Fa-f]{2}')
_SEPARATOR: Final = re.compile(r"[/\\]")
# Spaces that macOS and French write, and joiners that Persian and emoji need. Django leaves them
# out of a name, so what is left must be safe as well, and they can't be in its ending.
_HARMLESS: Final = str.maketrans("", "", "\xa0\u202f\u200c\u200d")


def is_safe(name: str, longest: int) -> bool:
    """Return whether a file's name can be used as it is.

    Args:
        name: as the client says it.
        longest: bytes of a name.
    """
    if not name or len(name.encode()) > longest:
        return False
    visible = name.translate(_HARMLESS)
    compatible = normalize("NFKC", visible)
    _, dot, ending = name.rpartition(".")
    return (
        visible.isprintable()
        and (not dot or ending.isprintable())
        and _RESERVED.search(visible) is None
        and _SEPARATOR.search(compatible) is None
        and not compatible.startswith((".", " "))
        and not compatible.endswith((".", " "))
        and _DEVICE.fullmatch(visible) is None
        and unescape(name) == name
    )
