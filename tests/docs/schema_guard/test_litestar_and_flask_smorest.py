"""docs/schema-guard/litestar-and-flask-smorest.md: its example runs, and it lists differences."""

from tests.docs.pages import DOCS, blocks, run
from tests.drive import drive_asgi
from tests.guard.apps.document_verdicts import STRICTER
from tests.guard.asking import JSON


def test_the_example_runs() -> None:
    """With a valid body and another one."""
    (block,) = blocks("schema-guard/litestar-and-flask-smorest.md")
    app = run("schema-guard/litestar-and-flask-smorest.md", block, __name__=__name__)["app"]
    assert drive_asgi(app, "POST", "/echo", body=b'{"a": 1}', headers=JSON).json() == {"a": 1}
    assert drive_asgi(app, "POST", "/echo", body=b'{"a": "x"}', headers=JSON).status == 422


def test_all_differences_are_listed() -> None:
    """Those that the differential tests let be; two of them are words for general codes."""
    page = (DOCS / "schema-guard/litestar-and-flask-smorest.md").read_text()
    words = {"another type of JSON": "type", "empty file": "missing"}
    assert not {code for code in STRICTER if f"`{words.get(code, code)}`" not in page}
