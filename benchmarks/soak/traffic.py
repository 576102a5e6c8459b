"""The mixture of requests, and what became of them."""

import itertools
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from random import Random
from typing import Self

#: How many requests of a client to /limited are admitted.
ADMITTED = 20
#: The header that has a process, and how many requests it has decided without the store.
LOCAL = "X-Local"
#: What an exception of the app says, and no response may.
INTERNAL = "the-ledger-of-the-house"
#: What the app streams.
PIECES, PIECE = 20, b'{"piece": "' + b"x" * 8000 + b'"}\n'
_UPLOAD = 2_000_000
_THREADS = 6
#: Of the clients of /limited, so that no two are the same.
_NUMBERS = itertools.count()
_JSON = {"Content-Type": "application/json"}


@dataclass
class Tally:
    """What the clients saw.

    Attributes:
        requests: how many were sent.
        refused: connections that were refused or broke.
        wrong: answers that nobody should get, by what was asked and what came.
        leaks: answers with a secret or with the text of an exception.
        admitted: how many requests of each client to /limited were.
        refilled: clients that the store forgot meanwhile.
        local: how many requests each process has decided without the store since it started.
    """

    requests: int = 0
    refused: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    leaks: int = 0
    admitted: Counter[str] = field(default_factory=Counter)
    refilled: frozenset[str] = frozenset()
    local: Counter[str] = field(default_factory=Counter)

    @property
    def over(self) -> int:
        """How many tokens were given beyond the clients' quotas."""
        return sum(
            max(0, count - ADMITTED * (2 if client in self.refilled else 1))
            for client, count in self.admitted.items()
        )


class Clients:
    """Threads that send the mixture to a server, from when they are entered to when they are left.

    Args:
        port: the server's.
        secret: what no answer may have.
    """

    def __init__(self, port: int, secret: str) -> None:
        self._port = port
        self._never = (secret.encode(), INTERNAL.encode())
        self._lock = threading.Lock()
        self._ended = False
        self.tally = Tally()
        self._threads = [
            threading.Thread(target=self._run, args=(Random(number),))  # noqa: S311  # a mixture
            for number in range(_THREADS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        for thread in self._threads:
            thread.join()

    def store_forgets(self) -> None:
        """Note that the store has lost its contents, so that known clients have full buckets."""
        with self._lock:
            self.tally.refilled = frozenset(self.tally.admitted)

    def _run(self, chance: Random) -> None:
        asks = (self._honest, self._limited, self._upload, self._break_off)
        while not self._ended:
            try:
                chance.choices(asks, weights=(80, 14, 3, 3))[0](chance)
            except (OSError, HTTPException):
                with self._lock:
                    self.tally.refused += 1
                time.sleep(0.05)

    def _ask(
        self,
        method: str,
        path: str,
        expected: int,
        body: bytes | None = None,
        headers: Mapping[str, str] = _JSON,
    ) -> tuple[int, bytes]:
        """Send a request; note an answer that is not the expected one, unless any is (0)."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request(method, path, body, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            got = answer.read()
            head = str(answer.headers).encode()
        finally:
            connection.close()
        with self._lock:
            self.tally.requests += 1
            if answer.status != expected and expected:
                self.tally.wrong[f"{method} {path}: {answer.status}"] += 1
            if LOCAL in answer.headers:  # and the server has not answered in the app's place
                process, _, count = answer.headers[LOCAL].partition(" ")
                self.tally.local[process] = max(self.tally.local[process], int(count))
            if any(text in got or text in head for text in self._never):
                self.tally.leaks += 1
        return answer.status, got

    def _honest(self, chance: Random) -> None:
        match chance.randrange(7):
            case 0 | 1:
                self._ask("GET", "/", 200)
            case 2:
                order = json.dumps({"item": "x" * chance.randrange(99), "count": 3})
                self._ask("POST", "/orders", 200, order.encode())
            case 3:
                self._ask("POST", "/orders", 422, b'{"item": 5, "sum": 1}')
            case 4:
                self._ask("GET", "/leak", 200)
            case 5:
                self._ask("GET", "/crash" if chance.random() < 0.2 else "/missing", 0)
            case 6:
                _, got = self._ask("GET", "/stream", 200)
                if got != PIECE * PIECES:
                    with self._lock:
                        self.tally.wrong[f"GET /stream: {len(got)} bytes"] += 1

    def _limited(self, chance: Random) -> None:
        """Be one client who asks for more than its quota."""
        client = f"client-{next(_NUMBERS)}"
        with self._lock:
            self.tally.admitted[client] = 0
        for _ in range(ADMITTED + 5):
            status, _ = self._ask("GET", "/limited", 0, headers={"X-Client": client})
            with self._lock:
                if status == 200:
                    self.tally.admitted[client] += 1
                elif status != 429:
                    self.tally.wrong[f"GET /limited: {status}"] += 1

    def _upload(self, chance: Random) -> None:
        _, got = self._ask(
            "POST",
            "/upload",
            200,
            bytes(_UPLOAD),
            {"Content-Type": "application/octet-stream"},
        )
        if got != str(_UPLOAD).encode():
            with self._lock:
                self.tally.wrong["POST /upload: another size"] += 1

    def _break_off(self, chance: Random) -> None:
        """Reset or half-close the connection in the middle of a body."""
        head = (
            b"POST /orders HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self._port), timeout=20) as connection:
            connection.sendall(head + b'{"item": "')
            time.sleep(0.01)
            if chance.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                connection.shutdown(socket.SHUT_WR)
                connection.recv(65536)
