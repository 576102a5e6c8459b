"""The policies whose cost is counted in instructions, alone and together, around a plain app.

Every case gets the same request, a POST of 100 bytes of JSON, and the app responds with 1 KiB of
JSON, or raises an exception. Some cases are also written by hand (`benchmarks.by_hand`), under
their name with ``-by-hand``. ``python -m benchmarks.hot_path CASE PROTOCOL`` serves requests
between marks, for `benchmarks.instructions`.
"""

import asyncio
import gc
import logging
import os
import subprocess
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from typing import Any

import mantlet
from benchmarks.method import Contender
from benchmarks.plain_apps import asgi_app, failing_asgi_app, failing_wsgi_app, wsgi_app
from benchmarks.stacks import GENEROUS, Passing, two
from benchmarks.traffic import KIB, SMALL, AsgiServer, Order, WsgiServer, document
from mantlet import Policy, Request, Response

PROTOCOLS = ("ASGI", "WSGI")
BARE = "bare"
REFUSAL = "refusal"
ERROR = "error"
RESPONSE = document(KIB)
#: So many requests fill the simulated caches.
_CACHED = 10


class Looking(Policy):
    """Looks at every response, and changes nothing."""

    def on_response(self, request: Request, response: Response) -> None:
        return None


# Mantlet imports a policy where its name is first used: each case imports its own.


def loader() -> Policy:
    class AppSecrets(mantlet.SecretModel):
        token: mantlet.Secret[str]

    source = mantlet.secrets.Environment({"TOKEN": "benchmark-kR7vT2qX9mB4w"})
    return mantlet.SecretLoader(AppSecrets, sources=[source], example_file=None)


def guard() -> Policy:
    return mantlet.SchemaGuard({"POST /orders": Order})


def five() -> list[Policy]:
    """Return all five policies, set up as an app would."""
    secrets: Any = loader()
    sanitizer = mantlet.OutputSanitizer(headers="api", secrets=secrets)
    return [secrets, sanitizer, *two(), guard()]


def identity(*makes: str) -> list[Policy]:
    """Return policies of `benchmarks.identity.policies`, by the names of what makes them."""
    from benchmarks.identity import policies  # noqa: PLC0415  # it imports cryptography

    return [getattr(policies, make)() for make in makes]


def identity_fields(case: str) -> dict[str, str]:
    """Return the header fields that a request needs for a case."""
    if case in ("authenticator", "authorizer"):
        from benchmarks.identity import policies  # noqa: PLC0415  # it imports cryptography

        return {"authorization": f"Bearer {policies.issuer('ES256').token()}"}
    return _FIELDS.get(case, {})


_FIELDS = {
    "cors": {"origin": "https://app.example"},
    "cross-origin": {"sec-fetch-site": "same-origin", "cookie": "session=6b1f8e3d2c7a4d59"},
}
#: The policies of each case.
CASES: dict[str, Callable[[], list[Policy]]] = {
    BARE: list,
    "request-hook": lambda: [Passing()],
    "response-hook": lambda: [Looking()],
    "envelope": lambda: [mantlet.ErrorEnvelope()],
    "limiter": lambda: [mantlet.RateLimiter(GENEROUS)],
    "sanitizer": lambda: [mantlet.OutputSanitizer(headers="api")],
    "guard": lambda: [guard()],
    "secrets": lambda: [loader()],
    "two": two,
    "five": five,
    "authenticator": lambda: identity("authenticator"),
    "authorizer": lambda: identity("authenticator", "authorizer"),
    "cors": lambda: identity("cors"),
    "cross-origin": lambda: identity("cross_origin"),
    "hosts": lambda: identity("hosts"),
    REFUSAL: lambda: [mantlet.RateLimiter("1/day")],
    ERROR: lambda: [mantlet.ErrorEnvelope()],
}
#: Those of identity and origins, and the policy that each needs.
IDENTITY = {
    "authenticator": "Authenticator",
    "authorizer": "Authorizer",
    "cors": "Cors",
    "cross-origin": "CrossOrigin",
    "hosts": "Hosts",
}
#: Those that are also written by hand, and what they are called then.
BY_HAND = {case: f"{case}-by-hand" for case in ("response-hook", "two", "five", REFUSAL)}
#: All of them, each written by hand after the one of policies.
ALL_CASES = [name for case in CASES for name in (case, BY_HAND.get(case)) if name is not None]
#: What they are called in a table.
LABELS = {
    BARE: "the bare app, in all",
    "request-hook": "a request hook that passes",
    "response-hook": "a response hook that only looks",
    "envelope": "ErrorEnvelope",
    "limiter": "RateLimiter, in memory",
    "sanitizer": "OutputSanitizer, 1 KiB of JSON",
    "guard": "SchemaGuard, a model",
    "secrets": "SecretLoader",
    "two": "ErrorEnvelope + RateLimiter",
    "five": "all five policies",
    "authenticator": "Authenticator, a cached token",
    "authorizer": "Authenticator + Authorizer",
    "cors": "Cors, an allowed origin",
    "cross-origin": "CrossOrigin, cookies",
    "hosts": "Hosts",
    REFUSAL: "a refusal (429)",
    ERROR: "an exception answered (500), unlogged",
}
LABELS |= {name: f"{LABELS[case]}, by hand" for case, name in BY_HAND.items()}


def make(protocol: str, case: str) -> AsgiServer | WsgiServer:
    """Return the server's side of an app in the policies of a case, or what is written by hand."""
    app: Any
    server: AsgiServer | WsgiServer
    if protocol == "ASGI":
        app = failing_asgi_app if case == ERROR else asgi_app(SMALL, RESPONSE)
        server = AsgiServer(wrap(protocol, case, app), SMALL)
    else:
        app = failing_wsgi_app if case == ERROR else wsgi_app(SMALL, RESPONSE)
        server = WsgiServer(wrap(protocol, case, app), SMALL)
    server.resend("/orders", list((dict(SMALL.headers) | identity_fields(case)).items()))
    return server


# Any: an app of either protocol.
def wrap(protocol: str, case: str, app: Any) -> Any:
    """Return an app in the policies of a case, or what is written by hand."""
    if case in CASES:
        policies = CASES[case]()
        return mantlet.wrap(app, *policies, baseline=False) if policies else app
    from benchmarks import by_hand  # noqa: PLC0415  # it imports all policies

    written = case.removesuffix("-by-hand")
    secrets: Any = loader() if written == "five" else None
    return by_hand.wrap(protocol, written, app, secrets)


async def checked(protocol: str, case: str) -> AsgiServer | WsgiServer:
    """Return the server's side of a case, shown to respond as it should."""
    found = make(protocol, case)
    if case == ERROR:
        status, _ = await found.answer()
        assert status == 500, status
        return found
    assert await found.answer() == (200, RESPONSE), (protocol, case)
    if case in (REFUSAL, BY_HAND[REFUSAL]):
        status, _ = await found.answer()
        assert status == 429, status
    return found


async def contenders(protocol: str, cases: Iterable[str]) -> list[Contender]:
    """Return cases, to be timed in process."""
    return [Contender(case, (await checked(protocol, case)).serve) for case in cases]


async def _serve_between_marks(case: str, protocol: str, warm_up: int, requests: int) -> None:
    """Serve the requests of a case; a call of ``getppid()`` is a mark for callgrind."""
    server = await checked(protocol, case)
    await server.serve(warm_up)
    _start_counting()
    await server.serve(_CACHED)
    os.getppid()
    await server.serve(requests)
    os.getppid()


def _start_counting() -> None:
    """Have callgrind count from here on: until then, the imports, it would take a minute."""
    command = ["vgdb", f"--pid={os.getpid()}", "instrumentation", "on"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as order:
        # Valgrind looks for orders while it runs code, not while it waits.
        while order.poll() is None:
            pass


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=ALL_CASES)
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("--warm-up", type=int, required=True)
    parser.add_argument("--requests", type=int, required=True)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    gc.disable()
    asyncio.run(
        _serve_between_marks(options.case, options.protocol, options.warm_up, options.requests)
    )


if __name__ == "__main__":
    main()
