"""What a storage URI says: which servers, how to get in, and how that is shown without secrets."""

import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from ssl import SSLContext
from typing import Final, Literal, NamedTuple, cast
from urllib.parse import unquote

__all__ = [
    "TLS_OPTIONS",
    "Address",
    "Location",
    "Login",
    "hide",
    "host_address",
    "parse",
    "read_address",
    "tls_context",
]


# A label has at most 63 octets, a name 253 (RFC 1035, 2.3.4). Container networks use underscores.
_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_WRITTEN = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?")


class Address(NamedTuple):
    """Where a server listens.

    Attributes:
        host: a name or an IP address; for a Unix socket, its path.
        port: 0 for a Unix socket.
    """

    host: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def host_address(host: str, port: int) -> Address | None:
    """Return the address of a host and a port, or None if there can be none."""
    if not 1 <= port <= 65535:
        return None
    if ":" in host:
        try:
            IPv6Address(host)
        except ValueError:
            return None
    elif not _NAME.fullmatch(host):
        return None
    return Address(host, port)


def read_address(written: str, default_port: int) -> Address | None:
    """Return the address that ``host``, ``host:port`` or ``[ipv6]:port`` says, or None."""
    match = _WRITTEN.fullmatch(written)
    if match is None or (match["v6"] and ":" not in match["v6"]):
        return None
    return host_address(match["v6"] or match["name"], int(match["port"] or default_port))


TLS_OPTIONS: Final = (
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "ssl_check_hostname",
)


def tls_context(options: Mapping[str, str]) -> ssl.SSLContext:
    """Return what these options say: by default, the server must prove its name.

    Args:
        options: as in the URI. ``ssl_cert_reqs=none`` believes any server.

    Raises:
        ValueError: an option has no right value, or its file can't be read.
    """
    required = _choice(options, "ssl_cert_reqs", {"required": True, "none": False}, default=True)
    check = _choice(options, "ssl_check_hostname", {"true": True, "false": False}, default=required)
    if check and not required:
        raise ValueError("ssl_check_hostname=true needs ssl_cert_reqs=required")
    certfile, keyfile = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if keyfile is not None and certfile is None:
        raise ValueError("ssl_keyfile needs ssl_certfile")
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    except OSError as error:
        raise ValueError(f"ssl_ca_certs can't be read: {_why(error)}") from None
    context.check_hostname = check
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_NONE
    if certfile is not None:
        try:
            # Without a password at hand, OpenSSL would ask for one at the terminal.
            context.load_cert_chain(certfile, keyfile, password="")
        except OSError as error:
            raise ValueError(
                f"ssl_certfile, with ssl_keyfile, can't be read: {_why(error)}"
            ) from None
    return context


def _choice(
    options: Mapping[str, str], name: str, meanings: Mapping[str, bool], *, default: bool
) -> bool:
    chosen = options.get(name)
    if chosen is None:
        return default
    if chosen not in meanings:
        raise ValueError(f"{name} must be {' or '.join(meanings)}, not {chosen!r}")
    return meanings[chosen]


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


Topology = Literal["single", "cluster", "sentinel"]

_SCHEME = re.compile(
    r"(?:redis(s)?|valkey(s)?)(?:\+(cluster|sentinel))?|(?:(?:redis|valkey)\+)?unix"
)
# No @ but the one behind the user info: of a password that holds one, no piece is misread.
_SHAPE = re.compile(
    r"[a-z+]+://(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^@/?#]*)(?P<path>/[^@?#]*)?"
    r"(?:\?(?P<query>[^@#]*))?"
)
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::[0-9]{1,5})?"
# What may be shown of a URI that can't be read: nothing that a misplaced password looks like.
_SHOWN = re.compile(rf"(?:{_HOST}(?:,{_HOST})*)?(?:/[A-Za-z0-9_.%/-]*)?")
_SECRETS: Final = ("username", "password", "sentinel_username", "sentinel_password")
_OPTIONS: Final = (*_SECRETS, "db", "client_name", *TLS_OPTIONS)
_NAMED = re.compile(r"[A-Za-z_]{1,40}")
_DB = re.compile(r"[0-9]{1,9}")
_SERVICE = re.compile(r"[A-Za-z0-9_.-]{1,200}")
# The server takes no spaces and no control characters.
_CLIENT_NAME = re.compile(r"[!-~]{1,100}")
_RIGHT: Final = {
    "single": "redis://:password@localhost:6379/0",
    "cluster": "redis+cluster://10.0.0.1:6379,10.0.0.2:6379",
    "sentinel": "redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/service",
    "unix": "unix:///run/valkey/valkey.sock?db=0",
}


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and a password, neither of which is ever shown."""

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Location:
    """What a storage URI says.

    Attributes:
        safe_uri: the URI with its secrets hidden.
        topology: one server, a cluster, or one server that sentinels know.
        addresses: of the server, of some nodes of the cluster, or of the sentinels.
        service: what the sentinels call the server.
        db: the database's number.
        login: to the server or the nodes.
        sentinel_login: to the sentinels.
        client_name: shown in the server's ``CLIENT LIST``.
        tls: None where there is none.
    """

    safe_uri: str
    topology: Topology
    addresses: tuple[Address, ...]
    service: str
    db: int
    login: Login
    sentinel_login: Login
    client_name: str | None
    tls: SSLContext | None


def hide(uri: str) -> str:
    """Return a URI with its user info and its secret options hidden."""
    scheme, match = uri.partition("://")[0], _SHAPE.fullmatch(uri)
    if not _SCHEME.fullmatch(scheme):
        return "***"
    if match is None or not _SHOWN.fullmatch(match["hosts"] + (match["path"] or "")):
        return f"{scheme}://***"
    shown = f"{scheme}://" + ("" if match["user"] is None else "***@")
    shown += match["hosts"] + (match["path"] or "")
    if match["query"] is not None:
        shown += "?" + "&".join(map(_hide_option, match["query"].split("&")))
    return shown


def _hide_option(option: str) -> str:
    name = option.partition("=")[0]
    if name in _OPTIONS and name not in _SECRETS and option.isprintable():
        return option
    return f"{name}=***" if name in _SECRETS else "***"


def parse(uri: str) -> Location:
    """Read a storage URI.

    Args:
        uri: ``redis://``, ``rediss://`` (with TLS), ``valkey://`` or ``valkeys://``, then
            ``[[user]:password@]host[:port][/db]``. With ``+cluster`` several hosts; with
            ``+sentinel`` several sentinels and ``/service[/db]``; ``unix://`` or
            ``redis+unix://`` and a path. The user info is for the server, not for the sentinels.
            Options in the query: ``username``, ``password``, ``db``, ``client_name``,
            ``sentinel_username``, ``sentinel_password``, ``ssl_ca_certs``, ``ssl_certfile``,
            ``ssl_keyfile``, ``ssl_cert_reqs`` and ``ssl_check_hostname``.

    Raises:
        TypeError: it is no string.
        ValueError: it can't be read, or a file that it names can't.
    """
    if not isinstance(uri, str):
        raise TypeError(f"a store's URI must be a string such as {_RIGHT['single']!r}")
    try:
        return _parse(uri)
    except ValueError as error:
        kind = next((kind for kind in _RIGHT if kind in uri.partition("://")[0]), "single")
        raise ValueError(
            f"a store's URI must read like {_RIGHT[kind]}, not {hide(uri)}: {error}"
        ) from None


def _parse(uri: str) -> Location:
    scheme, match = _SCHEME.fullmatch(uri.partition("://")[0]), _SHAPE.fullmatch(uri)
    if scheme is None:
        raise ValueError("it begins with redis://, rediss://, valkey://, valkeys:// or unix://")
    if match is None:
        raise ValueError("in a user name, a password or a path, @ / ? # are %40 %2F %3F %23")
    topology = cast("Topology", scheme[3] or "single")
    options = _options(match["query"])
    secure = bool(scheme[1] or scheme[2])
    if not secure and options.keys() & {*TLS_OPTIONS}:
        raise ValueError("options that begin with ssl_ need rediss:// or valkeys://")
    if topology != "sentinel" and options.keys() & {"sentinel_username", "sentinel_password"}:
        raise ValueError("options that begin with sentinel_ need redis+sentinel://")
    client_name = options.get("client_name")
    if client_name is not None and not _CLIENT_NAME.fullmatch(client_name):
        raise ValueError("client_name must be printable ASCII without spaces, of up to 100 bytes")
    addresses, path = _place(match["hosts"], match["path"] or "", topology, scheme[0])
    service, db = _path(path, options.get("db"), topology)
    return Location(
        safe_uri=hide(uri),
        topology=topology,
        addresses=addresses,
        service=service,
        db=db,
        login=_login(match["user"], options, ""),
        sentinel_login=_login(None, options, "sentinel_"),
        client_name=client_name,
        tls=tls_context(options) if secure else None,
    )


def _options(query: str | None) -> dict[str, str]:
    options: dict[str, str] = {}
    for option in query.split("&") if query else ():
        name, equals, value = option.partition("=")
        if name not in _OPTIONS:
            # Behind a secret, or where it is no name, it may be a piece of a password with an &.
            clear = equals and _NAMED.fullmatch(name) and options.keys().isdisjoint(_SECRETS)
            unknown = f"the option {name} is" if clear else "an option is"
            raise ValueError(f"{unknown} not known (those that are: {', '.join(_OPTIONS)})")
        if name in options:
            raise ValueError(f"the option {name} is there twice")
        if not value:
            raise ValueError(f"the option {name} has no value")
        options[name] = _decoded(value)
    return options


def _place(
    hosts: str, path: str, topology: Topology, scheme: str
) -> tuple[tuple[Address, ...], str]:
    """Return the addresses, and what is left of the path."""
    if scheme.endswith("unix"):
        socket_path = _decoded(path)
        if hosts or not socket_path.strip("/") or not socket_path.isprintable():
            raise ValueError("unix:// wants a path, with three slashes in all")
        if not hasattr(socket, "AF_UNIX"):
            raise ValueError("this system has no Unix sockets")
        return (Address(socket_path, 0),), ""
    default_port = 26379 if topology == "sentinel" else 6379
    addresses = tuple(read_address(host, default_port) for host in hosts.split(","))
    if None in addresses:
        raise ValueError("a host is a name or an IP address (IPv6 in brackets), a port up to 65535")
    if len(addresses) > 1 and topology == "single":
        raise ValueError("several hosts need redis+cluster:// or redis+sentinel://")
    return cast("tuple[Address, ...]", addresses), path


def _path(path: str, db_option: str | None, topology: Topology) -> tuple[str, int]:
    """Return the service that the path names, and the database."""
    service, db = "", path[1:]
    if topology == "sentinel":
        service, _, db = db.partition("/")
        if not _SERVICE.fullmatch(service):
            raise ValueError("the path must name the service that the sentinels watch")
    if db and db_option is not None:
        raise ValueError("db is in the path and in the query")
    db = db or db_option or "0"
    if not _DB.fullmatch(db):
        raise ValueError("db must be a number")
    if topology == "cluster" and int(db):
        raise ValueError("a cluster has no db but 0")
    return service, int(db)


def _login(user_info: str | None, options: Mapping[str, str], prefix: str) -> Login:
    said: dict[str, str | None] = {}
    in_front = dict(zip(("username", "password"), (user_info or "").split(":", 1), strict=False))
    for name in ("username", "password"):
        first, second = _decoded(in_front.get(name, "")), options.get(prefix + name)
        if first and second:
            raise ValueError(f"the {name} is before the host and in the query")
        said[name] = first or second
    if said["username"] and not said["password"]:
        raise ValueError("a user name needs a password; a password alone has a colon before it")
    return Login(said["username"], said["password"])


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("what is percent-encoded is not UTF-8") from None
