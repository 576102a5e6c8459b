"""Public identifiers stay, and are reported by option."""

from __future__ import annotations

import pytest

from mantlet import OutputSanitizer
from mantlet.sanitize import Leaks
from tests.drive import Adapter, both_adapters
from tests.sanitize.rules.keys.samples import ALNUM, HEX, text
from tests.sanitize.rules.keys.scanning import in_steps, scanned, streamed
from tests.sanitize.test_policy import answering, ask

AWS = "AKIA" + text("aws", 16, ALNUM[26:52])
GOOGLE = "AIza" + text("google", 35)
SAMPLES = {
    "aws-signed-url": f"https://s3.example/?X-Amz-Credential={AWS}/20260101/us-east-1/s3/aws4_request",
    "google-signed-url": "https://storage.example/o?GoogleAccessId=shop@shop.iam.gserviceaccount.com&x=1",
    "google-browser-key": f'<script src="https://maps.googleapis.com/maps/api/js?key={GOOGLE}">',
    "stripe-publishable-key": f'{{"key": "pk_live_{text("stripe", 24)}"}}',
    "sentry-dsn": f'dsn: "https://{text("dsn", 32, HEX)}@o447951.ingest.sentry.io/4504044"',
    "captcha-site-key": f'<div class="g-recaptcha" data-sitekey="6L{text("captcha", 38)}"></div>',
    "firebase-app-id": f'appId: "1:123456789012:web:{text("app", 22, HEX)}"',
    "mapbox-public-token": f"accessToken = 'pk.eyJ{text('mb', 60)}.{text('mapbox', 22)}'",
    "algolia-search-key": f'"algoliaApiKey": "{text("algolia", 32, HEX)}"',
    "posthog-project-key": f"posthog.init('phc_{text('phc', 43)}')",
    "supabase-publishable-key": f'"sb_publishable_{text("supabase", 31)}"',
    "new-relic-browser-key": f'licenseKey:"NRJS-{text("nr", 19, HEX)}"',
}  # fmt: skip
REPORTING = Leaks(public="report").scanner(())


@pytest.mark.parametrize("rule", SAMPLES)
def test_a_public_identifier_stays(rule: str) -> None:
    """By default nothing is found; by option it is reported, and sent as it is."""
    body = SAMPLES[rule].encode()
    for media in ("text/html", "application/json", None):
        assert scanned(body, media) == (body, [])
        assert scanned(body, media, REPORTING) == (body, [rule])
        assert streamed(in_steps(body, 5), media, REPORTING) == body


@both_adapters
@pytest.mark.parametrize("action", ["redact", "block", "report"])
def test_a_reported_identifier_is_sent_whatever_the_action_is(
    adapter: Adapter, action: str
) -> None:
    """A secret beside it is not."""
    found: list[str] = []
    policy = OutputSanitizer(
        leaks=Leaks(action, public="report"),  # type: ignore[arg-type]
        on_finding=lambda finding, _: found.append(finding.rule),
    )
    answer = ask(adapter, answering(SAMPLES["google-browser-key"]), policy)
    assert (answer.status, answer.body.decode()) == (200, SAMPLES["google-browser-key"])
    assert found == ["google-browser-key"]


def test_a_rule_for_public_identifiers_can_be_ignored() -> None:
    """By its id; and an unknown choice is refused."""
    leaks = Leaks(public="report", ignore=["google-browser-key"])
    body = SAMPLES["google-browser-key"].encode()
    assert scanned(body, None, leaks.scanner(())) == (body, [])
    with pytest.raises(ValueError, match='public must be "ignore" or "report"'):
        Leaks(public="mask")  # type: ignore[arg-type]


def test_a_secret_beside_a_reported_identifier_is_masked() -> None:
    """The one does not hide the other."""
    secret = f"redis://:{text('pw', 12)}@10.0.0.7:6379/0"
    body = f"{SAMPLES['stripe-publishable-key']} {secret}".encode()
    out, rules = scanned(body, None, REPORTING)
    assert set(rules) == {"stripe-publishable-key", "url-password"}
    assert text("pw", 12).encode() not in out
