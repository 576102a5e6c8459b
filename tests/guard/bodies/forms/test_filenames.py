"""Names of files."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard.bodies.forms.filenames import is_safe_filename

from . import peers as _peers  # for Django's settings

__all__ = ["_peers"]


@pytest.mark.parametrize(
    "name",
    [
        "photo.png",
        "README",
        "my file (1).tar.gz",
        "a..b.txt",
        "R&D, 100% + more; done's.txt",
        "été.png",
        "e\u0301te\u0301.png",
        "写真\uff1a夏\uff1f.jpg",
        "Screenshot 2026-01-01 at 1.00.00\u202fPM.png",
        "\u0646\u0627\u0645\u0647\u200c\u0647\u0627.pdf",
        "conman.txt",
        "com10.txt",
        "file.con",
        "~a#b@c!$^{}[]=.txt",
    ],
)
def test_a_name_that_is_nothing_but_a_name_is_safe(name: str) -> None:
    """Usual names of any script can be used, punctuation and no-break spaces among them."""
    assert is_safe_filename(name, 200)


@pytest.mark.parametrize(
    "name",
    [
        # OWASP, File Upload Cheat Sheet and Test Upload of Malicious Files (WSTG-BUSL-09).
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "/etc/passwd",
        "C:\\boot.ini",
        "C:boot.ini",
        "\\\\host\\share",
        "a/b.png",
        "..",
        ".",
        "...",
        ".htaccess",
        ".env",
        " .htaccess",
        "web.config.",
        "shell.php.",
        "shell.php ",
        "shell.php...",
        "shell.php\u2026",
        "shell.php%00.jpg",
        "shell.php\0.jpg",
        "shell.php\x0a.jpg",
        "shell.php\r\n.jpg",
        "shell.php\t.jpg",
        "shell.php\x85.jpg",
        "file.asp::$DATA",
        "file.asax:.jpg",
        "%2e%2e%2fetc%2fpasswd",
        "a%2Fb",
        "%22.png",
        # CVE-2021-28658 (Django), CVE-2026-24486 (python-multipart).
        "..&#x2F;hax0rd.txt",
        "..&sol;hax0rd.txt",
        "/var/hax0rd.txt",
        # Unicode's UAX 15: a slash, a backslash and dots by normalization.
        "a\uff0fb",
        "a\uff3cb",
        "\uff0e\uff0e",
        "\u2025a",
        "\u2105.txt",
        # UTS 55: bidirectional controls. "gpj.exe" seems to be "exe.jpg".
        "photo\u202egpj.exe",
        "photo\u2066.exe",
        "a\u200eb",
        "a\u061cb",
        "a\u00adb.txt",
        "a\u2028b",
        "a\ue000b",
        "a\x7fb",
        # Django leaves these out, and finds a file of another kind.
        "\u200d.htaccess",
        "C\u200dON",
        "shell.p\u200dhp",
        "shell.php\xa0",
        # Microsoft, "Naming Files, Paths, and Namespaces".
        "CON",
        "con.txt",
        "NUL.tar.gz",
        "aux .txt",
        "PRN",
        "COM1.log",
        "com\xb9",
        "LPT9",
        "CONIN$",
        "conout$.x",
        "a<b",
        "a>b",
        'a"b',
        "a|b",
        "a?b",
        "a*b",
        # What Django undoes (html.unescape).
        "&sol;etc",
        "a&#47;b",
        "&copy.png",
        "",
        " a.txt",
        "é" * 101,
    ],
)
def test_a_name_that_could_be_more_is_not_safe(name: str) -> None:
    """Parts of paths, devices, hidden characters and encodings are refused, never mended."""
    assert not is_safe_filename(name, 200)


def test_a_name_is_bounded_in_bytes() -> None:
    """The limit is of bytes, since file systems have one of bytes."""
    assert is_safe_filename("é" * 100, 200)
    assert not is_safe_filename("é" * 100 + "a", 200)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.text("./\\:&%2fcon", max_size=6)
)
@settings(max_examples=300)
def test_a_safe_name_is_one_to_the_system_and_to_django(name: str) -> None:
    """A safe name is a path's last part on both kinds of systems, and Django takes it."""
    if is_safe_filename(name, 200):
        assert PurePosixPath(name).name == PureWindowsPath(name).name == name
        assert SimpleUploadedFile(name, b"").name == name
        assert name not in {"", ".", ".."}
