"""The examples of docs/observability.md, each run in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.utils.module_loading import import_string

from tests.docs.pages import DOCS, blocks, run

pytestmark = pytest.mark.slow

ROOT = DOCS.parent
PAGE = "observability.md"
BLOCKS = blocks(PAGE)
VALUE = "kR7-vT2_qX9.mB4w"

ASK = """
from tests.drive import drive_asgi, drive_wsgi

def ask(path):
    drive = drive_wsgi if isinstance(app, mantlet.wsgi.Stack) else drive_asgi
    return drive(app, path=path).status
"""

SENTRY = """
from sentry_sdk.transport import Transport

events = []

class Recording(Transport):
    def capture_envelope(self, envelope):
        events.extend(item.payload.json for item in envelope.items if item.type == "event")

sentry_sdk.get_client().transport = Recording()
"""

CHECKS = {
    "sentry_sdk.init(dsn": SENTRY
    + """
if "plain" in globals():
    assert ask("/") == 500
    (event,) = events
    assert len(event["tags"]["request_id"]) == 32
else:
    assert ask("/orders/shipped") == 409
    assert events == []
    assert ask("/orders/lost") == 500
    (event,) = events
assert event["exception"]["values"][-1]["type"] == "KeyError"
""",
    "SentryMasker": SENTRY
    + """
import logging

value = secrets.current.database_password.reveal()
sentry_sdk.capture_message(f"is {value}")
(event,) = events
assert event["message"] == "is ***"
with trace.get_tracer("shop").start_as_current_span(f"is {value}"):
    logging.getLogger("shop").warning("is %s", value)
provider.shutdown()
""",
    "FlaskInstrumentor": """
assert ask("/orders/shipped") == 409
assert ask("/orders/lost") == 500
shipped, lost = exporter.get_finished_spans()
assert (shipped.status.status_code.name, len(shipped.events)) == ("UNSET", 0)
assert lost.status.status_code.name == "ERROR"
""",
    "def note_user": """
from hashlib import sha256

from mantlet import ApiKeys, Authenticator
from tests.drive import drive_wsgi

users = []

def shop(environ, start_response):
    note_user(environ)
    users.append(sentry_sdk.get_isolation_scope()._user)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b""]

keys = ApiKeys({sha256(b"a-key-of-a-test").hexdigest(): "billing"})
app = mantlet.wrap(shop, Authenticator(keys))
assert drive_wsgi(app, headers=[("X-API-Key", "a-key-of-a-test")]).status == 200
assert users == [{"id": "billing"}]
""",
    "starlette_exporter": """
assert ask("/orders/shipped") == 409
assert ask("/orders/lost") == 500
metrics = drive_asgi(app, path="/metrics").body.decode()
for status in (409, 500):
    labels = f'method="GET",path="/orders/{{order}}",status_code="{status}"'
    assert f'starlette_requests_total{{app_name="starlette",{labels}}} 1.0' in metrics
""",
}

EXPORTER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""


def test_the_settings_name_middlewares() -> None:
    """All of them can be imported."""
    names = run(PAGE, BLOCKS[0])
    for name in names["MIDDLEWARE"]:
        assert callable(import_string(name))
    assert names["MIDDLEWARE"][-1] == "mantlet.integrations.django.ProblemMiddleware"


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("block", BLOCKS[1:], ids=range(1, len(BLOCKS)))
def test_the_example_does_what_the_page_says(block: str) -> None:
    """A refusal is no crash to the service, and a crash is one."""
    (check,) = [check for mark, check in CHECKS.items() if mark in block]
    before = EXPORTER if "FlaskInstrumentor" in block else ""
    code = "\n".join((before, block, ASK, check))
    environ = {
        "SENTRY_DSN": "http://key@localhost/1",
        "DATABASE_PASSWORD": VALUE,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert VALUE not in done.stdout + done.stderr
    if "BatchSpanProcessor" in block:
        assert '"name": "is ***"' in done.stdout
        assert "is ***\n" in done.stderr
