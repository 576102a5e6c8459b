"""A Content-Security-Policy: what it is written as, and what is refused."""

import pytest

from mantlet.sanitize import Csp, clear_site_data


def test_a_policy_is_written_as_browsers_read_it() -> None:
    """Directives in the order given."""
    policy = Csp({"default-src": ["'self'"]}, img_src="'self' https://cdn.example data:")
    assert policy.value() == "default-src 'self'; img-src 'self' https://cdn.example data:"
    assert Csp(upgrade_insecure_requests=[]).value() == "upgrade-insecure-requests"


@pytest.mark.parametrize(
    "written",
    [
        "script-src https: data: wss://a.example *.a.example https://*.a.example:8443/js/ *:* *",
        "script-src localhost:* http://127.0.0.1:8000 a_b.example. https://a.example/%20.js",
        "script-src 'nonce-YWJj' 'sha256-abc=' 'strict-dynamic' 'report-sample'",
        "sandbox",
        "sandbox allow-forms allow-scripts",
        "trusted-types",
        "trusted-types 'none'",
        "trusted-types default 'allow-duplicates'",
        "require-trusted-types-for 'script'",
        "report-uri /csp?x=1",
        "webrtc 'block'",
        "block-all-mixed-content",
    ],
    ids=range(12),
)
def test_what_browsers_take_is_taken(written: str) -> None:
    """As it is."""
    name, *sources = written.split()
    assert Csp({name: sources}).value() == written


def test_a_nonce_opens_nothing_that_is_closed() -> None:
    """Browsers pass over a 'none' that stands beside something."""
    policy = Csp(script_src="'none'", style_src="'self'", nonce=True)
    assert policy.value("abc") == "script-src 'none'; style-src 'nonce-abc' 'self'"
    with pytest.raises(ValueError, match="nonce must not be True"):
        Csp(script_src="'none'", nonce=True)


def test_a_policy_of_nothing_is_refused() -> None:
    """And so is a directive that is there twice."""
    with pytest.raises(ValueError, match="directives must not be empty"):
        Csp()
    with pytest.raises(ValueError, match="img-src must not be given twice"):
        Csp({"img-src": "'self'"}, img_src="*")


def test_a_nonce_stands_in_scripts_and_styles() -> None:
    """Where it is asked for."""
    policy = Csp(script_src=["'strict-dynamic'"], style_src=["'self'"], nonce=True)
    assert policy.value("abc") == (
        "script-src 'nonce-abc' 'strict-dynamic'; style-src 'nonce-abc' 'self'"
    )


def test_a_policy_is_extended_into_another() -> None:
    """And 'none' gives way to what is added."""
    policy = Csp(default_src="'none'")
    more = policy.extend(default_src=["'self'"], img_src="data:")
    assert more.value() == "default-src 'self'; img-src data:"
    assert policy.value() == "default-src 'none'"


def test_policies_that_say_the_same_are_equal() -> None:
    """As values are."""
    assert Csp(default_src="'self'") == Csp({"default-src": ["'self'"]})
    assert hash(Csp(default_src="'self'")) == hash(Csp(default_src="'self'"))
    assert Csp(default_src="'self'") != Csp(default_src="'none'")


@pytest.mark.parametrize(
    ("directives", "words"),
    [
        ({"script": ["'self'"]}, "must be those of CSP"),
        ({"script-src": ["self"]}, "write it in quotes"),
        ({"script-src": ["unsafe-inline"]}, "write it in quotes"),
        ({"script-src": ["sha256-abc="]}, "write it in quotes"),
        ({"script-src": ["'selfish'"]}, "not a keyword"),
        ({"script-src": ["'unsafe-inlin'"]}, "not a keyword"),
        ({"script-src": ["'self"]}, "not a keyword"),
        ({"script-src": ["Self"]}, "write it in quotes"),
        ({"script-src": ["<script>"]}, "not a valid source"),
        ({"script-src": ["https://a.example/a?b"]}, "not a valid source"),
        ({"sandbox": ["allow-script"]}, "sandbox must have some of"),
        ({"require-trusted-types-for": ["script"]}, "'script'"),
        ({"script-src": ["https://a.example;"]}, "not allowed in CSP"),
        ({"script-src": ["a,b"]}, "not allowed in CSP"),
        ({"script-src": ["a\nb"]}, "not allowed in CSP"),
        ({"script-src": ["é"]}, "not allowed in CSP"),
        ({"script-src": []}, "at least one source"),
        ({"script-src": ["'none'", "'self'"]}, "'none' together"),
        ({"upgrade-insecure-requests": ["1"]}, "no value"),
    ],
    ids=range(19),
)
def test_what_browsers_would_ignore_is_refused(
    directives: dict[str, list[str]], words: str
) -> None:
    """At construction, with the directive's name."""
    with pytest.raises(ValueError, match=words):
        Csp(directives)


def test_a_nonce_needs_somewhere_to_stand() -> None:
    """Else no script would run with it."""
    with pytest.raises(ValueError, match="nonce must not be True"):
        Csp(default_src="'self'", nonce=True)


def test_sources_are_text() -> None:
    """Nothing else."""
    with pytest.raises(TypeError, match="script-src must have text"):
        Csp({"script-src": [5]})  # type: ignore[list-item]  # what is tested
    with pytest.raises(TypeError, match="script-src must have text"):
        Csp(script_src=None)  # type: ignore[arg-type]  # the same
    with pytest.raises(TypeError, match="directives must map"):
        Csp("default-src 'self'")  # type: ignore[arg-type]  # the same


def test_a_site_s_data_can_be_cleared() -> None:
    """The field of an answer to a logout (W3C, Clear Site Data)."""
    assert clear_site_data("cookies", "storage") == ("Clear-Site-Data", '"cookies", "storage"')
    assert clear_site_data() == ("Clear-Site-Data", '"*"')
    with pytest.raises(ValueError, match="not 'all'"):
        clear_site_data("all")
