"""docs/how-to/serverless.md: both handlers answer real events, by a real Mangum."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import DOCS
from tests.docs.walkthrough import Walkthrough, check_setup, code_blocks
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

BLOCKS = list(code_blocks((DOCS / "how-to" / "serverless.md").read_text()))

#: What an HTTP API of the API Gateway sends, in version 2.0 of its format.
EVENT = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/login",
    "rawQueryString": "",
    "headers": {
        "host": "shop.example",
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    },
    "requestContext": {
        "http": {
            "method": "POST",
            "path": "/login",
            "protocol": "HTTP/1.1",
            "sourceIp": "203.0.113.7",
            "userAgent": "curl",
        },
        "domainName": "shop.example",
        "requestId": "JKJaXmPLvHcESHA=",
        "stage": "$default",
        "timeEpoch": 1780272000000,
    },
    "isBase64Encoded": False,
}

CLIENT = """
import importlib, json, sys

module = importlib.import_module(sys.argv[1])
event = json.loads(sys.argv[2])
responses = [module.handler(event, None) for _ in range(6)]
event["requestContext"]["http"]["sourceIp"] = "203.0.113.8"
responses.append(module.handler(event, None))
print(json.dumps(responses))
"""


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("module", ["shop", "wsgi_shop"])
def test_the_handler_limits_each_client(module: str, tmp_path: Path, valkey: Valkey) -> None:
    """By the event's address, in a store that instances share, and with problems as text."""
    valkey.ask("FLUSHALL")
    environ = {"LIMITS": f"valkey://{valkey.place}", "PYTHONWARNINGS": "error"}
    with Walkthrough(tmp_path, environ=environ) as walk:
        for block in BLOCKS:
            if "title=" in block.options:
                walk.write(block)
        (tmp_path / "client.py").write_text(CLIENT)
        command = [sys.executable, "client.py", module, json.dumps(EVENT)]
        done = subprocess.run(
            command, cwd=tmp_path, env=walk.environ, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    *responses, other = json.loads(done.stdout)
    assert [one["statusCode"] for one in responses] == [200] * 5 + [429]
    assert other["statusCode"] == 200
    assert json.loads(other["body"]) == {"hello": "you"}
    refused = responses[-1]
    assert not refused["isBase64Encoded"]
    assert json.loads(refused["body"])["violated-policies"] == ["POST /login"]
    assert {"x-request-id", "retry-after"} <= refused["headers"].keys()


@pytest.mark.few_cases(1)
@pytest.mark.parametrize(("lifespan", "starts"), [("off", 1), ("auto", 3)])
def test_the_lifespan_decides_how_often_policies_start(
    lifespan: str, starts: int, tmp_path: Path
) -> None:
    """Once for an instance, or with each event."""
    code = f"""
import json, mantlet, shop

class Counting(mantlet.Policy):
    starts = 0

    async def startup(self):
        Counting.starts += 1

    def on_request(self, request):
        return None

app = mantlet.wrap(shop.api, Counting())
handler = shop.Mangum(app, lifespan={lifespan!r})
for _ in range(3):
    assert handler(json.loads({json.dumps(EVENT)!r}), None)["statusCode"] == 200
print(Counting.starts)
"""
    with Walkthrough(tmp_path) as walk:
        walk.write(BLOCKS[1])
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=walk.environ,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout.strip() == str(starts), done.stderr


def test_what_is_installed_exists() -> None:
    """Packages and extras."""
    commands = [one.code.strip() for one in BLOCKS if one.language == "sh"]
    assert len(commands) == 2
    for command in commands:
        check_setup(command)
