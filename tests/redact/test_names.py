"""Names of fields, in all the ways in which they are written."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.redact.names import INNOCENT_NAMES, SECRET_NAMES, NameMatcher
from mantlet.sanitize.json_fields.expressions import name_in_json
from mantlet.sanitize.json_fields.prefilter import search_literals

WAYS = [
    "accessToken",
    "AccessToken",
    "ACCESS_TOKEN",
    "access-token",
    "access.token",
    "Access Token",
]
PATTERNS = [
    *("password", "access_token", "*_token", "a*_*b", "?_x", "_a", "a_", "é", "[!a]b", "*_*"),
    *("/", '"', "K\u212a", "ß", "\U0001f600*", "a.b", "aB", "*A", "\\"),
]


@pytest.mark.parametrize("pattern", ["access_token", "accessToken", "Access-Token", "*_token"])
@pytest.mark.parametrize("name", WAYS)
def test_words_are_joined_in_any_way(pattern: str, name: str) -> None:
    """In patterns as in names."""
    assert NameMatcher([pattern]).matches(name)


@pytest.mark.parametrize(
    ("pattern", "others"),
    [
        ("password", ["passwords", "pass", "new_password", "pass_word"]),
        ("access_token", ["token", "access", "access_tokens", "access/token"]),
        ("*_token", ["token", "accesstoken", "token_type", "broken", "TOKEN"]),
    ],
)
def test_other_names_do_not_match(pattern: str, others: list[str]) -> None:
    """However like they are."""
    assert [name for name in others if NameMatcher([pattern]).matches(name)] == []


@pytest.mark.parametrize("form", [str.lower, str.upper, str.title, str.swapcase])
@given(st.text(st.characters(max_codepoint=127), min_size=1, max_size=12))
def test_case_does_not_matter(form: Any, name: str) -> None:
    """In ASCII, in names without wildcards."""
    pattern = re.sub(r"[*?\[]", "x", name)
    assert NameMatcher([pattern]).matches(form(pattern))


def test_names_that_look_secret() -> None:
    """And those that only look like it."""
    matcher = NameMatcher(SECRET_NAMES, INNOCENT_NAMES)
    secret = (
        "password Password PASSWORD newPassword pwd passwd secret clientSecret client_secret token "
        "accessToken x-api-key apiKey APIKey Authorization Proxy-Authorization cookie "
        "Set-Cookie private_key aws_secret_access_key credential sessionid csrf_token "
        "user.password X-Amz-Security-Token refreshToken PGPASSWORD dbpassword DB_PASS "
        "SMTP_PASS REDISCLI_AUTH csrftoken csrfmiddlewaretoken SECRET_KEY_BASE hmacKey cvv cardCvc "
        "ssn user_ssn socialSecurityNumber cardNumber card_number creditCardNumber mfaCode "
        "recovery_codes stripetoken PHPSESSID JSESSIONID connect.sid DATABASE_URL cardPin "
        "SQLALCHEMY_DATABASE_URI mysql_pwd X_API_KEY user_session_token bankAccountNumber"
    )
    innocent = (
        "token_type tokens_used max_tokens secretary passwordless author authorization_url key "
        "next_page_token nextPageToken has_password cookie_policy password_changed_at tokenizer "
        "token_count password_reset_url secret_santa authorization_endpoint cookie_consent "
        "is_password_set pass first_pass boarding_pass bypass compass "
        "pin_code pin zip_code country_code status_code discount_code card card_brand mission "
        "lesson_number url order_number account_number"
    )
    assert [name for name in secret.split() if not matcher.matches(name)] == []
    assert [name for name in innocent.split() if matcher.matches(name)] == []


@given(
    st.sampled_from(PATTERNS),
    st.text('aAbBxX_-. é/"\\\U0001f600tokenTOKENé', max_size=12),
    st.data(),
)
def test_names_in_json_match_like_names_in_text(pattern: str, name: str, data: Any) -> None:
    """However they are escaped, and the search before it finds them."""
    written = ""
    for char in name:
        ways = [json.dumps(char)[1:-1], json.dumps(char, ensure_ascii=False)[1:-1]]
        units = char.encode("utf-16-be").hex()
        ways.append("".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)))
        written += data.draw(st.sampled_from(ways))
    # The expression looks ahead to the quote that ends the name.
    found = re.fullmatch(name_in_json(pattern) + b'"', written.encode() + b'"', re.DOTALL)
    if NameMatcher([pattern]).matches(name):
        assert found
        quoted = b'{"' + written.encode().lower() + b'":1}'
        assert any(literal in quoted for literal in search_literals(pattern))
    elif "\\" not in written and "[" not in pattern:
        assert not found


def test_a_name_takes_linear_time() -> None:
    """Whatever the wildcards."""
    for pattern in ("*a*a*a*a*b", "*_*_*_*x", "?*?*?*?*b"):
        assert not NameMatcher([pattern]).matches("a_A" * 30_000)


@pytest.mark.parametrize(
    ("patterns", "error", "words"),
    [
        ("password", TypeError, "must be several"),
        ([1], TypeError, "not 1"),
        ([""], ValueError, "0 characters"),
        (["x" * 257], ValueError, "257 characters"),
    ],
    ids=["one text", "number", "empty", "long"],
)
def test_bad_patterns_are_refused(patterns: Any, error: type[Exception], words: str) -> None:
    """Where they are made."""
    with pytest.raises(error, match=words):
        NameMatcher(cast("Any", patterns))
