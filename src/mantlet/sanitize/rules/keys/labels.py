"""Keys that look like other data, and are recognized by a label or by data beside them."""

import re
from typing import Final

from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchFound, MatchResult
from mantlet.sanitize.rules.incremental_regex import PatternPart, literal, one_of, repeat
from mantlet.sanitize.rules.keys.checks import (
    decode_base64url,
    is_random,
    is_random_hex,
    is_random_mixed,
    unescape,
)
from mantlet.sanitize.rules.keys.rule import GAP, KeyRule, LabeledRule, base64_text

__all__ = ["AWS_KEY_PREFIXES", "CONTEXTUAL", "AwsKeyRule"]

_DASHED: Final = rb"A-Za-z0-9_\-"
_HEX: Final = rb"0-9a-f"
#: Permanent, temporary, of a service's bearer token, of a context: the IAM user guide, "Unique
#: identifiers".
AWS_KEY_PREFIXES: Final = (b"AKIA", b"ASIA", b"ABIA", b"ACCA")

# -- AWS ------------------------------------------------------------------------------------------

#: What a signature, version 4, has after the access key's id: its scope begins with a date.
_SCOPE: Final = re.compile(rb"(?:/|\\{1,4}/|%(?:25)?2[fF]|&#(?:47|x2[fF]);)20[0-9]{6}")
_SCOPE_BEGINNING: Final = re.compile(
    rb"(?:/|\\{1,4}/?|%(?:25?)?(?:2[fF]?)?|&#?[0-9xfF]{0,3};?)?[0-9]{0,8}\Z"
)
#: The name of the access key's id in a signed URL, version 2 (query string authentication of S3),
#: and in the fields of a signed form.
SIGNED_BY: Final = (
    rb"(?i:aws_?access_?key_?id|googleaccessid|ossaccesskeyid|(?:amz|goog)-credential)"
    rb"(?:[\"'=:> \\]|&quot;|&#3[49];|%(?:22|3[aAdD]|20)|u0022|value|type|hidden|text){1,12}"
)
#: Of these names, those of a signed form or URL alone, not those of a configuration.
PUBLIC_NAME: Final = SIGNED_BY.replace(b"aws_?access_?key_?id", b"awsaccesskeyid")


def _is_aws_secret(_label: bytes, value: bytes) -> bool:
    """Check 40 characters of base64: no hexadecimal digest, no words, no path."""
    kinds = (re.search(kind, value) for kind in (rb"[A-Z]", rb"[a-z]", rb"[0-9]"))
    return all(kinds) and len(set(value)) >= 18 and is_random(b"", value)


_AWS_SECRET: Final = base64_text(40, 40, padding=(0, 0))
_AWS_CHARS: Final = rb"A-Za-z0-9+/="
#: The secret next to the id of its key, in a row of a table, a list or a pair.
_BESIDE: Final = rb"(?:[ \t,:;|\"'\\]|\r?\n(?!\r?\n)|\\[nrt]|&quot;|</?t[dr]>){1,24}+"
_SECRET_BESIDE: Final = re.compile(b"%s(%s)(?![%s])" % (_BESIDE, _AWS_SECRET.whole, _AWS_CHARS))
_SECRET_BEGINS: Final = re.compile(
    rb"(?:%s)?(?:&[a-z]{0,4}|<[/tdr]{0,3}|%s)\Z" % (_BESIDE, _AWS_SECRET.beginning)
)


class AwsKeyRule(KeyRule):
    """The id of an AWS access key, with its secret if that is next to it.

    In a signed URL or form, everyone may see the id.

    Args:
        id: the id that it is reported under.
        signed: whether to match the ids in signed URLs and forms instead of the others.
    """

    __slots__ = ("_is_public", "_signed")

    def __init__(self, id: str, *, signed: bool) -> None:
        super().__init__(
            id, AWS_KEY_PREFIXES, repeat(rb"A-Z0-9", 16, 16, possessive=True), chars=rb"A-Za-z0-9_"
        )
        self._signed = signed
        self._is_public = re.compile(PUBLIC_NAME + rb"\Z")

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where its literal was found."""
        found = super().match(data, start, end, more, media)
        if not isinstance(found, MatchFound):
            return found
        signed = bool(
            _SCOPE.match(data, found.end)
            or self._is_public.search(data[max(0, start - 64) : start])
        )
        if signed != self._signed:
            waits = not signed and more and _SCOPE_BEGINNING.match(data, found.end)
            return NEED_MORE if waits else NO_MATCH
        if signed:
            return found
        secret = _SECRET_BESIDE.match(data, found.end)
        if secret is not None and _is_aws_secret(b"", unescape(secret[1])):
            is_open = more and secret.end() == len(data)
            return NEED_MORE if is_open else MatchFound(start, secret.end())
        waits = more and (
            _SCOPE_BEGINNING.match(data, found.end) or _SECRET_BEGINS.match(data, found.end)
        )
        return NEED_MORE if waits else found


_AWS: Final = (
    AwsKeyRule("aws-access-key", signed=False),
    LabeledRule("aws-secret-key",
                [b"ecret_access_key", b"ECRET_ACCESS_KEY", b"ecretAccessKey", b"ecret access key",
                 b"ecret Access Key", b"aws_secret_key", b"AWS_SECRET_KEY", b"awsSecretKey"],
                _AWS_SECRET, chars=_AWS_CHARS, verify=_is_aws_secret),
    # {"iss":"origin_...: what the Security Token Service returns.
    KeyRule("aws-session-token", [b"IQoJb3JpZ2lu"], base64_text(100, 2000), chars=rb"A-Za-z0-9+/",
            verify=is_random_mixed,
            unless=rb"(?i:amz-security-token)(?:[\"'=:> \\]|&quot;|&#3[49];|%(?:22|3[aAdD]|20)"
                   rb"|u0022|value|type|hidden){1,12}"),
)  # fmt: skip

# -- Azure ----------------------------------------------------------------------------------------


def _is_shared_access(_label: bytes, value: bytes) -> bool:
    """Check a signature: the base64 of 32 bytes."""
    return len(decode_base64url(value)) == 32 and is_random_mixed(b"", value)


class _SharedAccessSignature(LabeledRule):
    """The signature of a shared access signature (SAS).

    One that lets read a single blob or file is a link that the app hands out, as presigned links of
    S3 are.
    """

    __slots__ = ()

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        found = super().match(data, start, end, more, media)
        if isinstance(found, MatchFound) and _reads_one(data[max(0, start - 250) : start]):
            return NO_MATCH
        return found


_READ: Final = re.compile(rb"[?&;6]sp(?:=|%3[dD])r(?:[&%\\]|\Z)")
_ONE: Final = re.compile(rb"[?&;6]sr(?:=|%3[dD])(?:b|f|bs|bv)(?:[&%\\]|\Z)")


def _reads_one(query: bytes) -> bool:
    query = query[query.rfind(b"?") + 1 :] if b"?" in query else query
    query = b"&" + query
    return bool(_READ.search(query) and _ONE.search(query))


_NO_GAP: Final = PatternPart(b"", b"", 0)
_ASSIGNED: Final = PatternPart(
    rb"(?:=|%3[dD]|\\{1,4}u003[dD]|&#(?:61|x3[dD]);|" + GAP.whole + b")",
    rb"(?:%%?[3%%]?|\\{0,4}(?:u[03]{0,3})?|&[#x36]{0,4}|%s)" % GAP.beginning,
    GAP.size,
)

_AZURE: Final = (
    # Four characters of the secret precede its mark and stay.
    KeyRule("azure-ad-secret", [b"Q~"],
            repeat(rb"A-Za-z0-9_~.\-", 31, 34, possessive=True), chars=rb"A-Za-z0-9_~.\-",
            after=rb"(?<=[A-Za-z0-9_~.\-]{3}[0-9])", verify=is_random_mixed),
    LabeledRule("azure-shared-access-key", [b"SharedAccessKey"],
                base64_text(43, 43, padding=(1, 1)), rest=_NO_GAP, gap=_ASSIGNED,
                verify=is_random_mixed),
    LabeledRule("azure-storage-key", [b"AccountKey", b"accountKey", b"account_key", b"STORAGE_KEY"],
                base64_text(86, 86, padding=(2, 2)), rest=_NO_GAP, gap=_ASSIGNED,
                verify=is_random_mixed),
    _SharedAccessSignature("azure-sas", [b"sig="],
                PatternPart(rb"(?:[A-Za-z0-9+/_\-]|%2[bBfF]){43}+(?:=|%3[dD])?",
                            rb"(?:[A-Za-z0-9+/_\-]|%2[bBfF]){0,43}(?:%[23]?)?", 140),
                rest=_NO_GAP, gap=_NO_GAP, chars=rb"A-Za-z0-9+/_\-", verify=_is_shared_access,
                after=rb"(?<![A-Za-z0-9_])|(?<=%26)|(?<=\\u0026)"),
)  # fmt: skip

# -- messengers -----------------------------------------------------------------------------------


def _of_discord(prefix: bytes, body: bytes) -> bool:
    """Check a bot's token: it begins with the base64 of a number, the bot's id."""
    return decode_base64url(prefix + body.partition(b".")[0]).isdigit()


_SLASH: Final = one_of(b"/", b"\\/", b"\\\\/", b"%2F", b"%2f", b"&#x2F;", b"&#47;")

_MESSENGERS: Final = (
    KeyRule("slack-webhook", [b"hooks.slack.com"], _SLASH,
            one_of(b"services", b"workflows", b"triggers"), _SLASH,
            PatternPart(rb"(?:[A-Za-z0-9]++|\\{0,2}/|%2[fF]|&#(?:x2F|47);){3,20}+",
                        rb"(?:[A-Za-z0-9]|\\{0,2}/|%2[fF]|&#(?:x2F|47);|\\|%2?|&#?x?2?F?4?7?){0,200}",
                        240),
            verify=lambda _prefix, body: len(body) > 50 and is_random_mixed(b"", body)),
    KeyRule("zapier-webhook", [b"hooks.zapier.com"], _SLASH, literal(b"hooks"), _SLASH,
            literal(b"catch"), _SLASH, repeat(rb"0-9", 4, 12, possessive=True), _SLASH,
            repeat(rb"0-9a-z", 5, 12, possessive=True), chars=rb"0-9A-Za-z",
            verify=lambda _prefix, _body: True),
    KeyRule("discord-webhook", [b"/api/webhooks/", b"\\/api\\/webhooks\\/"],
            repeat(rb"0-9", 17, 20), _SLASH, repeat(_DASHED, 60, 80, possessive=True),
            chars=_DASHED, after=rb"(?<=com)|(?<=%2F)|(?<=%2f)", verify=is_random_mixed),
    KeyRule("discord-token", [b"MT%c" % char for char in b"AEIMQUYcgk"],
            repeat(_DASHED, 20, 24), literal(b"."), repeat(_DASHED, 6, 6), literal(b"."),
            repeat(_DASHED, 27, 38, possessive=True), chars=_DASHED, verify=_of_discord),
    LabeledRule("discord-token", [b"iscord", b"ISCORD"], repeat(rb"MNO", 1, 1),
            repeat(_DASHED, 23, 25), literal(b"."), repeat(_DASHED, 6, 6), literal(b"."),
            repeat(_DASHED, 27, 38, possessive=True), chars=_DASHED, verify=is_random_mixed),
    KeyRule("teams-webhook", [b".webhook.office.com"], _SLASH, literal(b"webhookb2"), _SLASH,
            repeat(rb"0-9a-f@\-", 73, 73), _SLASH, literal(b"IncomingWebhook"), _SLASH,
            repeat(_HEX, 32, 32), _SLASH, repeat(rb"0-9a-fA-Z_\-", 36, 90, possessive=True),
            chars=_DASHED, after=rb"(?<=[a-z0-9])"),
    # The number of the bot, before it, is public.
    KeyRule("telegram-token", [b":AA", b"%3AAA"], repeat(_DASHED, 33, 33), chars=_DASHED,
            after=rb"(?<=[0-9]{8})", verify=is_random_mixed),
)  # fmt: skip

# -- others ---------------------------------------------------------------------------------------

_LABEL: Final = repeat(rb"A-Za-z_.\-", 0, 24, possessive=True)


def _of_vault(_label: bytes, value: bytes) -> bool:
    return is_random_mixed(b"", value[2:])


_OTHERS: Final = (
    LabeledRule("google-service-account-key-id", [b"private_key_id"], repeat(_HEX, 40, 40),
                chars=_HEX, verify=is_random_hex),
    LabeledRule("vault-token", [b"client_token", b"AULT_TOKEN", b"BAO_TOKEN", b"X-Vault-Token"],
                repeat(rb"sbr", 1, 1), literal(b"."), repeat(rb"A-Za-z0-9", 24, 200),
                chars=rb"A-Za-z0-9", verify=_of_vault),
    LabeledRule("twilio-token", [b"TWILIO", b"wilio"],
                PatternPart(rb"(?:SK)?[0-9a-f]{32}", rb"(?:SK|S)?[0-9a-f]{0,32}", 34),
                chars=rb"0-9A-Za-z", verify=lambda _, value: is_random_hex(b"", value[-32:])),
    LabeledRule("mailgun-key", [b"MAILGUN", b"ailgun"],
                PatternPart(rb"(?:key-[0-9a-z]{32}|[0-9a-f]{32}(?:-[0-9a-f]{8}-[0-9a-f]{8})?)",
                            rb"(?:k|ke|key|key-[0-9a-z]{0,32}|[0-9a-f\-]{0,50})", 50),
                chars=rb"0-9A-Za-z\-"),
    LabeledRule("datadog-key",
                [b"DD_API_KEY", b"DD_APP", b"DD-API", b"DD-APP", b"DATADOG", b"atadog"],
                PatternPart(rb"[0-9a-f]{32}(?:[0-9a-f]{8})?", rb"[0-9a-f]{0,40}", 40),
                chars=rb"0-9A-Za-z", verify=is_random_hex),
    LabeledRule("cloudflare-token",
                [b"CF_API", b"CLOUDFLARE", b"loudflare_", b"loudflareA", b"loudflare-"],
                PatternPart(rb"(?:[A-Za-z0-9_\-]{40}|[0-9a-f]{37})(?![A-Za-z0-9_\-])",
                            rb"[A-Za-z0-9_\-]{0,40}", 40),
                chars=rb"A-Za-z0-9_\-", verify=is_random_mixed),
    LabeledRule("new-relic-key", [b"EW_RELIC", b"ewrelic", b"icense_key", b"icenseKey"],
                PatternPart(rb"[0-9a-zA-Z]{36}NRAL", rb"[0-9a-zA-Z]{0,40}", 40),
                chars=rb"0-9A-Za-z"),
    LabeledRule("airtable-token", [b"AIRTABLE", b"irtable"], literal(b"pat"),
                repeat(rb"A-Za-z0-9", 14, 14), literal(b"."), repeat(_HEX, 64, 64), chars=_HEX),
    LabeledRule("launchdarkly-key",
                [b"LAUNCHDARKLY", b"LAUNCH_DARKLY", b"aunchdarkly", b"aunchDarkly"],
                one_of(b"sdk-", b"api-"), repeat(rb"0-9a-f\-", 36, 36), chars=rb"0-9a-f\-"),
    LabeledRule("crates-io-token", [b"CARGO_REGISTRY_TOKEN", b"crates-io"], literal(b"cio"),
                repeat(rb"A-Za-z0-9", 32, 32), chars=rb"A-Za-z0-9"),
    LabeledRule("cohere-key", [b"COHERE", b"CO_API_KEY", b"cohere_", b"cohereA"],
                repeat(rb"A-Za-z0-9", 40, 40), chars=rb"A-Za-z0-9", verify=is_random_mixed),
    LabeledRule("notion-token", [b"NOTION", b"notion_", b"notionT"], literal(b"secret_"),
                repeat(rb"A-Za-z0-9", 43, 43), chars=rb"A-Za-z0-9", verify=is_random_mixed),
    # Of registries that are not npm's, and older ones of npm.
    LabeledRule("npm-token", [b"_authToken"], repeat(rb"0-9a-f\-", 36, 36), chars=rb"0-9A-Za-z\-"),
    LabeledRule("klaviyo-key", [b"KLAVIYO", b"laviyo"], literal(b"pk_"),
                repeat(rb"A-Za-z0-9_", 34, 41), chars=rb"A-Za-z0-9_"),
    LabeledRule("mailchimp-key", [b"MAILCHIMP", b"ailchimp"], repeat(_HEX, 32, 32),
                literal(b"-us"), repeat(rb"0-9", 1, 2, possessive=True), chars=rb"0-9A-Za-z",
                verify=lambda _, value: is_random_hex(b"", value[:32])),
    LabeledRule("maxmind-key", [b"MAXMIND", b"axmind", b"axMind"], repeat(rb"A-Za-z0-9", 6, 6),
                literal(b"_"), repeat(rb"A-Za-z0-9", 29, 29), literal(b"_mmk"),
                chars=rb"A-Za-z0-9_", verify=is_random_mixed),
    LabeledRule("octopus-key", [b"OCTOPUS", b"ctopus"], literal(b"API-"),
                repeat(rb"A-Z0-9", 26, 30), chars=rb"A-Za-z0-9"),
    LabeledRule("harness-key", [b"HARNESS", b"arness_", b"arnessA"], one_of(b"pat.", b"sat."),
                repeat(_DASHED, 22, 22), literal(b"."), repeat(rb"0-9A-Za-z", 24, 24),
                literal(b"."), repeat(rb"0-9A-Za-z", 20, 20), chars=rb"A-Za-z0-9",
                verify=is_random_mixed),
    LabeledRule("zoho-token", [b"ZOHO", b"zoho_", b"zohoA", b"zohoR"], literal(b"1000."),
                repeat(_HEX, 32, 32), literal(b"."), repeat(_HEX, 32, 32), chars=rb"0-9A-Za-z"),
    LabeledRule("lob-key", [b"LOB_API", b"lob_api", b"lobApi"], one_of(b"live_", b"test_"),
                repeat(_HEX, 35, 35), chars=rb"0-9A-Za-z"),
    LabeledRule("gocardless-token", [b"GOCARDLESS", b"ocardless", b"oCardless"],
                literal(b"live_"), repeat(_DASHED, 40, 40), chars=_DASHED,
                verify=is_random_mixed),
    LabeledRule("heroku-key", [b"HEROKU_API_KEY", b"heroku_api_key", b"herokuApiKey"],
                repeat(rb"0-9a-f\-", 36, 36), chars=rb"0-9a-f\-"),
    LabeledRule("okta-token", [b"OKTA_", b"SSWS "],
                literal(b"00"), repeat(_DASHED, 40, 40), chars=_DASHED, verify=is_random_mixed,
                gap=PatternPart(GAP.whole.replace(b"{1,16}", b"{0,16}"), GAP.beginning, GAP.size)),
)  # fmt: skip

CONTEXTUAL: Final = _AWS + _AZURE + _MESSENGERS + _OTHERS
