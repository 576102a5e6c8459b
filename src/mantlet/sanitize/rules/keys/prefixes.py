"""Keys that begin with a prefix of their provider: a table of their forms.

Each line has the id, the prefixes, the alphabet, the minimum and the maximum length after the
prefix, the check, and where the form is documented. GH stands for GitHub's list of supported secret
scanning patterns (docs.github.com/en/code-security/reference/secret-security), GL for the rules of
gitleaks (github.com/gitleaks/gitleaks, MIT), and TH for the detectors of TruffleHog
(github.com/trufflesecurity/trufflehog, AGPL), from which the lengths are where the provider does
not state them. They are facts about formats; no code is taken from there.
"""

from typing import Final, NamedTuple

from mantlet.sanitize.rules.incremental_regex import literal, one_of, repeat
from mantlet.sanitize.rules.keys.checks import (
    atlassian_checksum,
    bech32_checksum,
    decode_json,
    github_checksum,
    gitlab_checksum,
    grafana_checksum,
    is_random,
    is_random_hex,
    is_random_in_both_cases,
    is_random_mixed,
)
from mantlet.sanitize.rules.keys.rule import KeyRule, Verify, base64_text

__all__ = ["FORMS", "PREFIXED", "KeyForm"]

HEX: Final = rb"0-9a-f"
ANY_HEX: Final = rb"0-9A-Fa-f"
UPPER: Final = rb"A-Z0-9"
LOWER: Final = rb"a-z0-9"
ALNUM: Final = rb"A-Za-z0-9"
WORD: Final = rb"A-Za-z0-9_"
DASHED: Final = rb"A-Za-z0-9_\-"
DOTTED: Final = rb"A-Za-z0-9_.=\-"
BECH32: Final = rb"02-9AC-HJ-NP-Z"
UUID: Final = rb"0-9a-f\-"


class KeyForm(NamedTuple):
    """The form of a key.

    Attributes:
        id: the id that it is reported under.
        prefixes: the prefixes, separated by spaces.
        chars: the alphabet, as within the brackets of a regular expression.
        least: minimum length after the prefix.
        most: maximum length after the prefix.
        source: where the form is documented.
        verify: checks the key.
    """

    id: str
    prefixes: str
    chars: bytes
    least: int
    most: int
    source: str
    verify: Verify | None = None

    def rule(self) -> KeyRule:
        """Return the rule that finds such keys."""
        verify = self.verify
        if verify is None:
            verify = is_random_mixed if b"A-Za-z" in self.chars else is_random
            verify = is_random_hex if self.chars in (HEX, ANY_HEX) else verify
        return KeyRule(
            self.id,
            self.prefixes.encode().split(),
            repeat(self.chars, self.least, self.most, possessive=True),
            chars=self.chars,
            verify=verify,
        )


def _of_pypi(prefix: bytes, body: bytes) -> bool:
    """Check a macaroon of pypi.org or test.pypi.org: its location is its first packet."""
    return body.startswith((b"IcHlwaS5vcmc", b"NdGVzdC5weXBpLm9yZw")) and is_random(prefix, body)


FORMS: Final = (
    # clouds
    KeyForm("aws-mws-key", "amzn.mws.", UUID, 36, 36, "GH"),
    KeyForm("google-oauth-secret", "GOCSPX-", DASHED, 28, 28, "GH"),
    KeyForm("google-oauth-token", "ya29.", DASHED, 20, 1000, "developers.google.com/identity",
            is_random_in_both_cases),
    KeyForm("google-refresh-token", "1//0 1\\/\\/0", DASHED, 40, 200, "GH"),
    KeyForm("alibaba-access-key", "LTAI", ALNUM, 12, 20, "GH"),
    KeyForm("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", HEX, 64, 64,
            "docs.digitalocean.com/reference/api"),
    KeyForm("cloudflare-token", "cfk_ cfut_ cfat_", ALNUM, 48, 48,
            "developers.cloudflare.com/fundamentals/api/get-started/token-formats"),
    KeyForm("heroku-key", "HRKU-", DASHED, 36, 60, "GL"),
    KeyForm("fly-token", "fo1_", DASHED, 43, 43, "GL"),
    KeyForm("netlify-token", "nfp_", ALNUM, 36, 40, "GH"),
    KeyForm("vercel-token", "vcp_ vci_ vca_ vcr_ vck_", ALNUM, 24, 80, "GH"),
    KeyForm("supabase-key", "sbp_", LOWER, 40, 40, "supabase.com/docs/guides/api/api-keys"),
    KeyForm("supabase-key", "sb_secret_", DASHED, 31, 48, "supabase.com/docs/guides/api/api-keys"),
    KeyForm("planetscale-token", "pscale_tkn_ pscale_pw_ pscale_oauth_", DOTTED, 32, 64, "GH"),
    KeyForm("neon-key", "napi_", ALNUM, 60, 70, "GH"),
    KeyForm("mongodb-atlas-secret", "mdb_sa_sk_", DASHED, 40, 60, "GH"),
    KeyForm("aiven-password", "AVNS_", DASHED, 18, 40, "GH"),
    KeyForm("render-key", "rnd_", ALNUM, 28, 40, "GH"),
    KeyForm("deno-token", "ddp_ ddo_", ALNUM, 36, 36, "GH"),
    KeyForm("yandex-key", "AQVN", DASHED, 35, 38, "GH"),
    KeyForm("openshift-token", "sha256~", DASHED, 43, 43, "GL"),
    KeyForm("databricks-token", "dapi dkea", rb"0-9a-f\-", 32, 34, "GH"),
    KeyForm("scalingo-token", "tk-us-", DASHED, 48, 48, "GL"),
    KeyForm("clickhouse-key", "4b1d", ALNUM, 38, 38, "GL"),
    KeyForm("salad-key", "salad_cloud_", WORD, 20, 250, "TH"),
    # source code and packages
    KeyForm("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", ALNUM, 36, 255,
            "github.blog/2021-04-05-behind-githubs-new-authentication-token-formats",
            github_checksum),
    KeyForm("github-token", "github_pat_", WORD, 82, 255, "GH"),
    KeyForm("gitlab-token",
            "glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glimt- glagent- glsoat- glffct- gloas-"
            " glwt- GR1348941", rb"A-Za-z0-9_.\-", 20, 320,
            "docs.gitlab.com/security/tokens; gitlab-org/gitlab, lib/authn/token_field",
            gitlab_checksum),
    KeyForm("npm-token", "npm_", ALNUM, 36, 36,
            "github.blog/2021-09-23-announcing-npms-new-access-token-format", github_checksum),
    KeyForm("pypi-token", "pypi-AgE", DASHED, 50, 1000, "pypi.org/help; warehouse", _of_pypi),
    KeyForm("rubygems-key", "rubygems_", HEX, 48, 48, "GH"),
    KeyForm("nuget-key", "oy2", LOWER, 43, 43, "GH"),
    KeyForm("packagist-token", "packagist_uut_ packagist_ort_ packagist_out_", HEX, 60, 68, "GH"),
    KeyForm("clojars-token", "CLOJARS_", LOWER, 60, 60, "GL"),
    KeyForm("artifactory-key", "AKCp", ALNUM, 69, 69, "GL"),
    KeyForm("artifactory-key", "cmVmdGtu", ALNUM, 56, 56, "GL"),
    KeyForm("docker-token", "dckr_pat_ dckr_oat_", DASHED, 20, 64, "GH"),
    KeyForm("bitbucket-password", "BBDC-", rb"A-Za-z0-9+/@_\-", 40, 50, "TH"),
    KeyForm("sourcegraph-token", "slk_", HEX, 64, 64, "TH"),
    KeyForm("sourcegraph-token", "sgp_", WORD, 40, 64, "GL"),
    KeyForm("buildkite-token", "bkua_", LOWER, 40, 40, "GH"),
    KeyForm("circleci-token", "CCIPAT_ CCIPRJ_", WORD, 40, 80, "GH"),
    KeyForm("sonar-token", "sqp_ squ_ sqa_", HEX, 40, 40, "docs.sonarsource.com"),
    KeyForm("sonar-token", "sqco_", ALNUM, 59, 59, "TH"),
    KeyForm("pulumi-token", "pul-", LOWER, 40, 40, "GH"),
    KeyForm("infracost-key", "ico-", ALNUM, 32, 32, "GL", is_random_in_both_cases),
    KeyForm("prefect-key", "pnu_ pnb_", ALNUM, 36, 36, "GL"),
    KeyForm("figma-token", "figd_ figo_ figu_ figor_ figp_", DASHED, 40, 80, "GH"),
    KeyForm("postman-key", "PMAK-", rb"0-9a-f\-", 59, 59, "GH"),
    # secrets
    KeyForm("vault-token", "hvs. hvb. hvr.", DASHED, 24, 400,
            "developer.hashicorp.com/vault/docs/concepts/tokens"),
    KeyForm("doppler-token", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.",
            rb"A-Za-z0-9_.\-", 40, 80, "docs.doppler.com/reference/auth-token-formats"),
    KeyForm("age-identity", "AGE-SECRET-KEY-1", BECH32, 58, 58, "age-encryption.org/v1",
            bech32_checksum),
    KeyForm("tailscale-key", "tskey-", DASHED, 24, 90, "tailscale.com/kb/1085"),
    # models
    KeyForm("openai-key", "sk-proj- sk-svcacct- sk-admin- sk-service- sk-None-", DASHED, 20, 255,
            "GL"),
    KeyForm("openai-key", "sk-", ALNUM, 32, 64, "GL; others have it too"),
    KeyForm("anthropic-key", "sk-ant-", DASHED, 20, 255, "GL"),
    KeyForm("openrouter-key", "sk-or-v1-", HEX, 64, 64, "GH"),
    KeyForm("langfuse-key", "sk-lf-", UUID, 36, 36, "langfuse.com/docs"),
    KeyForm("huggingface-token", "hf_ api_org_", ALNUM, 34, 40, "GL"),
    KeyForm("groq-key", "gsk_", ALNUM, 48, 60, "GH"),
    KeyForm("xai-key", "xai-", WORD, 70, 90, "GH"),
    KeyForm("perplexity-key", "pplx-", ALNUM, 40, 60, "GL"),
    KeyForm("replicate-token", "r8_", DASHED, 37, 37, "GH"),
    KeyForm("langsmith-key", "lsv2_pt_ lsv2_sk_", rb"0-9a-f_", 43, 43, "GH"),
    KeyForm("pinecone-key", "pcsk_", WORD, 60, 80, "GH"),
    KeyForm("nvidia-key", "nvapi-", DASHED, 60, 70, "GH"),
    KeyForm("together-key", "tgp_v1_", DASHED, 43, 43, "docs.together.ai"),
    KeyForm("tavily-key", "tvly-", rb"A-Za-z0-9\-", 32, 48, "docs.tavily.com"),
    KeyForm("cerebras-key", "csk-", LOWER, 48, 48, "inference-docs.cerebras.ai"),
    # payment and shops
    KeyForm("stripe-key", "sk_live_ rk_live_ sk_test_ rk_test_ sk_prod_ rk_prod_", ALNUM, 16, 255,
            "docs.stripe.com/keys"),
    KeyForm("stripe-webhook-secret", "whsec_", rb"A-Za-z0-9+/=", 24, 100,
            "docs.stripe.com/webhooks"),
    KeyForm("square-token", "sq0atp- sq0csp- sq0csb-", DASHED, 22, 60, "GL"),
    KeyForm("square-token", "EAAAE EAAAl", DASHED, 59, 59, "GH"),
    KeyForm("braintree-token", "access_token$production$ access_token$sandbox$",
            rb"0-9a-z$", 49, 49, "GH"),
    KeyForm("shopify-token", "shpat_ shpca_ shppa_ shpss_", ANY_HEX, 32, 32, "GL"),
    KeyForm("paddle-key", "pdl_live_apikey_ pdl_sdbx_apikey_", WORD, 50, 60,
            "developer.paddle.com/api-reference/about/api-keys"),
    KeyForm("plaid-token", "access-production- access-sandbox- access-development-", UUID, 36, 36,
            "GL"),
    KeyForm("flutterwave-key", "FLWSECK-", rb"0-9a-zA-Z\-", 32, 40, "GL"),
    KeyForm("flutterwave-key", "FLWSECK_TEST-", rb"0-9a-zA-Z\-", 12, 40, "GL"),
    KeyForm("easypost-key", "EZAK EZTK", ALNUM, 54, 54, "GL"),
    KeyForm("shippo-token", "shippo_live_ shippo_test_", ANY_HEX, 40, 40, "GL"),
    KeyForm("duffel-token", "duffel_live_ duffel_test_", rb"A-Za-z0-9_=\-", 43, 43, "GL"),
    KeyForm("pagarme-key", "ak_live_ ak_test_", ALNUM, 30, 30, "TH"),
    KeyForm("ramp-key", "ramp_sec_", ALNUM, 48, 48, "TH"),
    KeyForm("robinhood-key", "rh-api-", rb"0-9A-Fa-f\-", 36, 36, "TH"),
    KeyForm("fleetbase-key", "flb_live_ flb_test_", ALNUM, 20, 20, "TH"),
    # messages
    KeyForm("slack-token", "xoxb- xoxp- xoxa- xoxr- xoxs- xoxo- xoxc- xoxe- xapp- xwfp-",
            rb"A-Za-z0-9\-", 18, 255, "docs.slack.dev/authentication/tokens"),
    KeyForm("slack-token", "xoxd-", rb"A-Za-z0-9%/+=\-", 40, 400, "GH"),
    KeyForm("brevo-key", "xkeysib- xsmtpsib-", rb"0-9A-Za-z\-", 81, 81, "GL"),
    KeyForm("typeform-token", "tfp_", DOTTED, 44, 60, "GL"),
    KeyForm("pubnub-secret-key", "sec-c-", ALNUM, 48, 48, "pubnub.com/docs"),
    KeyForm("facebook-token", "EAAB EAAC EAAG EAAM", ALNUM, 100, 400, "GL"),
    # observation
    KeyForm("grafana-token", "glsa_", WORD, 41, 41,
            "grafana.com/docs; grafana/grafana, pkg/components/satokengen", grafana_checksum),
    KeyForm("sentry-token", "sntryu_ sntryi_", HEX, 64, 64, "docs.sentry.io/account/auth-tokens"),
    KeyForm("new-relic-key", "NRAK- NRII- NRIQ- NRRA-", rb"A-Za-z0-9_\-", 24, 48,
            "docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys"),
    KeyForm("dynatrace-token", "dt0c01. dt0s16. dt0s01.", rb"A-Z0-9.", 80, 96, "GL"),
    KeyForm("honeycomb-key", "hcaik_ hcamk_", LOWER, 50, 70, "docs.honeycomb.io"),
    KeyForm("posthog-key", "phx_", WORD, 40, 60, "GH"),
    KeyForm("axiom-token", "xaat- xapt-", UUID, 36, 36, "axiom.co/docs"),
    KeyForm("rootly-key", "rootly_", HEX, 64, 64, "GH"),
    KeyForm("fullstory-key", "na1.", rb"A-Za-z0-9+/", 100, 100, "TH"),
    # work
    KeyForm("linear-key", "lin_api_ lin_oauth_", ALNUM, 40, 64, "GL"),
    KeyForm("adobe-secret", "p8e-", DASHED, 32, 32, "GL"),
    KeyForm("apify-token", "apify_api_", rb"A-Za-z0-9\-", 36, 36, "TH"),
    KeyForm("bannerbear-key", "bb_pr_ bb_ma_", HEX, 30, 30, "TH"),
    KeyForm("flexport-token", "shltm_", DASHED, 40, 40, "TH"),
    KeyForm("salesforce-token", "5AEP861", rb"A-Za-z0-9._=", 80, 250, "TH"),
    KeyForm("settlemint-token", "sm_aat_ sm_pat_ sm_sat_", ALNUM, 16, 16, "GL"),
    KeyForm("intra42-secret", "s-s4t2ud- s-s4t2af-", HEX, 64, 64, "GL"),
    KeyForm("ubidots-token", "BBFF-", ALNUM, 30, 30, "TH"),
    KeyForm("notion-token", "ntn_", ALNUM, 46, 50, "developers.notion.com"),
    KeyForm("bitbucket-password", "ATBB", ALNUM, 32, 32, "GH"),
    KeyForm("adafruit-key", "aio_", ALNUM, 28, 28, "GL"),
    KeyForm("contentful-token", "CFPAT-", DASHED, 43, 43, "GH"),
    KeyForm("readme-key", "rdme_", LOWER, 70, 70, "GL"),
    KeyForm("frameio-token", "fio-u-", rb"A-Za-z0-9_=\-", 64, 64, "GL"),
    KeyForm("hubspot-token", "pat-na1- pat-eu1-", rb"0-9A-Fa-f\-", 36, 36, "GH"),
    KeyForm("dropbox-token", "sl.u. sl.A sl.B", DASHED, 120, 1400, "GL"),
)  # fmt: skip


def _is_encoded_json(prefix: bytes, body: bytes) -> bool:
    """Check a key that is JSON in base64: the prefix ends in the base64 of its beginning."""
    return bool(decode_json(prefix[prefix.index(b"eyJ") :] + body.partition(b"_")[0]))


PREFIXED: Final = (
    *(form.rule() for form in FORMS),
    KeyRule("sendgrid-key", [b"SG."], repeat(DASHED, 22, 22), literal(b"."), repeat(DASHED, 43, 43),
            chars=DASHED, verify=is_random_mixed),
    KeyRule("sentry-token", [b"sntrys_eyJ"], base64_text(40, 500), literal(b"_"),
            base64_text(43, 43, padding=(0, 1)), chars=ALNUM, verify=_is_encoded_json),
    KeyRule("grafana-token", [b"glc_"], base64_text(32, 500), chars=ALNUM, verify=is_random_mixed),
    KeyRule("grafana-token", [b"eyJrIjoi"], base64_text(60, 400), chars=ALNUM,
            verify=_is_encoded_json),
    KeyRule("1password-token", [b"ops_eyJ"], base64_text(250, 1500), chars=ALNUM,
            verify=is_random_mixed),
    KeyRule("1password-token", [b"A3-"], repeat(UPPER, 6, 6), literal(b"-"),
            repeat(rb"A-Z0-9\-", 27, 33, possessive=True), chars=rb"A-Z0-9\-"),
    KeyRule("fly-token", [b"fm2_", b"fm1a_", b"fm1r_"], base64_text(80, 1500), chars=ALNUM,
            verify=is_random_mixed),
    KeyRule("aws-bedrock-key", [b"ABSK"], base64_text(109, 269), chars=ALNUM,
            verify=is_random_mixed),
    KeyRule("aws-bedrock-key", [b"bedrock-api-key-"], base64_text(40, 3000), chars=ALNUM,
            verify=is_random_mixed),
    KeyRule("atlassian-token", [b"ATATT3xFfGF0", b"ATCTT3xFfGN0", b"ATSTT3xFfGN0"],
            repeat(DASHED, 50, 400, possessive=True),
            one_of(b"=", b"%3D", b"%3d", b"\\u003d", b"\\u003D", b"&#61;", b"&#x3D;"),
            repeat(rb"0-9A-F", 8, 8), chars=DASHED, verify=atlassian_checksum),
    KeyRule("mapbox-token", [b"sk.eyJ"], repeat(DASHED, 40, 200, possessive=True), literal(b"."),
            repeat(DASHED, 20, 24, possessive=True), chars=DASHED, verify=is_random_mixed),
    KeyRule("cloudflare-token", [b"v1.0-"], repeat(HEX, 24, 24), literal(b"-"),
            repeat(HEX, 146, 146), chars=HEX),
    # The fourteen characters before the literal are an id.
    KeyRule("terraform-token", [b".atlasv1."], repeat(DASHED, 60, 70, possessive=True),
            chars=DASHED, verify=is_random_mixed, after=rb"(?<=[A-Za-z0-9]{14})"),
)  # fmt: skip
