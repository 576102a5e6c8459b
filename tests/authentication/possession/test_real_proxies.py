"""Real nginx and HAProxy that end TLS with client certificates, in front of real servers."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.serving import make_server

import mantlet
from mantlet import Authenticator, ClientCertificate
from tests.authentication.possession.certificates import SPIFFE, Authority, Issued
from tests.servers.server import HOST, Server, free_port, poll, serve, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from wsgiref.types import StartResponse

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
MODULE = "tests.authentication.possession.presenting"
SERVERS = [
    ("gunicorn-sync", f"{MODULE}:wsgi"),
    ("uvicorn-h11", f"{MODULE}:asgi"),
    ("uvicorn-httptools", f"{MODULE}:asgi"),
    ("hypercorn", f"{MODULE}:asgi"),
    ("granian-asgi", f"{MODULE}:asgi"),
]
AUTHORITY = Authority()
CLIENT = AUTHORITY.issue()
#: Its certificate, which is public, is what an attacker writes into headers.
VICTIM = AUTHORITY.issue("admin", uris=["spiffe://example.org/admin"])

NGINX = """
daemon off;
master_process off;
pid {directory}/pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/1;
    proxy_temp_path {directory}/2;
    fastcgi_temp_path {directory}/3;
    uwsgi_temp_path {directory}/4;
    scgi_temp_path {directory}/5;
    server {{
        listen {host}:{port} ssl;
        ssl_certificate {directory}/server.pem;
        ssl_certificate_key {directory}/server.key;
        ssl_client_certificate {directory}/authority.pem;
        ssl_verify_client optional;
        underscores_in_headers {underscores};
        location / {{
            proxy_pass {upstream};
            proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
        }}
    }}
}}
"""
HAPROXY = """
global
    maxconn 100
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend tls
    bind {host}:{port} ssl crt {directory}/both.pem ca-file {authority} verify optional
    http-request del-header X-Client-Cert
    http-request del-header _ -m sub
    http-request set-header X-Client-Cert %[ssl_c_der,base64] if {{ ssl_c_used }}
    default_backend app
backend app
    server app {place}
"""


@contextmanager
def proxy(
    name: str, directory: Path, server: Server, *, underscores: bool = False
) -> Iterator[int]:
    """Run a proxy in front of a server; yield its port."""
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install {name})")
    AUTHORITY.issue("localhost", dns_names=["localhost"]).save(directory, "server")
    both = (directory / "server.pem").read_text() + (directory / "server.key").read_text()
    (directory / "both.pem").write_text(both)
    Issued(AUTHORITY.certificate, AUTHORITY.key).save(directory, "authority")
    port = free_port()
    text = (NGINX if name == "nginx" else HAPROXY).format(
        directory=directory,
        authority=directory / "authority.pem",
        host=HOST,
        port=port,
        upstream=server.url,
        place=f"{HOST}:{server.port}",
        underscores="on" if underscores else "off",
    )
    (directory / "conf").write_text(text)
    options = ["-p", str(directory)] if name == "nginx" else ["-db"]
    option = "-c" if name == "nginx" else "-f"
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            [program, *options, option, str(directory / "conf")],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            poll(lambda: process.poll() is not None or _listens(directory, port), f"{name}")
            yield port
        finally:
            stop(process)


def _listens(directory: Path, port: int) -> bool:
    try:
        return ask(directory, port)[0] == 401
    except OSError:
        return False


def ask(
    directory: Path,
    port: int,
    issued: Issued | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> tuple[int, str]:
    """Send a request, with a client certificate or without."""
    context = ssl.create_default_context(cafile=str(directory / "authority.pem"))
    if issued is not None:
        context.load_cert_chain(*issued.save(directory, "client"))
    connection = HTTPSConnection("localhost", port, context=context, timeout=120)
    try:
        connection.putrequest("GET", "/whoami")
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def ask_or_not(directory: Path, port: int, issued: Issued) -> int:
    """Return the status of a request; 0 if the handshake fails."""
    try:
        return ask(directory, port, issued)[0]
    except OSError:
        return 0


@contextmanager
def presenting(
    name: str, app: str, form: str, environ: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Server]:
    """Run the app."""
    own = {"MANTLET_TEST_FORM": form, "MANTLET_TEST_X5T": CLIENT.thumbprint}
    with serve(name, app, directory=ROOT, env=own | dict(environ)) as server:
        yield server


FORGERIES: dict[str, Callable[[str], tuple[tuple[str, str], ...]]] = {
    "header": lambda value: (("X-Client-Cert", value),),
    "underscores": lambda value: (("X_Client_Cert", value),),
    "mixed": lambda value: (("X-Client_Cert", value), ("x_client-cert", value)),
    "both": lambda value: (("X-Client_Cert", value), ("x-client-cert", value)),
}


@pytest.mark.few_cases(3)
@pytest.mark.parametrize(("name", "app"), SERVERS, ids=[name for name, _ in SERVERS])
@pytest.mark.parametrize("front", ["nginx", "nginx-with-underscores", "haproxy"])
def test_a_proxy_that_ends_tls_passes_on_who_the_client_is(
    name: str, app: str, front: str, tmp_path: Path
) -> None:
    program, _, underscores = front.partition("-")
    form, value = ("pem", VICTIM.as_nginx())
    if program == "haproxy":
        form, value = ("base64", VICTIM.as_base64())
    bearer = ("Authorization", "Bearer token")
    with (
        presenting(name, app, form) as server,
        proxy(program, tmp_path, server, underscores=bool(underscores)) as port,
    ):
        assert ask(tmp_path, port, CLIENT) == (200, SPIFFE)
        assert ask(tmp_path, port)[0] == 401
        for forged in FORGERIES.values():
            assert ask(tmp_path, port, headers=forged(value))[0] == 401
            status, subject = ask(tmp_path, port, CLIENT, headers=forged(value))
            assert status == 401 or subject == SPIFFE
        # A token that is bound to the certificate (RFC 8705, 3).
        assert ask(tmp_path, port, CLIENT, (bearer,)) == (200, "alice")
        assert ask(tmp_path, port, AUTHORITY.issue(), (bearer,))[0] == 401
        assert ask(tmp_path, port, headers=(bearer,))[0] == 401
        assert ask_or_not(tmp_path, port, Authority().issue()) in (0, 400)


def test_a_proxy_can_drop_underscores_for_such_a_server(tmp_path: Path) -> None:
    """As the page advises, and with the option that says so."""
    environ = {"MANTLET_TEST_DROPS_UNDERSCORES": "1"}
    with (
        presenting("granian-wsgi", f"{MODULE}:wsgi", "base64", environ) as server,
        proxy("haproxy", tmp_path, server) as port,
    ):
        assert ask(tmp_path, port, CLIENT) == (200, SPIFFE)
        for forged in FORGERIES.values():
            assert ask(tmp_path, port, headers=forged(VICTIM.as_base64()))[0] == 401


def test_a_server_that_keeps_underscores_gets_no_certificate(tmp_path: Path) -> None:
    """Granian has only one of two names in its environ, and that may be the client's."""
    with (
        presenting("granian-wsgi", f"{MODULE}:wsgi", "pem") as server,
        proxy("nginx", tmp_path, server, underscores=True) as port,
    ):
        for forged in FORGERIES.values():
            assert ask(tmp_path, port, headers=forged(VICTIM.as_nginx()))[0] == 401
        assert ask(tmp_path, port, CLIENT)[0] == 401
        server.wait_for_log("takes a header with underscores for it")


def test_a_server_that_ends_tls_itself_can_tell_the_certificate(tmp_path: Path) -> None:
    """Werkzeug's, in this process."""
    AUTHORITY.issue("localhost", dns_names=["localhost"]).save(tmp_path, "server")
    Issued(AUTHORITY.certificate, AUTHORITY.key).save(tmp_path, "authority")
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "authority.pem")
    )
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_OPTIONAL

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        identity = mantlet.state(environ).identity
        return [b"" if identity is None else identity.subject.encode()]

    auth = Authenticator(ClientCertificate(from_server=True))
    server = make_server(HOST, 0, mantlet.wsgi.wrap(app, auth), threaded=True, ssl_context=context)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        assert ask(tmp_path, server.port, CLIENT) == (200, SPIFFE)
        forged = (("SSL-Client-Cert", VICTIM.as_apache()), ("X-Client-Cert", VICTIM.as_nginx()))
        assert ask(tmp_path, server.port, headers=forged)[0] == 401
        assert ask_or_not(tmp_path, server.port, Authority().issue()) == 0
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
