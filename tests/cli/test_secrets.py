"""The commands, run as a user runs them: output, exit codes, and no values."""

import base64
import errno
import gzip
import json
import os
import pty
import runpy
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from mantlet.cli.app import app
from mantlet.cli.scan import scan_files
from mantlet.redact.variants import encoded_variants
from mantlet.secrets import Environment, Secret, SecretLoader, SecretModel
from tests.disks import fill, small_disk
from tests.secrets.sources.test_local import write

#: The interpreter's own paths.
PATHS = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
TOKEN = "kR7-vT2_qX9.mB4w"
PASSWORD = "pW9-uY3_rZ8.nC5x"
URL = f"postgresql://app:{PASSWORD}@db.internal/shop"
NEEDLES = {form for value in (TOKEN, PASSWORD) for form in encoded_variants(value.encode())}

MODULE = """
from pydantic import PostgresDsn
from mantlet.secrets import Environment, Secret, SecretLoader, SecretModel, secret_field

class AppSecrets(SecretModel, prefix="APP_"):
    token: Secret[str] = secret_field(
        description="Identifies the client.", pattern=r"kR7.*"
    )
    database_url: Secret[PostgresDsn]
    key: Secret[bytes] | None = secret_field(None, encoding="hex", min_length=32)

class Config:
    secrets = AppSecrets
"""
BROKEN = "raise LookupError('kR7-vT2_qX9.mB4w')"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project directory with a module of secrets."""
    (tmp_path / "shop.py").write_text(MODULE)
    (tmp_path / "made.py").write_text(f"{MODULE}\nloader = SecretLoader(AppSecrets)\n")
    (tmp_path / "broken.py").write_text(BROKEN)
    return tmp_path


def run(
    project: Path, *words: str, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, in a project directory, with the secrets in the environment.

    Modules that it imports are forgotten.
    """
    given = {"APP_TOKEN": TOKEN, "APP_DATABASE_URL": URL} if environ is None else environ
    environ = {**PATHS, "HOME": str(project), **given}
    with (
        chdir(project),
        patch.dict(os.environ, environ, clear=True),
        patch("sys.path", [*sys.path]),
    ):
        result = CliRunner().invoke(app, ["secrets", *words])
    for name, module in [*sys.modules.items()]:
        if (getattr(module, "__file__", None) or "").startswith(str(project)):
            del sys.modules[name]
    assert isinstance(result.exception, SystemExit | None), result.exception
    done = subprocess.CompletedProcess(words, result.exit_code, result.stdout, result.stderr)
    return _checked(done)


def run_process(
    project: Path, *words: str, module: str = "mantlet", environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of a module in a process of its own."""
    given = {"APP_TOKEN": TOKEN, "APP_DATABASE_URL": URL} if environ is None else environ
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=project,
        env={**PATHS, "HOME": str(project), **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return _checked(done)


def _checked(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """Check that a command has printed no value and no traceback."""
    assert not any(needle in (done.stdout + done.stderr).encode() for needle in NEEDLES)
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("target", ["shop:AppSecrets", "shop:Config.secrets", "made:loader"])
def test_check_shows_each_secret(project: Path, target: str) -> None:
    """Name, state, source and fingerprint; not truncated in a pipe."""
    done = run(project, "check", target)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert lines[0] == ["name", "state", "source", "age", "fingerprint", "note"]
    rows = {line[0]: line[1:] for line in lines[2:]}
    assert rows["token"][:3] == ["ok", "environment", "APP_TOKEN"]
    assert len(rows["token"][3]) == 12
    assert rows["key"][0] == "unset"


def test_check_shows_all_problems_and_ends_with_1(project: Path) -> None:
    """Also if a loader in the module raises them when it is imported."""
    environ = {"APP_TOKEN": f"x{TOKEN}", "APP_DATABASE_ULR": URL}
    for target in ("shop:AppSecrets", "made:loader"):
        done = run(project, "check", target, environ=environ)
        assert done.returncode == 1
        assert "token: does not match its pattern (environment APP_TOKEN)" in done.stdout
        assert "did you mean environment APP_DATABASE_ULR?" in done.stdout
        assert "missing" in done.stdout


def test_check_starts_no_policy(project: Path) -> None:
    """Though the module wraps an app, whose limiter would need its store."""
    (project / "app.py").write_text(
        f"""{MODULE}
import mantlet

class Store(mantlet.Policy):
    def startup(self):
        raise OSError("no store here")

loader = SecretLoader(AppSecrets)
app = mantlet.wrap(lambda environ, start_response: [], loader, Store())
"""
    )
    for target in ("app:AppSecrets", "app:loader"):
        done = run(project, "check", target)
        assert done.returncode == 0, done.stderr
        assert "store" not in done.stdout + done.stderr


def test_check_takes_sources_and_tells_ages(project: Path) -> None:
    """Sources have the order of the options."""
    write(project / "run" / "token", f"{TOKEN}\n", 0o644)
    write(project / "my.env", f"APP_DATABASE_URL={URL}\n", 0o644)
    words = ("check", "shop:AppSecrets", "--source", "files:run", "--source", "dotenv:my.env")
    done = run(project, *words, environ={})
    assert done.returncode == 1
    assert "is readable by every user" in done.stdout
    done = run(
        project, *words, "--source", "systemd", "--allow-world-readable", "--json", environ={}
    )
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout)
    assert told["problems"] == []
    assert [entry["location"] for entry in told["secrets"][:2]] == [
        "run/token",
        "my.env APP_DATABASE_URL",
    ]
    assert told["secrets"][0]["changed_at"] > 1e9
    text = run(project, *words, "--allow-world-readable", environ={}).stdout
    assert any(f"{seconds} s" in text for seconds in range(60))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("check", "shop"), "the target must be of the form module:name, not 'shop'"),
        (("check", "none:AppSecrets"), "no module named none"),
        (("check", "shop:Other"), "shop has no attribute Other"),
        (("check", "shop:Config"), "neither a SecretModel class nor a SecretLoader"),
        (("check", "broken:x"), "broken can't be imported: LookupError"),
        (("check", "shop:AppSecrets", "--source", "vault"), "systemd, not 'vault'"),
        (
            ("check", "made:loader", "--source", "env"),
            "is a SecretLoader with its own sources: remove --source",
        ),
        (
            ("example", "shop:Config"),
            "shop:Config is neither a SecretModel class nor a SecretLoader",
        ),
        (("example", "shop:AppSecrets", "--output", "no/such"), "no/such can't be written"),
        (("check",), "Missing argument"),
        (("other",), "No such command"),
    ],
    ids=[
        "form",
        "module",
        "name",
        "kind",
        "broken",
        "source",
        "sources-twice",
        "no-class",
        "output",
        "nothing",
        "command",
    ],
)
def test_what_can_not_be_done_is_said_in_a_line(
    project: Path, words: tuple[str, ...], why: str
) -> None:
    """The exit code is 2."""
    done = run(project, *words)
    assert done.returncode == 2
    assert why in " ".join(done.stderr.split())


LOADS = f"{MODULE}\nloader = SecretLoader(AppSecrets)\n"


@pytest.mark.parametrize(
    ("files", "target"),
    [
        ({"app.py": LOADS}, "app:AppSecrets"),
        ({"app.py": LOADS}, "app:loader"),
        ({"app.py": f"{LOADS}\nurl = loader.current.database_url.reveal()"}, "app:AppSecrets"),
        ({"app.py": f"{LOADS}\nloader.reload()"}, "app:AppSecrets"),
        ({"app.py": f"{MODULE}\nimport os; os.environ['VAULT']"}, "app:AppSecrets"),
        (
            {"conf.py": LOADS, "app.py": "from conf import loader, AppSecrets\nloader.report"},
            "app:AppSecrets",
        ),
        (
            {"conf.py": LOADS, "app.py": "from conf import *\nloader.current.token.reveal()"},
            "app:AppSecrets",
        ),
        ({"app/__init__.py": "from app.conf import *", "app/conf.py": LOADS}, "app:AppSecrets"),
    ],
    ids=["class", "loader", "uses", "reloads", "environment", "imports", "import-uses", "package"],
)
def test_example_works_before_any_secret_exists(
    project: Path, files: dict[str, str], target: str
) -> None:
    """The module that makes the loader may even use a secret after the class."""
    for name, content in files.items():
        path = project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    done = run(project, "example", target, "--output", "-", environ={})
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("APP_KEY=\n")
    # All other commands need the secrets.
    assert run(project, "check", target, environ={}).returncode != 0


@pytest.mark.parametrize(
    ("module", "words"), [("mantlet", ["secrets"]), ("mantlet.secrets", [])], ids=["own", "package"]
)
def test_both_modules_run_the_same_commands(
    project: Path, module: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """``python -m mantlet.secrets example``, from the name that an app imports."""
    command = ("example", "shop:AppSecrets", "--output", "-")
    written = run_process(project, *words, *command, module=module, environ={}).stdout
    assert written.endswith("APP_KEY=\n")
    with chdir(project), patch("sys.path", [*sys.path]), patch("sys.argv", ["", *words, *command]):
        with pytest.raises(SystemExit, match="0"):
            runpy.run_module(f"{module}.__main__", run_name="__main__")
        sys.modules.pop("shop")
    assert capsys.readouterr().out == written


def test_a_module_that_fails_before_the_class_can_not_be_used(project: Path) -> None:
    """And the message shows nothing of it."""
    (project / "app.py").write_text(f"{BROKEN}\n{MODULE}")
    done = run(project, "example", "app:AppSecrets", environ={})
    assert done.returncode == 2
    assert done.stderr == "app can't be imported: LookupError\n"


def test_patterns_are_written_as_they_are(project: Path) -> None:
    """With their quotes and backslashes, and each line in a comment of its own."""
    (project / "app.py").write_text(
        "from mantlet.secrets import Secret, SecretModel, secret_field\n"
        "class AppSecrets(SecretModel):\n"
        "    a: Secret[str] = secret_field(pattern=r'sk_(live|test)_\\w+\"\\\\')\n"
        "    b: Secret[str] = secret_field(pattern='(?x)\\n  a+\\n\\n  b+')\n"
        "    c: Secret[str] = secret_field(pattern='')\n"
    )
    done = run(project, "example", "app:AppSecrets", "--output", "-")
    lines = done.stdout.splitlines()
    assert lines[1] == '# Matches: sk_(live|test)_\\w+"\\\\'
    assert lines[5:10] == ["# Matches: (?x)", "#   a+", "#", "#   b+", "B="]
    assert all(not line or line.startswith("#") or line in ("A=", "B=", "C=") for line in lines)


def test_example_writes_names_and_what_is_asked_of_them(project: Path) -> None:
    """Without values, and without overwriting a file."""
    done = run(project, "example", "shop:AppSecrets", environ={})
    assert done.returncode == 0, done.stderr
    assert (project / ".env.example").read_text() == (
        "# Identifies the client.\n"
        "# Required: text, 8 characters or more.\n"
        "# Matches: kR7.*\n"
        "APP_TOKEN=\n\n"
        "# Required: PostgresDsn.\n"
        "APP_DATABASE_URL=\n\n"
        "# Optional: bytes in hex, 32 bytes or more.\n"
        "APP_KEY=\n"
    )
    done = run(project, "example", "shop:AppSecrets")
    assert done.returncode == 2
    assert ".env.example exists; use --force to overwrite it" in done.stderr
    assert run(project, "example", "shop:AppSecrets", "--force").returncode == 0
    assert run(project, "example", "shop:AppSecrets", "--output", "-").stdout.startswith(
        "# Identifies"
    )


def test_example_leaves_nothing_on_a_full_disk(project: Path) -> None:
    """Neither a part of the file, nor an empty one."""
    with small_disk(project / "disk", 64 * 1024) as disk:
        fill(disk)
        done = run(project, "example", "shop:AppSecrets", "--output", "disk/example")
        assert done.returncode == 2
        assert "disk/example can't be written: No space left on device" in done.stderr
        assert [path.name for path in disk.iterdir()] == ["ballast"]


def test_scan_finds_values_in_all_forms(project: Path) -> None:
    """Across chunk borders and in compressed files, but not through links."""
    logs = project / "logs"
    logs.mkdir()
    (logs / "raw.log").write_bytes(b"x" * (1024 * 1024 - 5) + TOKEN.encode() + b"\0")
    (logs / "url.txt").write_text("at " + "".join(f"%{byte:02x}" for byte in PASSWORD.encode()))
    (logs / "base64").write_bytes(base64.b64encode(f"app:{PASSWORD}".encode()))
    (logs / "old.log.gz").write_bytes(gzip.compress(f"1\n2\n{TOKEN}".encode(), mtime=0))
    (logs / "clean.bin").write_bytes(bytes(range(256)) * 100)
    (project / "outside").write_text(TOKEN)
    (logs / "link").symlink_to(project / "outside")
    (logs / "loop").symlink_to(logs)
    os.mkfifo(logs / "fifo")
    done = run(project, "scan", "shop:AppSecrets", "logs")
    assert done.returncode == 1, done.stderr
    places = [line.partition(" (")[0] for line in done.stdout.splitlines()]
    assert "logs/raw.log:1048571: token" in places
    assert "logs/old.log.gz:4: token" in places
    assert any(place.startswith("logs/base64:") for place in places)
    assert {place.partition(":")[0] for place in places} == {
        "logs/raw.log",
        "logs/base64",
        "logs/old.log.gz",
        "logs/url.txt",
    }
    assert "5 files searched, 4 found" in done.stderr


def test_scan_of_clean_files_ends_with_0(project: Path) -> None:
    """And with 2 if a file could not be read."""
    (project / "clean").write_text("nothing")
    done = run(project, "scan", "made:loader", "clean")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "1 file searched, nothing found\n"
    (project / "not.gz").write_text("nothing")
    done = run(project, "scan", "made:loader", "clean", "missing", "not.gz")
    assert done.returncode == 2
    assert "missing: can't be read: No such file or directory" in done.stderr
    assert "not.gz: can't be read: not a gzip file" in done.stderr
    assert run(project, "scan", "made:loader", "clean", environ={}).returncode == 2


def test_scan_says_what_it_can_not_search(project: Path) -> None:
    """Users rely on a clean result."""
    (project / "target").write_text(f"a {TOKEN}")
    (project / "link").symlink_to("target")
    os.mkfifo(project / "fifo")
    done = run(project, "scan", "made:loader", "link")
    assert (done.returncode, done.stdout.partition(" (")[0]) == (1, "link:2: token")
    done = run(project, "scan", "made:loader", "fifo")
    assert done.returncode == 2
    assert "fifo: can't be read: not a regular file" in done.stderr
    weak = {"APP_TOKEN": "kR7", "APP_DATABASE_URL": URL}
    (project / "weak.py").write_text(MODULE.replace('kR7.*"', 'kR7.*", allow_weak=True'))
    (project / "clean").write_text("nothing")
    done = run(project, "scan", "weak:AppSecrets", "clean", environ=weak)
    assert done.returncode == 0
    assert "token: not searched for: the value is too short or easy to guess" in done.stderr


def test_secrets_in_the_names_of_files_are_masked(project: Path) -> None:
    """Of files with a leak, and of those that can't be read; as they are and in a form."""
    form = base64.urlsafe_b64encode(TOKEN.encode()).decode()
    for name in (TOKEN, f"backup-{PASSWORD}", form):
        (project / name).mkdir()
        (project / name / "log").write_text(TOKEN)
        (project / name / "not.gz").write_text("nothing")
    paths = (TOKEN, f"backup-{PASSWORD}", form, f"missing-{TOKEN}")
    done = run(project, "scan", "shop:AppSecrets", *paths)
    assert done.returncode == 1
    assert done.stdout.count("***") == done.stdout.count("/log:0: token") == 3
    assert "backup-***/not.gz: can't be read: not a gzip file" in done.stderr
    assert "missing-***: can't be read: No such file or directory" in done.stderr
    assert not [one for one in NEEDLES if one.decode("latin-1") in done.stdout + done.stderr]


def test_a_directory_that_can_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may contain a value."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "clean").write_text("nothing")
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("inner"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    class Some(SecretModel):
        token: Secret[str]

    loader = SecretLoader(Some, sources=[Environment({"TOKEN": TOKEN})])
    monkeypatch.setattr(os, "scandir", scandir)
    found = scan_files(loader, [tmp_path], show_progress=False)
    assert found.unreadable == [(tmp_path / "inner", "Permission denied")]
    assert (found.files, found.leaks, found.unsearched) == (1, [], [])


def test_names_of_files_are_no_commands_to_a_terminal(project: Path) -> None:
    """An attacker may choose the name of a log."""
    (project / "a\x1b[31m\nb").write_text(TOKEN)
    done = run(project, "scan", "shop:AppSecrets", ".")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert r"a\x1b[31m\nb:0: token" in done.stdout


def test_a_bar_is_shown_on_a_terminal(project: Path) -> None:
    """Only on a terminal."""
    (project / "clean").write_bytes(b"x" * 100_000)
    parent, child = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "mantlet", "secrets", "scan", "shop:AppSecrets", "clean"],
        cwd=project,
        env={
            **PATHS,
            "APP_TOKEN": TOKEN,
            "APP_DATABASE_URL": URL,
            "TERM": "xterm",
        },
        stdout=subprocess.PIPE,
        stderr=child,
        timeout=60,
        check=False,
    )
    os.close(child)
    shown = os.read(parent, 100_000)
    os.close(parent)
    assert done.returncode == 0
    assert b"searching" in shown
    assert b"1 file searched" in shown


def test_without_its_extra_the_command_names_it(project: Path) -> None:
    """The error is one line."""
    (project / "typer.py").write_text("raise ModuleNotFoundError('none', name='typer')")
    done = run_process(project, "secrets", "check", "shop:AppSecrets")
    assert done.returncode == 2
    assert done.stderr == 'typer is needed for this: pip install "mantlet[cli]"\n'


def test_without_the_extra_of_a_source_the_command_names_it(project: Path) -> None:
    """With the message of the source."""
    (project / "dotenv").mkdir()
    (project / "dotenv" / "__init__.py").write_text("raise ImportError('none')")
    done = run_process(project, "secrets", "check", "shop:AppSecrets", "--source", "dotenv")
    assert done.returncode == 2
    assert done.stderr == 'dotenv.parser is needed for this: pip install "mantlet[secrets]"\n'
