"""A TCP proxy whose connections can be slow, frozen or cut."""

import selectors
import socket
import threading
import time
from typing import Any, Self

_CHUNK = 65536


class Proxy:
    """Passes bytes on to a port of this machine, from a thread of its own.

    Args:
        port: where to pass them on to.

    Attributes:
        port: where it listens.
        delay: seconds for which each chunk waits.
        frozen: whether nothing is passed on.
        cut: whether connections are reset, and none is taken.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.delay = 0.0
        self.frozen = self.cut = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._listener, selectors.EVENT_READ)
        pairs: dict[Any, socket.socket] = {}
        while not self._ended:
            if self.frozen:
                time.sleep(0.02)
                continue
            if self.cut:
                for one in list(pairs):
                    self._drop(selector, pairs, one)
            for key, _ in selector.select(0.02):
                if key.fileobj is self._listener:
                    self._accept(selector, pairs)
                elif key.fileobj in pairs:
                    self._pass(selector, pairs, key.fileobj)
        for one in list(pairs):
            self._drop(selector, pairs, one)
        selector.close()

    def _accept(self, selector: Any, pairs: dict[Any, socket.socket]) -> None:
        client, _ = self._listener.accept()
        if self.cut:
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", self._target))
        pairs[client], pairs[server] = server, client
        for one in (client, server):
            selector.register(one, selectors.EVENT_READ)

    def _pass(self, selector: Any, pairs: dict[Any, socket.socket], source: Any) -> None:
        time.sleep(self.delay)
        try:
            data = source.recv(_CHUNK)
            if data:
                pairs[source].sendall(data)
                return
        except OSError:
            pass  # one of the two has closed
        self._drop(selector, pairs, source)

    def _drop(self, selector: Any, pairs: dict[Any, socket.socket], one: Any) -> None:
        if one in pairs:  # and has not been dropped with its other end
            for end in (one, pairs[one]):
                pairs.pop(end)
                selector.unregister(end)
                end.close()
