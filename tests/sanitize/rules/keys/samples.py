"""Keys of providers, made up when a test runs: by the table of their forms, and by hand.

No key stands here as a literal, so that no scanner takes one for real.
"""

from __future__ import annotations

import base64
import json
import zlib
from random import Random

from mantlet.sanitize.rules.keys.prefixes import FORMS, KeyForm

ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
HEX = "0123456789abcdef"
BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"

#: The alphabets of the table, by their class in a regular expression.
CHARS = {
    b"0-9a-f": HEX,
    b"0-9A-Fa-f": HEX,
    b"A-Z0-9": ALNUM[26:],
    b"A-Z0-9.": ALNUM[26:],
    b"a-z0-9": ALNUM[:26] + ALNUM[52:],
    b"0-9a-f\\-": HEX,
    b"0-9A-Fa-f\\-": HEX,
    b"0-9a-z_": HEX,
    b"0-9a-f_": HEX,
    b"0-9a-z$": ALNUM[:26] + ALNUM[52:],
}


def text(seed: object, count: int, chars: str = ALNUM) -> str:
    """Return letters that look random, the same in each run."""
    return "".join(Random(str(seed)).choices(chars, k=count))


def uuid(seed: object) -> str:
    """Return a UUID."""
    return "-".join(text((seed, part), part, HEX) for part in (8, 4, 4, 4, 12))


def encoded(value: object) -> str:
    """Return JSON in base64url."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def in_base(number: int, digits: str, size: int) -> str:
    """Return a number in the base of these digits."""
    out = ""
    while number:
        number, rest = divmod(number, len(digits))
        out = digits[rest] + out
    return out.rjust(size, "0")


def with_crc(body: str, size: int = 6) -> str:
    """Return a token of GitHub or npm, without its prefix."""
    return body + in_base(zlib.crc32(body.encode()), BASE62, size)


def bech32(payload: str) -> str:
    """Return the checksum of an identity of age (BIP 173)."""
    prefix = "age-secret-key-"

    def polymod(values: list[int]) -> int:
        check = 1
        for value in values:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ value
            for bit, part in enumerate(
                (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
            ):
                check ^= part if top >> bit & 1 else 0
        return check

    expanded = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    values = expanded + [BECH32.index(char) for char in payload]
    check = polymod([*values, 0, 0, 0, 0, 0, 0]) ^ 1
    return "".join(BECH32[check >> 5 * (5 - place) & 31] for place in range(6))


def of_form(form: KeyForm, prefix: str) -> str:
    """Return a key of a form of the table whose check is how random it looks."""
    if form.chars == b"0-9a-f\\-" and form.least == 36:
        return prefix + uuid(prefix)
    return prefix + text(prefix, form.least, CHARS.get(form.chars, ALNUM))


def routable(prefix: str) -> str:
    """Return a routable token of GitLab: a payload, its length, and a CRC-32 in base 36."""
    token = f"{prefix}{text(prefix, 36)}.01.10"
    return token + in_base(zlib.crc32(token.encode()), BASE36, 7)


def checked() -> dict[str, tuple[str, str]]:
    """Return keys with a checksum: the rule, and the key."""
    payload = text("age", 52, BECH32)
    grafana = "glsa_" + text("grafana", 32)
    atlassian = "ATATT3xFfGF0" + text("atlassian", 170)
    return {
        **{
            f"github {prefix}": ("github-token", prefix + with_crc(text(prefix, 30)))
            for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")
        },
        "npm": ("npm-token", "npm_" + with_crc(text("npm", 30))),
        "gitlab routable": ("gitlab-token", routable("glpat-")),
        "gitlab runner": ("gitlab-token", routable("glrt-t1_")),
        "age": ("age-identity", f"AGE-SECRET-KEY-1{payload}{bech32(payload)}"),
        "grafana": (
            "grafana-token",
            f"{grafana}_{zlib.crc32(grafana.encode()).to_bytes(4, 'little').hex()}",
        ),
        "atlassian": ("atlassian-token", f"{atlassian}={zlib.crc32(atlassian.encode()):08X}"),
        "discord": (
            "discord-token",
            encoded(1093210986509328437) + f".{text('dt', 6)}.{text('discord', 38)}",
        ),
        "sentry": (
            "sentry-token",
            "sntrys_"
            + base64.b64encode(
                json.dumps({"iat": 1, "url": "https://s", "org": "o"}).encode()
            ).decode()
            + "_"
            + text("sentry", 43),
        ),
        "grafana api": (
            "grafana-token",
            base64.b64encode(
                json.dumps(
                    {"k": text("k", 32), "n": "deploy", "id": 12345}, separators=(",", ":")
                ).encode()
            ).decode(),
        ),
    }


def by_table() -> dict[str, tuple[str, str]]:
    """Return a key of each prefix of the table that has no checksum."""
    with_checksum = {"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "npm_", "AGE-SECRET-KEY-1", "glsa_"}
    samples = {}
    for form in FORMS:
        for prefix in form.prefixes.split():
            if prefix in with_checksum:
                continue
            if "\\" in prefix:  # the same prefix, escaped for JSON
                continue
            key = of_form(form, prefix)
            if form.id == "pypi-token":
                key = prefix + "IcHlwaS5vcmc" + text(prefix, 120)
            samples[f"{form.id} {prefix}"] = (form.id, key)
    return samples


def by_hand() -> dict[str, tuple[str, str]]:
    """Return keys of more than one part."""
    return {
        "sendgrid": ("sendgrid-key", f"SG.{text('s', 22)}.{text('g', 43)}"),
        "grafana cloud": (
            "grafana-token",
            "glc_" + encoded({"o": "1", "n": "x", "k": text("k", 30)}),
        ),
        "1password": ("1password-token", "ops_eyJ" + text("ops", 300)),
        "1password secret key": (
            "1password-token",
            "A3-" + "-".join(text(("1p", n), n, ALNUM[26:]) for n in (6, 11, 5, 5, 5)),
        ),
        "fly": ("fly-token", "fm2_" + text("fly", 160)),
        "bedrock": ("aws-bedrock-key", "ABSK" + text("bedrock", 128)),
        "bedrock short": ("aws-bedrock-key", "bedrock-api-key-" + text("bedrock", 200)),
        "mapbox": ("mapbox-token", f"sk.eyJ{text('mb', 60)}.{text('mapbox', 22)}"),
        "cloudflare origin": (
            "cloudflare-token",
            f"v1.0-{text('o', 24, HEX)}-{text('ca', 146, HEX)}",
        ),
        "aws": ("aws-access-key", "AKIA" + text("aws", 16, ALNUM[26:52] + "234567")),
        "aws temporary": ("aws-access-key", "ASIA" + text("aws", 16, ALNUM[26:52] + "234567")),
        "aws session": ("aws-session-token", "IQoJb3JpZ2lu" + text("sts", 400)),
        "slack hook": (
            "slack-webhook",
            f"hooks.slack.com/services/T{text('t', 10, ALNUM[26:])}/B{text('b', 10, ALNUM[26:])}/"
            + text("hook", 24),
        ),
        "slack workflow": (
            "slack-webhook",
            "hooks.slack.com/workflows/"
            + "/".join((text("t", 10, ALNUM[26:]), text("b", 10, ALNUM[26:]), text("hook", 40))),
        ),
        "zapier hook": (
            "zapier-webhook",
            f"hooks.zapier.com/hooks/catch/1093210/{text('z', 7, ALNUM[:26] + ALNUM[52:])}",
        ),
        "bcrypt": ("password-hash", "$2b$12$" + text("bcrypt", 53)),
        "argon2": (
            "password-hash",
            f"$argon2id$v=19$m=65536,t=3,p=4${text('a', 22)}${text('argon', 43)}",
        ),
        "django": ("password-hash", f"pbkdf2_sha256$870000${text('d', 22)}${text('django', 43)}="),
        "django argon2": (
            "password-hash",
            f"$argon2id$v=19$m=102400,t=2,p=8${text('d', 30)}${text('a2', 43)}",
        ),
        "django scrypt": ("password-hash", f"scrypt$16384${text('d', 22)}$8$1${text('ds', 86)}=="),
        "werkzeug": ("password-hash", f"scrypt:32768:8:1${text('w', 16)}${text('ws', 128, HEX)}"),
        "werkzeug pbkdf2": (
            "password-hash",
            f"pbkdf2:sha256:1000000${text('w', 16)}${text('wp', 64, HEX)}",
        ),
        "passlib pbkdf2": (
            "password-hash",
            f"$pbkdf2-sha512$25000${text('p', 22)}${text('pp', 86)}",
        ),
        "passlib scrypt": (
            "password-hash",
            f"$scrypt$ln=16,r=8,p=1${text('p', 22)}${text('ps', 43)}",
        ),
        "sha512 crypt": ("password-hash", f"$6${text('c', 16)}${text('crypt', 86)}"),
        "sha512 crypt rounds": (
            "password-hash",
            f"$6$rounds=656000${text('c', 16)}${text('cr', 86)}",
        ),
        "sha256 crypt": ("password-hash", f"$5${text('c', 16)}${text('crypt', 43)}"),
        "md5 crypt": ("password-hash", f"$1${text('c', 8)}${text('crypt', 22)}"),
        "yescrypt": ("password-hash", f"$y$j9T${text('y', 22)}${text('yes', 43)}"),
        "wordpress": ("password-hash", "$P$B" + text("wp", 30)),
        "scram": (
            "password-hash",
            f"SCRAM-SHA-256$4096:{text('s', 24)}${text('st', 44)}:{text('sv', 44)}",
        ),
        "ldap": ("password-hash", "{SSHA}" + text("ldap", 40)),
    }


#: What precedes a key that only its label or neighbor tells, and what follows.
LABELS = ("%s=", '"%s": "', "%s: ", "%s = '", '{"%s":"', "&quot;%s&quot;: &quot;", '\\"%s\\": \\"')


def labeled() -> dict[str, tuple[str, str, str]]:
    """Return values that their label tells: the rule, the label, and the value."""
    base64_32 = base64.b64encode(Random(1).randbytes(32)).decode()
    base64_64 = base64.b64encode(Random(2).randbytes(64)).decode()
    aws = text("secret", 38) + "/+"
    return {
        "aws": ("aws-secret-key", "aws_secret_access_key", aws),
        "aws variable": ("aws-secret-key", "AWS_SECRET_ACCESS_KEY", aws),
        "aws json": ("aws-secret-key", "SecretAccessKey", aws),
        "aws camel": ("aws-secret-key", "secretAccessKey", aws),
        "azure shared": ("azure-shared-access-key", "SharedAccessKey", base64_32),
        "azure storage": ("azure-storage-key", "AccountKey", base64_64),
        "service account": ("google-service-account-key-id", "private_key_id", text("k", 40, HEX)),
        "vault": ("vault-token", "client_token", "s." + text("vault", 24)),
        "openbao": ("vault-token", "BAO_TOKEN", "s." + text("bao", 24)),
        "twilio": ("twilio-token", "TWILIO_AUTH_TOKEN", text("twilio", 32, HEX)),
        "twilio key": ("twilio-token", "twilio_api_key", "SK" + text("twilio", 32, HEX)),
        "mailgun": ("mailgun-key", "MAILGUN_API_KEY", "key-" + text("mg", 32, HEX)),
        "mailgun new": (
            "mailgun-key",
            "mailgun_key",
            f"{text('mg', 32, HEX)}-{text('a', 8, HEX)}-{text('b', 8, HEX)}",
        ),
        "datadog": ("datadog-key", "DD_API_KEY", text("dd", 32, HEX)),
        "datadog app": ("datadog-key", "datadog_app_key", text("dda", 40, HEX)),
        "cloudflare": ("cloudflare-token", "CLOUDFLARE_API_TOKEN", text("cf", 40)),
        "cloudflare global": ("cloudflare-token", "CF_API_KEY", text("cfg", 37, HEX)),
        "new relic": ("new-relic-key", "NEW_RELIC_LICENSE_KEY", text("nr", 36, HEX) + "NRAL"),
        "airtable": (
            "airtable-token",
            "AIRTABLE_TOKEN",
            f"pat{text('at', 14)}.{text('ata', 64, HEX)}",
        ),
        "launchdarkly": ("launchdarkly-key", "LAUNCHDARKLY_SDK_KEY", "sdk-" + uuid("ld")),
        "crates": ("crates-io-token", "CARGO_REGISTRY_TOKEN", "cio" + text("cio", 32)),
        "cohere": ("cohere-key", "COHERE_API_KEY", text("co", 40)),
        "notion": ("notion-token", "NOTION_TOKEN", "secret_" + text("notion", 43)),
        "heroku": ("heroku-key", "HEROKU_API_KEY", uuid("heroku")),
        "npm registry": ("npm-token", "//registry/:_authToken", uuid("npm")),
        "klaviyo": ("klaviyo-key", "KLAVIYO_API_KEY", "pk_" + text("kl", 34, HEX)),
        "klaviyo site": ("klaviyo-key", "klaviyo_key", f"pk_{text('k', 6)}_{text('kl', 34, HEX)}"),
        "mailchimp": ("mailchimp-key", "MAILCHIMP_API_KEY", text("mc", 32, HEX) + "-us12"),
        "maxmind": ("maxmind-key", "MAXMIND_KEY", f"{text('m', 6)}_{text('mm', 29)}_mmk"),
        "octopus": ("octopus-key", "OCTOPUS_API_KEY", "API-" + text("oc", 26, ALNUM[26:])),
        "harness": (
            "harness-key",
            "HARNESS_API_KEY",
            f"pat.{text('h', 22)}.{text('ha', 24)}.{text('har', 20)}",
        ),
        "zoho": ("zoho-token", "ZOHO_TOKEN", f"1000.{text('z', 32, HEX)}.{text('zo', 32, HEX)}"),
        "lob": ("lob-key", "LOB_API_KEY", "live_" + text("lob", 35, HEX)),
        "gocardless": ("gocardless-token", "GOCARDLESS_TOKEN", "live_" + text("gc", 40)),
        "okta": ("okta-token", "OKTA_TOKEN", "00" + text("okta", 40)),
        "discord": (
            "discord-token",
            "DISCORD_TOKEN",
            f"N{text('di', 23)}.{text('d', 6)}.{text('disc', 27)}",
        ),
    }


def keys() -> dict[str, tuple[str, str]]:
    """Return all that have a form of their own: the rule, and the key."""
    return {**checked(), **by_table(), **by_hand()}
