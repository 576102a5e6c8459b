"""Encrypted files: by the real age, and by a stand-in for sops that follows its command line.

https://github.com/getsops/sops#usage and its ``cmd/sops/codes/codes.go``.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from mantlet.secrets import (
    AgeFile,
    Secret,
    SecretField,
    SecretLoader,
    SecretModel,
    SopsFile,
    SourceError,
)
from mantlet.secrets.sources import read as reading
from mantlet.secrets.sources.remote import SourceUnavailable
from tests.secrets.sources import assertions
from tests.secrets.sources.assertions import FIELD, value
from tests.secrets.sources.vault.vault_server import Clock
from tests.servers.server import poll

VALUE, NEW = "kR7-vT2_qX9.mB4w", "new-kR7-vT2_qX9.mB4w"
HIDDEN = (VALUE, NEW)
AGE, KEYGEN = shutil.which("age") or "", shutil.which("age-keygen") or ""

with_age = pytest.mark.skipif(
    not (AGE and KEYGEN), reason="the commands age and age-keygen are not installed"
)


def read_error(source: AgeFile | SopsFile) -> SourceError:
    """Return the error of a source that can't be read."""
    return assertions.read_error(source, HIDDEN)


class Age:
    """A directory with an identity, and files encrypted for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identity = folder / "identity"
        self.public = self._made(self.identity)

    def _made(self, path: Path) -> str:
        subprocess.run([KEYGEN, "-o", path], check=True, capture_output=True)
        asked = subprocess.run([KEYGEN, "-y", path], check=True, capture_output=True)
        return asked.stdout.decode().strip()

    def file(self, text: str | bytes, name: str = "secrets.env.age") -> Path:
        """Write a file that only the identity can decrypt, atomically, and return its path."""
        raw = text.encode() if isinstance(text, str) else text
        new, path = self.folder / "new", self.folder / name
        subprocess.run([AGE, "-r", self.public, "-o", new], input=raw, check=True)
        return new.replace(path)

    def source(self, text: str | bytes, name: str = "secrets.env.age", **options: Any) -> AgeFile:
        """Return a source for such a file."""
        return AgeFile(self.file(text, name), **{"identity": self.identity, **options})

    def another(self) -> Path:
        """Return an identity that can't decrypt the files."""
        self._made(self.folder / "another")
        return self.folder / "another"


@pytest.fixture
def age(tmp_path: Path) -> Age:
    return Age(tmp_path)


@with_age
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("secrets.env.age", f"APP_PASSWORD={VALUE}\nOTHER=x\n"),
        (".env.age", f"APP_PASSWORD='{VALUE}'\n"),
        ("secrets.json.age", f'{{"password": "{VALUE}", "other": 1}}'),
    ],
)
def test_age_opens_what_was_written_for_the_identity(age: Age, name: str, text: str) -> None:
    before = time.time()
    source = age.source(text, name)
    found = value(source)
    assert found.raw == VALUE
    assert found.changed_at is not None
    assert abs(found.changed_at - before) < 60
    assert source.location(FIELD) == "password"
    assert VALUE not in repr(vars(source))


@with_age
def test_a_misspelt_name_is_told(age: Age) -> None:
    source = age.source(f"APP_PASWORD={VALUE}\n")
    assert source.read([FIELD]) == {}
    assert list(source.similar_names([FIELD])) == [("APP_PASWORD", "APP_PASSWORD")]


@with_age
def test_a_file_that_is_not_there_has_no_secrets(age: Age) -> None:
    source = AgeFile(age.folder / "none.env.age", identity=age.identity)
    assert source.read([FIELD]) == {}


@with_age
def test_another_identity_is_told(age: Age) -> None:
    source = age.source(f"APP_PASSWORD={VALUE}\n", identity=age.another())
    assert "can't be decrypted (age exits with 1)" in str(read_error(source))


@with_age
def test_an_identity_that_all_may_read_is_refused(age: Age) -> None:
    source = age.source(f"APP_PASSWORD={VALUE}\n")
    age.identity.chmod(0o644)
    assert "is readable by every user" in str(read_error(source))


@with_age
def test_what_other_users_may_write_to_is_refused(age: Age) -> None:
    """Whoever writes to the file or replaces it chooses the secrets: anybody can encrypt."""
    age.identity.chmod(0o622)
    source = age.source(f"APP_PASSWORD={VALUE}\n")
    assert "can be written to by every user of this machine" in str(read_error(source))
    age.identity.chmod(0o600)
    path = age.file(f"APP_PASSWORD={VALUE}\n")
    path.chmod(0o666)
    source = AgeFile(path, identity=age.identity)
    assert "can be written to by every user of this machine" in str(read_error(source))
    path.chmod(0o644)  # that all may read what is encrypted is fine
    assert source.read(()) == {}
    age.folder.chmod(0o777)
    assert f"is below {age.folder}, which every user" in str(read_error(source))


@with_age
def test_an_identity_that_is_not_there_is_told(age: Age) -> None:
    source = age.source(f"APP_PASSWORD={VALUE}\n", identity=age.folder / "none")
    assert str(read_error(source)).endswith("none does not exist")


@with_age
@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.env.age", f"APP_PASSWORD={VALUE}\nA b {VALUE}\n", "can't be parsed in line 2"),
        ("a.env.age", b"APP_PASSWORD=\xff" + VALUE.encode(), "is not UTF-8 text in line 1"),
        ("a.json.age", f'["{VALUE}"]', "is not a JSON object"),
        ("a.json.age", f'{{"password": "{VALUE}", "password": "{NEW}"}}', "a duplicate key"),
        ("a.env.age", "A=" + "x" * 1_200_000, "larger than 1024 KiB"),
    ],
    ids=["syntax", "bytes", "array", "twice", "huge"],
)
def test_what_is_wrong_in_it_is_told_without_it(
    age: Age, name: str, text: str | bytes, why: str
) -> None:
    assert why in str(read_error(age.source(text, name)))


@with_age
@pytest.mark.parametrize("raw", [b"", b"no age file", b"age-encryption.org/v1\n->"])
def test_a_file_that_is_none_of_ages(age: Age, raw: bytes) -> None:
    path = age.folder / "secrets.env.age"
    path.write_bytes(raw)
    assert "can't be decrypted" in str(read_error(AgeFile(path, identity=age.identity)))


@with_age
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.mkdir(), "is a directory"),
        (os.mkfifo, "is not a regular file"),
        (lambda path: path.symlink_to(path), "can't be opened"),
    ],
    ids=["directory", "fifo", "loop"],
)
def test_what_is_no_file(age: Age, make: Any, why: str) -> None:
    path = age.folder / "secrets.env.age"
    make(path)
    assert why in str(read_error(AgeFile(path, identity=age.identity)))


@with_age
def test_a_new_file_is_a_rotation(age: Age) -> None:
    class App(SecretModel, prefix="APP_"):
        password: Secret[str]

    clock = Clock()
    source = age.source(f"APP_PASSWORD={VALUE}\n")
    loader = SecretLoader(App, sources=[source], clock=clock)
    assert loader.current.password.reveal() == VALUE
    age.file(f"APP_PASSWORD={NEW}\n")
    assert loader.reload() == {"password"}
    assert loader.current.password.reveal() == NEW


# -- sops -----------------------------------------------------------------------------------------


class Sops:
    """A directory with a command that runs a script of a test, and logs its arguments."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "secrets.yaml"
        self.path.write_text("sops: {}\n")
        self._command = folder / "sops"
        self._ran = folder / "ran"

    def source(self, script: str, **options: Any) -> SopsFile:
        """Return a source that runs a shell script."""
        self._command.write_text(f'#!/bin/sh\necho "$@" >> {self._ran}\n{script}\n')
        self._command.chmod(0o700)
        return SopsFile(self.path, **{"command": str(self._command), **options})

    @property
    def ran(self) -> list[str]:
        """The arguments of each run."""
        return self._ran.read_text().splitlines()


@pytest.fixture
def sops(tmp_path: Path) -> Sops:
    return Sops(tmp_path)


PRINTS = f"""echo '{{"password": "{VALUE}", "port": 5432}}'"""


def test_sops_prints_the_members(sops: Sops) -> None:
    port = SecretField("port", "APP_PORT", "port", "APP_")
    found = sops.source(PRINTS).read([FIELD, port])
    assert [one.raw for one in found.values() if hasattr(one, "raw")] == [VALUE, "5432"]
    assert sops.ran == [f"decrypt --output-type json {sops.path}"]


def test_an_unchanged_file_is_not_decrypted_again(
    sops: Sops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it had just changed: the next change might have the same time."""
    source = sops.source(PRINTS)
    assert [value(source).raw for _ in range(2)] == [VALUE] * 2
    assert len(sops.ran) == 2
    monkeypatch.setattr(reading, "time", lambda: time.time() + 2)
    assert [value(source).raw for _ in range(3)] == [VALUE] * 3
    assert len(sops.ran) == 3
    sops.path.write_text("sops: {a: b}\n")
    assert value(source).raw == VALUE
    assert len(sops.ran) == 4


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"echo {VALUE} >&2; exit 128", "no key can decrypt it"),
        ("exit 51", "was modified after it was encrypted"),
        (f"echo {VALUE}; exit 1", "sops exits with 1"),
        ("kill -9 $$", "sops exits with -9"),
        (f"echo {VALUE}", "is not a JSON object"),
        ("head -c 3000000 /dev/zero", "is larger than 1024 KiB once decrypted"),
        (f"yes {VALUE} | head -c 3000000 >&2; exit 3", "sops exits with 3"),
    ],
    ids=["no-key", "changed", "generic", "killed", "no-json", "flood", "flood-of-errors"],
)
def test_trouble_is_told_without_what_the_command_says(sops: Sops, script: str, why: str) -> None:
    assert why in str(read_error(sops.source(script)))


@pytest.mark.parametrize(
    "script",
    [
        "sleep 3600",
        f"{PRINTS}; exec >&-; sleep 3600",
        f"{PRINTS}; sleep 3600 & exit 0",
    ],
    ids=["hangs", "hangs-behind-its-output", "leaves-a-process-behind"],
)
def test_a_command_that_does_not_end_is_killed(sops: Sops, script: str) -> None:
    refused = read_error(sops.source(f"echo $$ > {sops.path}.pid\n{script}", timeout=0.5))
    assert isinstance(refused, SourceUnavailable)
    group = int(Path(f"{sops.path}.pid").read_text())
    poll(lambda: not group_lives(group), "the end of its processes")


def group_lives(group: int) -> bool:
    """Return whether a process of a group is alive, and not a zombie."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


def test_a_command_that_can_not_be_run(sops: Sops) -> None:
    source = sops.source(PRINTS)
    sops._command.unlink()
    assert str(read_error(source)).endswith("can't be run")


def test_options_that_can_not_be(sops: Sops, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nonesuch is not installed"):
        SopsFile("secrets.yaml", command="nonesuch")
    with pytest.raises(ValueError, match="refresh_interval must be"):
        sops.source(PRINTS, poll_interval=0)
    with pytest.raises(ValueError, match="path must end with"):
        AgeFile("secrets.age", identity=tmp_path, command="/bin/sh")
