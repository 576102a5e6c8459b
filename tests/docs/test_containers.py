"""docs/how-to/docker.md and kubernetes.md: their commands run here without a container."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.docs.pages import DOCS
from tests.docs.walkthrough import Walkthrough, check_setup, code_blocks
from tests.servers.server import HOST
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.slow

DOCKER: Final = list(code_blocks((DOCS / "how-to" / "docker.md").read_text()))
KUBERNETES: Final = list(code_blocks((DOCS / "how-to" / "kubernetes.md").read_text()))
#: The fields of each kind of object in version 1.34 of Kubernetes, with their types; those with
#: "!" are required. From the OpenAPI document of its API.
FIELDS: Final = json.loads((Path(__file__).parent / "data" / "kubernetes-1.34.json").read_text())
TYPES: Final = {"string": str, "integer": int, "boolean": bool, "any": object, "object": dict}
VALUE: Final = "kR7-vT2_qX9.mB4w"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, with their arguments."""
    (file,) = [one for one in DOCKER if one.language == "dockerfile"]
    lines = file.code.replace("\\\n", " ").splitlines()
    return [(one.split()[0], one.partition(" ")[2].strip()) for one in lines if one]


def argument(instruction: str) -> str:
    """Return the argument of an instruction that the Dockerfile has once."""
    (found,) = [text for name, text in instructions() if name == instruction]
    return found


def health_command() -> list[str]:
    """Return the command of the health check."""
    command: list[str] = json.loads(argument("HEALTHCHECK").partition("CMD ")[2])
    return command


def manifests() -> list[dict[str, Any]]:
    """Return the objects of the manifests."""
    files = [one.code for one in KUBERNETES if one.language == "yaml"]
    return [document for file in files for document in yaml.safe_load_all(file)]


def manifest(kind: str, name: str) -> dict[str, Any]:
    """Return the only object of a kind and a name."""
    (found,) = [
        one for one in manifests() if (one["kind"], one["metadata"]["name"]) == (kind, name)
    ]
    return found


def container(deployment: str) -> dict[str, Any]:
    """Return the only container of a deployment."""
    (found,) = manifest("Deployment", deployment)["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@contextmanager
def running(folder: Path, environ: Mapping[str, str]) -> Iterator[Walkthrough]:
    """Start the image's command, with the app and the secret of the page."""
    folder.mkdir()
    environ = {"SECRETS": str(folder / "secrets"), "PROXIES": "127.0.0.1", **environ}
    with Walkthrough(folder, environ=environ) as walk:
        for block in DOCKER:
            if 'title="app.py"' in block.options:
                walk.write(block)
            elif "umask" in block.code:
                walk.run(block.code)
        walk.run(shlex.join(json.loads(argument("CMD"))))
        yield walk


def get(walk: Walkthrough, path: str, method: str = "GET") -> tuple[int, str]:
    """Send a request; return the status and the body."""
    connection = HTTPConnection(HOST, walk.port, timeout=60)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


# -- Docker ---------------------------------------------------------------------------------------


def test_the_image_runs_as_a_user_and_holds_what_the_app_imports() -> None:
    """With packages and extras that exist, and files that the page has."""
    known = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "VOLUME", "EXPOSE"}
    assert {name for name, _ in instructions()} == known | {"HEALTHCHECK", "CMD"}
    assert argument("USER") == "1000"
    installs = [text for name, text in instructions() if name == "RUN" and "pip install" in text]
    (install,) = installs
    words = [one for one in shlex.split(install.partition("pip install")[2]) if one[0] not in "-/"]
    checkouts = [one.replace("mantlet[", "../mantlet[") for one in words]
    check_setup(shlex.join(["pip", "install", *checkouts]))
    files = {one.options for one in DOCKER}
    assert f'title="{argument("COPY").split()[0]}"' in files


def test_the_container_counts_masks_and_is_healthy(tmp_path: Path) -> None:
    """By the command of the image, and the image's own health check."""
    limits = tmp_path / "limits"
    limits.mkdir()
    variables = dict(one.split("=") for one in argument("ENV").split())
    assert variables["LIMITS"] == f"lmdb://{argument('VOLUME')}"
    with running(tmp_path / "app", {**variables, "LIMITS": f"lmdb://{limits}"}) as walk:
        assert [get(walk, "/login", "POST")[0] for _ in range(6)] == [200] * 5 + [429]
        assert list(limits.iterdir())
        secret = (walk.folder / "secrets" / "payment_key").read_text().strip()
        assert json.loads(get(walk, "/about")[1])["debug"] == "*" * len(secret)
        python, *options = health_command()
        assert python == "python"
        check = [sys.executable, *(one.replace("8000", str(walk.port)) for one in options)]
        assert subprocess.run(check, check=False).returncode == 0
        walk.stop()
        assert subprocess.run(check, check=False, stderr=subprocess.DEVNULL).returncode != 0


def test_the_containers_use_what_the_image_declares() -> None:
    """The volume, the directory of the secrets, the network and the names."""
    commands = [line for one in DOCKER if one.language == "sh" for line, _ in one.commands]
    shop, limits = [shlex.split(one) for one in commands if one.startswith("docker run")]
    assert f"limits:{argument('VOLUME')}" in shop
    assert any(one.endswith("target=/run/secrets,readonly") for one in shop)
    assert shop[-1] == "shop"
    assert f"docker build --tag {shop[-1]} ." in commands
    for command in (shop, limits):
        assert f"docker network create {command[command.index('--network') + 1]}" in commands
        assert "--read-only" in command
    image = limits.index("valkey/valkey:8")
    assert limits[image + 1 :] == container("limits")["command"]


# -- Kubernetes -----------------------------------------------------------------------------------


def check_fields(value: Any, expected: Any, place: str) -> None:
    """Check a value against the fields of the API."""
    if isinstance(expected, list):
        for number, item in enumerate(value):
            check_fields(item, expected[0], f"{place}[{number}]")
    elif isinstance(expected, dict):
        for name, item in value.items():
            check_fields(item, expected["*"], f"{place}.{name}")
    elif expected in TYPES:
        assert isinstance(value, TYPES[expected]), f"{place} is not a {expected}"
    else:
        fields = {name.removesuffix("!"): kind for name, kind in FIELDS[expected].items()}
        assert value.keys() <= fields.keys(), f"{place}: {value.keys() - fields.keys()}"
        missing = {name[:-1] for name in FIELDS[expected] if name[-1] == "!"} - value.keys()
        assert not missing, f"{place} lacks {missing}"
        for name, item in value.items():
            check_fields(item, fields[name], f"{place}.{name}")


@pytest.mark.parametrize("number", range(4))
def test_every_field_is_one_of_the_api(number: int) -> None:
    """With a value of its type."""
    document = manifests()[number]
    check_fields(document, document["kind"], document["metadata"]["name"])
    assert len(manifests()) == 4


@pytest.mark.parametrize(
    ("true", "false"),
    [("replicas: 3", "replica: 3"), ("replicas: 3", 'replicas: "3"'), ("- name: shop\n", "- x\n")],
    ids=["name", "type", "object"],
)
def test_a_field_that_the_api_does_not_have_is_found(true: str, false: str) -> None:
    """So that the test above says something."""
    (text,) = [one.code for one in KUBERNETES if 'title="shop.yaml"' in one.options]
    assert true in text
    with pytest.raises((AssertionError, AttributeError, yaml.YAMLError)):
        for document in yaml.safe_load_all(text.replace(true, false)):
            check_fields(document, document["kind"], "")


@pytest.mark.parametrize("name", ["shop", "limits"])
def test_names_within_the_manifests_fit(name: str) -> None:
    """Labels, ports and volumes."""
    spec = manifest("Deployment", name)["spec"]
    service = manifest("Service", name)["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == service["selector"] == labels
    pod, one = spec["template"]["spec"], container(name)
    ports = {port["name"] for port in one["ports"]}
    probes = [one[key] for key in ("livenessProbe", "readinessProbe") if key in one]
    asked = {(probe.get("httpGet") or probe["tcpSocket"])["port"] for probe in probes}
    assert asked | {port["targetPort"] for port in service["ports"]} == ports
    volumes = {volume["name"] for volume in pod.get("volumes", ())}
    assert {mount["name"] for mount in one.get("volumeMounts", ())} == volumes


def test_the_deployment_fits_the_image_and_the_commands() -> None:
    """Its user, its port, its secret and its number of workers."""
    spec = manifest("Deployment", "shop")["spec"]
    pod, shop = spec["template"]["spec"], container("shop")
    assert str(pod["securityContext"]["runAsUser"]) == argument("USER")
    assert [str(port["containerPort"]) for port in shop["ports"]] == [argument("EXPOSE")]
    (volume,) = [one for one in pod["volumes"] if "secret" in one]
    assert volume["secret"]["defaultMode"] == 0o400
    environ = {one["name"]: one["value"] for one in shop["env"]}
    mounts = {one["name"]: one["mountPath"] for one in shop["volumeMounts"]}
    assert environ["SECRETS"] == mounts[volume["name"]]
    pods = spec["replicas"] + spec["strategy"]["rollingUpdate"]["maxSurge"]
    workers = int(re.findall(r'"--workers", "(\d)"', argument("CMD"))[0])
    assert int(environ["WORKERS"]) == pods * workers
    (host, port) = environ["LIMITS"].removeprefix("valkey://").split(":")
    assert manifest("Service", host)["spec"]["ports"][0]["port"] == int(port)
    commands = "".join(one.code for one in KUBERNETES if one.language == "sh")
    assert f"kubectl create secret generic {volume['secret']['secretName']} " in commands
    assert set(re.findall(r"--filename (\S+)", commands)) == {
        match[1] for one in KUBERNETES if (match := re.search('title="(.*)"', one.options))
    }


def test_two_pods_share_a_limit_and_answer_the_probes(tmp_path: Path) -> None:
    """With a Valkey by the command of its container."""
    environ = {one["name"]: one["value"] for one in container("shop")["env"]}
    paths = [
        container("shop")[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness")
    ]
    with ExitStack() as stack:
        valkey = stack.enter_context(Valkey(tmp_path, *container("limits")["command"][1:]))
        variables = {"LIMITS": f"valkey://{valkey.place}", "WORKERS": environ["WORKERS"]}
        pods = [stack.enter_context(running(tmp_path / name, variables)) for name in ("a", "b")]
        statuses = [get(pods[number % 2], "/login", "POST")[0] for number in range(6)]
        assert statuses == [200] * 5 + [429]
        for pod in pods:
            assert [get(pod, path)[0] for path in paths] == [200, 200]


def test_the_secret_may_be_mounted_as_kubernetes_does(tmp_path: Path) -> None:
    """By links through a directory that is replaced at once, readable by the group alone."""
    data = tmp_path / "..2026_12_01"
    data.mkdir()
    (data / "payment_key").write_text(VALUE)
    (data / "payment_key").chmod(0o440)
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "payment_key").symlink_to("..data/payment_key")
    code = "import app; assert app.secrets.current.payment_key.reveal() == " + repr(VALUE)
    with Walkthrough(tmp_path, environ={"SECRETS": str(tmp_path)}) as walk:
        for block in DOCKER:
            if 'title="app.py"' in block.options:
                walk.write(block)
        walk.run(shlex.join(["python", "-c", code]))
