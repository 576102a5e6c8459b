"""Whether the time of a response tells a client anything about API keys.

``python -m benchmarks.key_timing [SAMPLES]`` sends keys through an `Authenticator` in random order,
and compares the times of two classes by Welch's t-test, as dudect does (Reparaz, Balasch and
Verbauwhede, "dude, is my code constant time?", 2017): beyond 4.5 they can be told apart. Times
above the 90th percentile are the machine's, and are left out.

The status of a response tells a right key from a wrong one, so their row compares the work up to
the verdict: a look-up that finds something also compares it. The row that counts is that of wrong
keys in whole exchanges: one that is nearly right must take no longer than any other.
"""

import logging
import secrets
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from math import sqrt
from random import Random
from statistics import fmean, median, quantiles, variance
from time import perf_counter_ns
from typing import Any, Final
from wsgiref.util import setup_testing_defaults

import mantlet
from mantlet import ApiKeys, Authenticator

#: Beyond this, two classes differ (dudect).
THRESHOLD: Final = 4.5
_SAMPLES: Final = 40_000
_KNOWN: Final = 1000


def main(samples: int = _SAMPLES) -> None:
    """Measure, and print a table."""
    logging.getLogger("mantlet").disabled = True
    logging.getLogger("mantlet.authentication").disabled = True
    keys = [secrets.token_urlsafe(32) for _ in range(_KNOWN)]
    table = {sha256(key.encode()).hexdigest(): f"client {index}" for index, key in enumerate(keys)}
    scheme = ApiKeys(table)
    send = _sender(Authenticator(scheme))

    def look_up(key: str) -> None:
        scheme._known.get(sha256(key.encode()).hexdigest())

    near = [key[:-1] + ("A" if key[-1] != "A" else "B") for key in keys]
    far = [secrets.token_urlsafe(32) for _ in keys]
    print(f"{samples} samples of each class\n")
    print(f"{'':44} {'median ns':>19} {'|t|':>6}")
    _compare("a right and a wrong key, up to the verdict", look_up, (keys, far), samples)
    _compare("a wrong key that is nearly right, and another", send, (near, far), samples)
    _compare("two classes of the same wrong keys", send, (far, far), samples)


def _compare(
    name: str, run: Callable[[str], None], classes: tuple[list[str], list[str]], samples: int
) -> None:
    """Measure two classes of keys in random order, and print their row."""
    random = Random(1)  # noqa: S311  # the order of samples
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(2 * samples):
        which = random.getrandbits(1)
        key = random.choice(classes[which])
        began = perf_counter_ns()
        run(key)
        times[which].append(perf_counter_ns() - began)
    limit = quantiles(times[0] + times[1], n=10)[-1]
    one, other = ([time for time in found if time <= limit] for found in times)
    t = _welch(one, other)
    verdict = "indistinguishable" if t < THRESHOLD else "DIFFERENT"
    print(f"{name:45} {median(one):9.0f} {median(other):9.0f} {t:6.2f}  {verdict}")


def _welch(one: list[int], other: list[int]) -> float:
    spread = sqrt(variance(one) / len(one) + variance(other) / len(other))
    return abs(fmean(one) - fmean(other)) / spread


def _sender(auth: Authenticator) -> Callable[[str], None]:
    """Return a function that sends a request with a key."""

    # Any: a server's.
    def app(_: Mapping[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    # Any: as above.
    def begin(*_: Any) -> Any:
        return None

    stack = mantlet.wsgi.wrap(app, auth, baseline=False)
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)

    def send(key: str) -> None:
        for _ in stack({**environ, "HTTP_X_API_KEY": key}, begin):
            pass

    return send


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
