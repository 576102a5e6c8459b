"""What a file may be."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from mantlet.guard.bodies.forms import File
from mantlet.guard.limits import BodyLimits

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("types", "declared", "detected", "verdict"),
    [
        (None, "a/b", None, "yes"),
        (["image/png"], "image/png", "image/png", "yes"),
        (["image/png"], "image/png", "image/jpeg", "no"),
        (["image/png"], "image/png", None, "no"),
        (["image/png"], "image/jpeg", "image/png", "no"),
        (["image/png", "image/jpeg"], "image/jpeg", "image/png", "no"),
        (["image/png"], "application/octet-stream", "image/png", "no"),
        (["image/png"], "image/png", "image/svg+xml", "no"),
        (["image/png", "text/html"], "image/png", "text/html", "no"),
        (["image/*"], "image/webp", "image/webp", "yes"),
        (["image/*"], "image/svg+xml", "image/svg+xml", "no"),
        (["image/*"], "image/x-unknown", None, "no"),
        (["image/*"], "video/mp4", "video/mp4", "no"),
        (["image/svg+xml"], "image/svg+xml", "image/svg+xml", "yes"),
        (["image/svg+xml"], "image/svg+xml", "text/xml", "no"),
        (["text/*"], "text/html", "text/html", "no"),
        (["text/html"], "text/html", None, "if text"),
        (["image/jpeg"], "image/pjpeg", "image/jpeg", "yes"),
        (["application/x-zip-compressed"], "application/zip", "application/zip", "yes"),
        (["application/zip"], "application/x-zip-compressed", "application/zip", "yes"),
        (["text/csv"], "text/csv", None, "if text"),
        (["text/csv"], "text/csv", "application/zip", "no"),
        (["text/markdown"], "text/markdown", "text/html", "if text"),
        (["application/json"], "application/json", None, "if text"),
        (["application/geo+json"], "application/geo+json", None, "if text"),
        (["text/rtf"], "text/rtf", "application/rtf", "yes"),
        ([DOCX], DOCX, "application/zip", "yes"),
        ([DOCX], "application/zip", "application/zip", "no"),
        (["application/zip"], DOCX, "application/zip", "no"),
        # RFC 7578, 4.4: a part need not say its type. Its bytes decide then.
        (["image/png"], None, "image/png", "yes"),
        (["image/*"], None, "image/png", "yes"),
        (["image/*"], None, "image/svg+xml", "no"),
        ([DOCX], None, "application/zip", "yes"),
        (["image/png"], None, None, "no"),
        (["text/csv", "image/png"], None, None, "if text"),
        (["text/csv"], None, "text/html", "no"),
    ],
)
def test_what_is_declared_and_what_is_there_must_be_one_of_the_types(
    types: list[str] | None, declared: str | None, detected: str | None, verdict: str
) -> None:
    """Neither the client nor the first bytes are believed alone."""
    assert File(types=types).match_type(declared, detected) == verdict


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_size": "5 apples"}, ValueError, "max_size"),
        ({"max_size": 0}, ValueError, "max_size"),
        ({"min_size": -1}, ValueError, "min_size"),
        ({"min_size": True}, TypeError, "min_size"),
        ({"min_size": 10, "max_size": 5}, ValueError, "min_size"),
        ({"max_count": 0, "many": True}, ValueError, "max_count"),
        ({"max_count": 2}, ValueError, "many=True"),
        ({"types": "image/png"}, TypeError, "list"),
        ({"types": []}, ValueError, "types"),
        ({"types": [1]}, TypeError, "types"),
        ({"types": ["png"]}, ValueError, "png"),
        ({"types": ["Image/PNG"]}, ValueError, "lower case"),
        ({"types": ["*/*"]}, ValueError, "types"),
        ({"types": ["application/octet-stream"]}, ValueError, "omit types"),
        ({"types": ["image/x-unknown"]}, ValueError, "image/x-unknown"),
        ({"extensions": ".png"}, TypeError, "list"),
        ({"extensions": ["png"]}, ValueError, "extensions"),
        ({"extensions": [".PNG"]}, ValueError, "extensions"),
        ({"extensions": ()}, ValueError, "extensions"),
    ],
)
def test_a_bad_option_is_an_error_at_construction(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """A file that can't be is never declared."""
    with pytest.raises(error, match=message):
        File(**options)


def test_a_file_is_immutable() -> None:
    """What is declared once stays, and a list that was handed in may change."""
    types = ["image/png"]
    file = File(max_size="5 MB", types=types)
    types.append("text/html")
    assert (file.max_size, file.types) == (5_000_000, ("image/png",))
    with pytest.raises(FrozenInstanceError):
        file.max_size = 1  # type: ignore[misc]  # it is the point
    with pytest.raises(TypeError):
        File(1)  # type: ignore[call-arg]  # options are keywords


def test_an_extension_is_the_end_of_a_name() -> None:
    """Case is no matter, and a name that has it in the middle does not have it."""
    file = File(extensions=[".png", ".tar.gz"])
    assert file.allows_name("a.PNG")
    assert file.allows_name("a.tar.gz")
    assert not file.allows_name("a.png.php")
    assert not file.allows_name("a.gz")
    assert File().allows_name("a.php")
    assert BodyLimits().file == 10_000_000
