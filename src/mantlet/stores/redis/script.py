"""A Lua script on a server, with a circuit breaker, and a log of the server's outages."""

from collections.abc import Awaitable, Sequence
from hashlib import sha1
from logging import WARNING
from time import monotonic
from typing import Any, Final

from mantlet.exceptions import StoreError, StoreOutage
from mantlet.stores.redis.circuit_breaker import CircuitBreakers
from mantlet.stores.redis.clients import RedisClient
from mantlet.stores.redis.resp import CommandError, OutOfMemory
from mantlet.stores.redis.uri import ServerAddress
from mantlet.stores.store_log import StoreLog

__all__ = ["RedisScript"]

#: Minimum timeout of a call in seconds while the store is opened.
_OPEN_TIMEOUT: Final = 2.0
#: Maximum number of nodes that are remembered; a cluster has at most a thousand.
_MAX_NODES: Final = 1000
_AUTHENTICATION: Final = "; correct the user and the password in the URI"
#: Advice on errors of the server, by error code.
_ADVICE: Final = {
    "NOAUTH": _AUTHENTICATION,
    "WRONGPASS": _AUTHENTICATION,
    "NOPERM": "; grant the user the permissions that {page} lists",
}


class RedisScript:
    """Calls a script, unless the circuit breaker expects the server to fail.

    Args:
        text: the script.
        client: the connections to the server.
        safe_uri: the server's URI without secrets.
        timeout: the timeout of each call in seconds.
        breakers: shared by all clients of the server.
        outages: the log of failed calls and of recoveries.
        restarted: the log message for a server that no longer has the script.
        level: the level of that message.
        page: the module whose docstring lists the permissions that the script needs.

    Attributes:
        client: as given.
        timeout: as given.
    """

    def __init__(
        self,
        text: str,
        client: RedisClient,
        safe_uri: str,
        *,
        timeout: float,
        breakers: CircuitBreakers,
        outages: StoreLog,
        restarted: str,
        page: str,
        level: int = WARNING,
    ) -> None:
        self.client = client
        self.timeout = timeout
        self._text = text
        self._sha = sha1(text.encode(), usedforsecurity=False).hexdigest()
        self._safe_uri = safe_uri
        self._breakers = breakers
        self._outages = outages
        self._restarted = restarted
        self._level = level
        self._page = page
        #: The servers that have the script.
        self._loaded: set[ServerAddress | None] = set()

    async def open(self, keys: list[bytes], calls: Sequence[list[str | bytes]]) -> None:
        """Test every command that the script uses. An unreachable server may come up later.

        Args:
            keys: the keys of each call.
            calls: the arguments of each call.

        Raises:
            StoreError: the server responds with an error.
        """
        deadline = self.long_deadline()
        try:
            for index, args in enumerate(calls):
                if index:
                    await self._call("EVALSHA", self._sha, keys, args, deadline)
                else:
                    await self._call("EVAL", self._text, keys, args, deadline)
                    self._loaded.add(self.client.owner_of(keys[0]))
        except CommandError as error:
            advice = _ADVICE.get(error.code, "").format(page=self._page)
            raise StoreError(f"the store {self._safe_uri} can't be used: {error}{advice}") from None
        except StoreOutage as error:
            self._outages.failed(self._safe_uri, error)

    def deadline(self) -> float:
        """Return the deadline of a call made now, by `monotonic()`."""
        return monotonic() + self.timeout

    def long_deadline(self) -> float:
        """Return the deadline of a call made now that may take longer than usual."""
        return monotonic() + max(self.timeout, _OPEN_TIMEOUT)

    async def run(
        self, keys: list[bytes], args: list[str | bytes], deadline: float | None = None
    ) -> Any:
        """Run the script, unless the circuit breaker is open.

        Raises:
            StoreOutage: the server is unavailable.
        """
        node = self.client.owner_of(keys[0])
        breaker = self._breakers.of(node)
        if not breaker.admits():
            raise StoreOutage(f"the store {self._safe_uri} is unavailable: not calling it for now")
        try:
            reply = await self._evaluate(node, keys, args, deadline or self.deadline())
        except (StoreOutage, CommandError) as error:
            self._outages.failed(self._part(node), error)
            # The server works: another program has written to that one key, or the server is out of
            # memory, which other calls may not need.
            works = isinstance(error, OutOfMemory) or (
                isinstance(error, CommandError) and error.code == "WRONGTYPE"
            )
            if works:
                breaker.record_success()
            elif breaker.record_failure():
                self._outages.not_called(self._part(node))
            if isinstance(error, StoreOutage):
                raise
            raise StoreOutage(f"the store {self._safe_uri}: {error}") from error
        except BaseException:  # cancelled
            breaker.abandon()
            raise
        breaker.record_success()
        if self._outages.is_lost:
            for part in {self._safe_uri, self._part(node)}:  # the first while nodes are unknown
                self._outages.responded(part)
        return reply

    async def _evaluate(
        self,
        node: ServerAddress | None,
        keys: list[bytes],
        args: list[str | bytes],
        deadline: float,
    ) -> Any:
        """Run the script; load it first if the server does not have it."""
        had_script = node in self._loaded
        try:
            reply = await self._call("EVALSHA", self._sha, keys, args, deadline)
        except CommandError as error:
            if error.code != "NOSCRIPT":
                raise
            reply = await self._call("EVAL", self._text, keys, args, deadline)
            if had_script:
                self._outages.was_reset(self._part(node), self._restarted, self._level)
        if not had_script:
            if len(self._loaded) >= _MAX_NODES:
                self._loaded.clear()
            self._loaded.add(node)
        return reply

    def outage(self, reason: str) -> StoreOutage:
        """Log why a call failed although the server responded; return the error to raise."""
        self._outages.failed(self._safe_uri, reason)
        return StoreOutage(f"the store {self._safe_uri}: {reason}")

    def _part(self, node: ServerAddress | None) -> str:
        """Return the name of a cluster node or of the server in the log."""
        return self._safe_uri if node is None else f"{self._safe_uri} (node {node})"

    def _call(
        self,
        command: str,
        script: str,
        keys: list[bytes],
        args: list[str | bytes],
        deadline: float,
    ) -> Awaitable[Any]:
        return self.client.call(
            command, script, len(keys), *keys, *args, key=keys[0], deadline=deadline
        )
