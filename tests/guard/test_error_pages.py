"""The errors of a request on a website: in a page for people, or in the site's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from mantlet import Contract, ErrorEnvelope, Problem, Request
from tests.drive import both_adapters
from tests.guard.asking import FORM, Guarded

if TYPE_CHECKING:
    from tests.drive import Adapter

HTML = [("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")]
MARKUP = "<script>alert(1)</script>"


class Signup(BaseModel):
    name: str
    age: int


CONTRACTS: Any = {"POST /signup": Contract(form=Signup), "GET /": Contract()}


@both_adapters
def test_a_browser_gets_a_page_with_the_errors(adapter: Adapter) -> None:
    """Each with its place; names of the client's are text and no markup."""
    app = Guarded(adapter, CONTRACTS, policies=[ErrorEnvelope()])
    answer = app.ask("POST", "/signup", body=f"age=x&{MARKUP}=1", headers=[*FORM, *HTML])
    assert answer.status == 422
    assert answer.get("content-type") == "text/html; charset=utf-8"
    page = answer.body.decode()
    assert "<h1>Unprocessable Content</h1>" in page
    assert '<ul class="errors">' in page
    assert "<li><code>body /name</code>: Field required</li>" in page
    assert "<li><code>body /age</code>: Input should be a valid integer" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page


@both_adapters
def test_text_lists_the_errors_too(adapter: Adapter) -> None:
    """A line for each."""
    app = Guarded(adapter, CONTRACTS, policies=[ErrorEnvelope()])
    answer = app.ask("GET", "/?page=1", headers=[("Accept", "text/plain")])
    assert answer.body.decode().splitlines()[:5] == [
        "422 Unprocessable Content",
        "",
        "The request failed validation.",
        "",
        "- query: This operation takes no query parameters",
    ]


@both_adapters
def test_the_sites_own_page_gets_the_errors(adapter: Adapter) -> None:
    """In the problem's extensions, to say them in its own words."""

    def page(problem: Problem, request: Request) -> str:
        words = {"/age": "Wie alt sind Sie?", "": "Diese Seite gibt es nicht."}
        found = [words[error["pointer"]] for error in problem.extensions["errors"]]
        return f"<!doctype html><title>Hoppla</title>{'<br>'.join(found)}"

    app = Guarded(adapter, CONTRACTS, policies=[ErrorEnvelope(page=page)])
    answer = app.ask("POST", "/signup", body="age=x&name=a", headers=[*FORM, *HTML])
    assert answer.body.decode().endswith("</title>Wie alt sind Sie?")
    answer = app.ask("GET", "/none", headers=HTML)
    assert answer.body.decode().endswith("</title>Diese Seite gibt es nicht.")
