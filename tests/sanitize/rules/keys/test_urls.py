"""Passwords in URLs are masked, and nothing else of the URL; what stands for one stays."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest

from mantlet.sanitize import Leaks
from tests.sanitize.rules.keys.samples import text
from tests.sanitize.rules.keys.scanning import in_steps, scanned, streamed

PASSWORD = text("password", 14)
SCHEMES = (
    "postgresql", "postgresql+psycopg", "postgres", "mysql", "mysql+pymysql", "mariadb", "redis",
    "rediss", "valkey", "mongodb", "mongodb+srv", "amqp", "amqps", "http", "https", "ftp", "sftp",
    "ssh", "smtp", "smtps", "ldap", "ldaps", "kafka", "nats", "mqtt", "mssql+pyodbc", "oracle",
    "clickhouse", "elasticsearch+https", "cloudinary", "socks5", "ws", "wss", "git+https", "jdbc:x",
)  # fmt: skip
HOSTS = (
    "db.corp.internal:5432",
    "10.0.0.5",
    "[2001:db8::1]:5432",
    "db",
    "localhost",
    "db.example.com",
)


def secret(url: str, password: str = PASSWORD) -> tuple[bytes, bytes]:
    return url.encode(), url.replace(password, "*" * len(password)).encode()


def lower_escapes(url: str) -> str:
    return url.replace("%3A", "%3a").replace("%2F", "%2f")


@pytest.mark.few_cases(16)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("user", ["app", "", "u%40corp", "a.b-c_d", "user"])
def test_the_password_alone_is_masked(scheme: str, user: str) -> None:
    """Of any scheme, with or without a user, and over cuts."""
    for host in HOSTS:
        body, expected = secret(f'x "{scheme}://{user}:{PASSWORD}@{host}/shop?x=1" y')
        assert scanned(body) == (expected, ["url-password"])
        for at in range(len(body)):
            assert streamed([body[:at], body[at:]]) == expected
        assert streamed(in_steps(body, 1)) == expected


@pytest.mark.parametrize(
    "password",
    [
        "p%40ss%2FW0rd%21",
        "Xk29:fjQ",
        "a1b2c3^#"[:7],
        "s3cr&et",
        "pa=ss;w0rd",
        "$ecret99",
        "geheim~1",
    ],
)
def test_passwords_of_other_letters_are_masked(password: str) -> None:
    """Escaped for a URL or not."""
    body, expected = secret(f"amqp://app:{password}@mq.corp.net/x", password)
    assert scanned(body) == (expected, ["url-password"])


@pytest.mark.parametrize("wrap", [
    lambda url: json.dumps({"url": url}),
    lambda url: json.dumps({"url": url}).replace("/", "\\/"),
    lambda url: json.dumps({"x": json.dumps({"url": url}).replace("/", "\\/")}),
    lambda url: html.escape(f'"{url}"'),
    lambda url: html.escape(url).replace("/", "&#x2F;"),
    lambda url: html.escape(url).replace("/", "&#47;"),
    lambda url: "https://a.b/login?next=" + quote(url, safe=""),
    lambda url: "https://a.b/?next=" + lower_escapes(quote(url, safe="")),
    lambda url: f"could not connect to {url}: timeout",
    lambda url: f"DATABASE_URL='{url}'",
], ids=range(10))  # fmt: skip
def test_passwords_in_escaped_urls_are_masked(wrap: object) -> None:
    """As JSON, HTML and the queries of other URLs write them."""
    body, expected = secret(wrap(f"postgres://app:{PASSWORD}@db.internal/shop"))  # type: ignore[operator]
    assert scanned(body) == (expected, ["url-password"])
    for at in range(len(body)):
        assert streamed([body[:at], body[at:]]) == expected


@pytest.mark.parametrize(
    "body",
    [
        "amqp://guest:guest@localhost",
        "postgres://user:password@host",
        "postgres://USER:PASS@HOST:5432/DB",
        "https://username:password@example.com",
        "postgres://postgres:postgres@localhost:5432/postgres",
        "postgresql://scott:tiger@localhost/test",
        "http://${USER}:${PASSWORD}@host",
        "http://$USER:$PASSWORD@host",
        "http://{{ user }}:{{password}}@host",
        'f"postgresql://{user}:{password}@{host}/{name}"',
        "http://user:<password>@host",
        "http://user:&lt;password&gt;@host",
        "https://user:***@host",
        "https://user:xxxx@host",
        "redis://:your-password@host",
        "redis://:[password]@host",
        "mysql://%s:%s@%s/%s",
        "mysql://%(user)s:%(password)s@%(host)s",
        "https://alice:s3cret@example.com",
        "https://a:b@example.com",
        "https://a:b@xn--g6w251d/?abc",
        "&quot;http://host:80&quot;,&quot;mail&quot;:&quot;a@b.c&quot;",
        '{"url":"http://host:80","mail":"a@b.c"}',
        "http://localhost:3000/@vite/client",
        "http://localhost:3000?email=a@b.c",
        "ssh://git@github.com:22/x",
        "git+ssh://git@github.com:user/repo.git#v1",
        r"/^(\w+):\/\/(?:([^:@]+):([^@]+)@)?/",
        "https://medium.com/@someone/title-1234: see me@here.com",
        "https://unpkg.com/vue@3 and https://cdn.jsdelivr.net/npm/a@1:b@2",
        "redis://127.0.0.1:6379@16379",
        "http://host:8080,http://other:9090 mail me@corp.com",
        "http:\\/\\/host:8080\\/a@b",
        "next=https%3A%2F%2Fa.b%3A8080%2Fx%40y",
    ],
)
def test_what_stands_for_a_password_is_left_alone(body: str) -> None:
    """Placeholders, ports, addresses, code."""
    assert scanned(body.encode()) == (body.encode(), [])
    assert streamed(in_steps(body.encode(), 2)) == body.encode()


def test_the_group_can_be_left_out() -> None:
    """And the rule ignored."""
    body, _ = secret(f"redis://:{PASSWORD}@10.0.0.5:6379/0")
    for leaks in (Leaks(detect=["keys"]), Leaks(ignore="url-password")):
        assert scanned(body, None, leaks.scanner(())) == (body, [])
