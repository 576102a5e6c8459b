"""Start the back end on this machine: ``python -m examples.reference --help``."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from examples.reference.composition import Backend
from examples.reference.config import Settings
from examples.reference.development import Provider, environment, start_postgresql

_FASTAPI = "uvicorn examples.reference.asgi:app --host 127.0.0.1 --port {port}"
_FLASK = "gunicorn examples.reference.wsgi:app --bind 127.0.0.1:{port} --threads 8"
_COMMANDS = """
ANN={ann}
CLERK={clerk}
API=http://127.0.0.1:{port}
JSON="Content-Type: application/json"

curl $API/v2/orders -H "Authorization: Bearer $ANN" -H "Idempotency-Key: 1" -H "$JSON" \\
  -d '{{"lines": {{"lamp": 2}}}}'
curl $API/v1/orders -H "Authorization: Bearer $ANN"
curl $API/graphql -H "Authorization: Bearer $ANN" -H "$JSON" \\
  -d '{{"query": "{{ orders {{ id status }} }}"}}'
"""


def main() -> None:
    """Start a server and the relay of events, and print commands to try it with."""
    parser = argparse.ArgumentParser(prog="python -m examples.reference", description=__doc__)
    parser.add_argument("--flask", action="store_true", help="under Flask instead of FastAPI")
    parser.add_argument("--postgres", action="store_true", help="DATABASE_URL, or a new server")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reference-")))
        url = f"sqlite:///{directory}/orders.db"
        if options.postgres:
            url = os.environ.get("DATABASE_URL") or start_postgresql(stack)
        provider = Provider(directory)
        os.environ.update(environment(provider, url, options.port))
        Backend(Settings()).create_tables()
        tokens = {"ann": provider.token("ann"), "clerk": provider.token("claire", roles=["clerk"])}
        print(_COMMANDS.format(port=options.port, **tokens), flush=True)
        server = (_FLASK if options.flask else _FASTAPI).format(port=options.port).split()
        relay = subprocess.Popen([sys.executable, "-m", "examples.reference.relay"])
        stack.callback(relay.terminate)
        with suppress(KeyboardInterrupt):
            subprocess.run([sys.executable, "-m", *server], check=False)


if __name__ == "__main__":
    main()
