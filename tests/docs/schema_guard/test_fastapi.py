"""docs/schema-guard/fastapi.md: its example runs, and the ways to be stricter are listed."""

from tests.docs.pages import DOCS, blocks, run
from tests.guard.apps.test_fastapi import multipart, send
from tests.guard.apps.test_fastapi_differential import STRICTER
from tests.guard.asking import FORM

PAGE = "schema-guard/fastapi.md"


def test_the_example_runs() -> None:
    """With and without the optional file."""
    (block,) = blocks(PAGE)
    app = run(PAGE, block)["app"]
    assert send(app, "POST", "/profile", b"name=a", FORM).json() == "a"
    body = multipart(("name", None, "b"), ("photo", "", ""))
    media = [("Content-Type", "multipart/form-data; boundary=limit")]
    assert send(app, "POST", "/profile", body, media).json() == "b"
    assert send(app, "POST", "/profile", b"name=", FORM).status == 422


def test_all_differences_are_listed() -> None:
    """Those that the differential test lets be."""
    page = (DOCS / "schema-guard.md").read_text()
    assert not {code for code in STRICTER if f"`{code}`" not in page}
