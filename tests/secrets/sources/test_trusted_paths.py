"""Tests of files that other users may write to or replace: none of them is a source of secrets."""

import errno
import grp
import logging
import os
import pwd
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mantlet._internal.trusted_paths import READ_FLAGS, open_trusted
from mantlet.secrets import (
    DotEnv,
    Environment,
    RejectedValue,
    Secret,
    SecretField,
    SecretFiles,
    SecretLoader,
    SecretModel,
    SecretsError,
    SourceError,
    SourceValue,
    TokenAuth,
)
from tests.secrets.sources.test_local import VALUE, write

WANTED = SecretField("token", "APP_TOKEN", "token", "APP_")
#: A user and a group that are no one's.
OTHER = 54_321
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


class App(SecretModel, prefix="APP_"):
    token: Secret[str]
    password: Secret[str]


def read_dotenv(path: Path) -> str | None:
    """Return why a ``.env`` file is refused."""
    write_new(path, f"APP_TOKEN={VALUE}\n")
    try:
        assert DotEnv(path).read([WANTED])["token"].raw == VALUE  # type: ignore[union-attr]  # a value
    except SourceError as error:
        return str(error)
    return None


def read_named(path: Path) -> str | None:
    """Return why a file that a variable names is refused."""
    write_new(path, VALUE)
    return reason(Environment({"APP_TOKEN_FILE": str(path)}).read([WANTED])["token"])


def read_directory(path: Path) -> str | None:
    """Return why a file in a directory of secrets is refused."""
    write_new(path, VALUE)
    try:
        found = SecretFiles(path.parent).read([SecretField("token", "APP_TOKEN", path.name)])
    except SourceError as error:
        return str(error)
    return reason(found["token"])


def write_new(path: Path, text: str) -> None:
    """Write a file unless there is one."""
    if not path.exists():
        write(path, text)


def reason(found: Any) -> str | None:
    """Return why a value is refused, if it is."""
    if isinstance(found, RejectedValue):
        return found.reason
    assert isinstance(found, SourceValue)
    assert found.raw in (VALUE, VALUE.encode())
    return None


Reader = Callable[[Path], str | None]
READERS = {"dotenv": read_dotenv, "named": read_named, "directory": read_directory}
each_reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


@each_reader
def test_a_file_of_this_user_is_read(tmp_path: Path, read: Reader) -> None:
    """With all directories on the way to it."""
    assert read(tmp_path / "a" / "b" / "file") is None


@each_reader
@pytest.mark.parametrize("mode", [0o602, 0o606, 0o622, 0o666, 0o777])
def test_a_file_that_all_may_write_to_is_refused(tmp_path: Path, read: Reader, mode: int) -> None:
    """Even where all may read it."""
    path = tmp_path / "file"
    read(path)
    path.chmod(mode & ~0o004)
    why = read(path)
    assert why is not None
    assert why.endswith("can be written to by every user of this machine: chmod go-w")


@each_reader
@pytest.mark.parametrize("level", [0, 1, 2])
def test_so_is_one_below_a_directory_that_all_may_write_to(
    tmp_path: Path, read: Reader, level: int
) -> None:
    """However far up."""
    path = tmp_path / "a" / "b" / "c" / "file"
    read(path)
    above = path.parents[level]
    above.chmod(0o777)
    why = read(path)
    assert why is not None
    assert f"is below {above}, which every user of this machine may write to: chmod" in why
    above.chmod(0o1777)  # with the sticky bit nobody else can replace what is there
    assert read(path) is None


@root_only
@each_reader
def test_a_sticky_directory_has_files_of_other_users(tmp_path: Path, read: Reader) -> None:
    """Who may have put them there."""
    path = tmp_path / "shared" / "file"
    read(path)
    path.parent.chmod(0o1777)
    os.chown(path, OTHER, OTHER)
    why = read(path)
    assert why is not None
    assert "belongs to another user, in " in why
    path.parent.chmod(0o755)  # only its owner can have put it there
    assert read(path) is None


@root_only
@each_reader
def test_so_has_it_links_of_other_users(tmp_path: Path, read: Reader) -> None:
    """That lead to files which only this user may write to."""
    read(tmp_path / "own" / "file")
    shared = tmp_path / "shared"
    shared.mkdir()
    link = shared / "file"
    link.symlink_to(Path("..", "own", "file") if read is not read_directory else "target")
    if read is read_directory:
        write(shared / "target", VALUE)
    else:
        assert read(link) is None
    shared.chmod(0o1777)
    os.lchown(link, OTHER, OTHER)
    why = read(link)
    assert why is not None
    assert "belongs to another user" in why


@each_reader
def test_the_target_of_a_link_is_checked(tmp_path: Path, read: Reader) -> None:
    """With all directories on the way to it, also of a link to a directory."""
    target = tmp_path / "open" / "in" / "file"
    read(target)
    (tmp_path / "link").symlink_to("open/in")
    path = tmp_path / "link" / "file"
    assert read(path) is None
    (tmp_path / "open").chmod(0o777)
    why = read(path)
    assert why is not None
    assert f"is below {tmp_path}/open, which every user" in why


@root_only
@each_reader
def test_a_file_that_a_group_may_write_to_is_refused(
    tmp_path: Path, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it is root's or the owner's own, with no other member."""
    path = tmp_path / "file"
    read(path)
    path.chmod(0o660)
    assert read(path) is None  # of root's group
    os.chown(path, 0, OTHER)
    assert "can be written to by a group: chmod go-w" in str(read(path))
    members: list[str] = []
    user = SimpleNamespace(pw_gid=OTHER, pw_name="shop")
    group = SimpleNamespace(gr_name="shop", gr_mem=members)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: user)
    monkeypatch.setattr(grp, "getgrgid", lambda _: group)
    assert read(path) is None
    members.append("shop")
    assert read(path) is None
    members.append("other")
    assert "can be written to by a group" in str(read(path))
    members.clear()
    group.gr_name = "staff"
    assert "can be written to by a group" in str(read(path))


def test_what_is_swapped_during_the_check_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that was checked is the one that is read."""
    path = write(tmp_path / "a" / "file", VALUE)
    original = os.open

    def swap(name: Any, *args: Any, **kwargs: Any) -> int:
        opened = original(name, *args, **kwargs)
        if name == "a":
            path.parent.rename(tmp_path / "away")
            write(path, "an attacker's")
            path.parent.chmod(0o777)
        return opened

    monkeypatch.setattr(os, "open", swap)
    descriptor = open_trusted(str(path), READ_FLAGS)
    try:
        assert os.read(descriptor, 100) == VALUE.encode()
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("loop/file", "ELOOP"),
        ("file/inside", "ENOTDIR"),
        ("missing/file", "ENOENT"),
        ("", "ENOENT"),
    ],
)
def test_what_can_not_be_opened_is_the_systems_error(
    tmp_path: Path, path: str, number: str
) -> None:
    """As ``open()`` would raise it."""
    write(tmp_path / "file")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=rf"\[Errno {getattr(errno, number)}\]"):
        open_trusted(path and str(tmp_path / path), READ_FLAGS)


def test_a_path_is_walked_as_the_system_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative, with dots, doubled slashes, and ``..`` after a link."""
    write(tmp_path / "real" / "file", VALUE)
    write(tmp_path / "real" / "in" / "other", "other")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "in")
    monkeypatch.chdir(tmp_path)
    relative = ("real/file", "./real//file", "real/in/../file", "link/../file")
    for path in (*relative, f"{tmp_path}//real/../real/file"):
        descriptor = open_trusted(path, READ_FLAGS)
        assert os.fstat(descriptor).st_ino == os.stat(path).st_ino  # noqa: PTH116  # not normalized
        os.close(descriptor)
    for path in ("/", "/..", "."):
        descriptor = open_trusted(path, os.O_RDONLY)
        assert os.fstat(descriptor).st_ino == Path(path).stat().st_ino
        os.close(descriptor)


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Assert that a test leaves no descriptor open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.usefixtures("descriptors")
def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    """Neither after a value nor after an error."""
    for read in READERS.values():
        path = tmp_path / read.__name__ / "a" / "file"
        assert read(path) is None
        path.parent.chmod(0o777)
        assert read(path) is not None
    for name in ("missing", "loop/x", "file/x"):
        with pytest.raises(OSError, match="Errno"):
            open_trusted(str(tmp_path / name), READ_FLAGS)


def test_vaults_token_file_is_checked_as_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may read it has the secrets; who may write to it chooses the identity."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    path = write(tmp_path / ".vault-token", "hvs.a-token")
    assert TokenAuth().token() == "hvs.a-token"
    for mode, why in ((0o644, "readable by every user"), (0o622, "written to by every user")):
        path.chmod(mode)
        with pytest.raises(SourceError, match=why):
            TokenAuth().token()


# -- a .env file that everybody may read -----------------------------------------------------------


def test_a_readable_dotenv_is_the_one_problem(tmp_path: Path) -> None:
    """The secrets in it are not missing."""
    path = write(tmp_path / ".env", f"APP_TOKEN={VALUE}\nAPP_PASSWORD={VALUE}x\n", 0o644)
    with pytest.raises(SecretsError) as told:
        SecretLoader(App, sources=[Environment({}), DotEnv(path)])
    why = "is readable by every user of this machine: chmod 600, or set allow_world_readable=True"
    assert told.value.problems == (f"{path}: {why}",)
    assert [one.state for one in told.value.report] == ["missing", "missing"]


@pytest.mark.parametrize("marker", [".git", ".hg", ".svn", ".jj"])
@pytest.mark.parametrize("place", [".", "a/b"])
def test_in_a_checkout_of_this_user_it_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, marker: str, place: str
) -> None:
    """Once, and a note on each secret of the file."""
    (tmp_path / marker).mkdir()
    path = write(tmp_path / place / ".env", f"APP_TOKEN={VALUE}\nAPP_PASSWORD={VALUE}x\n", 0o644)
    with caplog.at_level(logging.WARNING):
        loader = SecretLoader(App, sources=[DotEnv(path)])
        loader.reload()
    assert [one.getMessage() for one in caplog.records] == [
        f"{path} is readable by every user of this machine: chmod 600 {path}"
    ]
    note = "its file is readable by every user of this machine: chmod 600"
    assert [one.note for one in loader.report] == [note, note]
    assert VALUE not in caplog.text
    caplog.clear()
    path.chmod(0o600)
    assert [one.note for one in SecretLoader(App, sources=[DotEnv(path)]).report] == [None, None]
    path.chmod(0o644)
    SecretLoader(App, sources=[DotEnv(path, allow_world_readable=True)])
    assert not caplog.records


def test_in_a_worktree_it_is_one_too(tmp_path: Path) -> None:
    """There ``.git`` is a file."""
    write(tmp_path / ".git", "gitdir: elsewhere")
    path = write(tmp_path / ".env", f"APP_TOKEN={VALUE}", 0o644)
    assert DotEnv(path).read([WANTED])


@root_only
@pytest.mark.parametrize("whose", ["file", "checkout"])
def test_a_checkout_of_another_user_is_none(tmp_path: Path, whose: str) -> None:
    """Nor is a file of another user in it tolerated."""
    (tmp_path / ".git").mkdir()
    path = write(tmp_path / ".env", f"APP_TOKEN={VALUE}", 0o644)
    os.chown(path if whose == "file" else tmp_path / ".git", OTHER, OTHER)
    with pytest.raises(SourceError, match="is readable by every user"):
        DotEnv(path).read([WANTED])


def test_a_writable_dotenv_is_refused_in_a_checkout_too(tmp_path: Path) -> None:
    """Who may write to it chooses the secrets."""
    (tmp_path / ".git").mkdir()
    path = write(tmp_path / ".env", f"APP_TOKEN={VALUE}", 0o666)
    with pytest.raises(SourceError, match="can be written to by every user"):
        DotEnv(path).read([WANTED])


#: An access control list as Linux keeps it (linux/posix_acl_xattr.h): the owner, the user `OTHER`,
#: the group, the mask and all others; of each, what it is, what it may do, and who it is.
ACCESS_LIST = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in (
        (1, 6, 2**32 - 1),
        (2, 6, OTHER),
        (4, 0, 2**32 - 1),
        (16, 6, 2**32 - 1),
        (32, 0, 2**32 - 1),
    )
)


@each_reader
@pytest.mark.parametrize("which", ["file", "directory"])
def test_access_control_lists_are_seen(tmp_path: Path, read: Reader, which: str) -> None:
    """Others may write by them, although the group is the owner's own."""
    path = tmp_path / "own" / "file"
    read(path)
    changed = path if which == "file" else path.parent
    try:
        os.setxattr(changed, "system.posix_acl_access", ACCESS_LIST)
    except OSError as error:
        pytest.skip(f"the file system has no access control lists: {error}")
    assert "users of an access control list" in str(read(path))
    changed.chmod(0o700)  # removes the right from all of the list
    assert read(path) is None


@root_only
@each_reader
def test_a_group_without_a_name_is_that_of_a_container(
    tmp_path: Path, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this process is in it, such as Kubernetes' ``fsGroup``; no other."""
    path = tmp_path / "volume" / "file"
    read(path)
    for one in (path.parent, path):
        os.chown(one, 0, OTHER)
    path.chmod(0o660)
    path.parent.chmod(0o2775)
    assert "which a group may write to" in str(read(path))
    monkeypatch.setattr(os, "getgroups", lambda: [OTHER])
    assert read(path) is None
    group = SimpleNamespace(gr_name="staff", gr_mem=[])
    monkeypatch.setattr(grp, "getgrgid", lambda _: group)
    assert "which a group may write to" in str(read(path))


@root_only
def test_volumes_of_kubernetes_are_read(tmp_path: Path) -> None:
    """As the kubelet makes them: a sticky directory that all may write to, a link to the data."""
    volume, data = tmp_path / "volume", tmp_path / "volume" / "..2024_05_01"
    data.mkdir(parents=True)
    write(data / "token", VALUE, 0o440)
    (volume / "..data").symlink_to(data.name)
    (volume / "token").symlink_to("..data/token")
    for one in (volume, data, data / "token"):
        os.chown(one, 0, OTHER)
    data.chmod(0o2755)
    volume.chmod(0o3777)
    found = SecretFiles(volume).read([WANTED])["token"]
    assert isinstance(found, SourceValue)
    assert found.raw == VALUE.encode()
    volume.chmod(0o2777)
    with pytest.raises(SourceError, match="every user of this machine may write to"):
        raise SourceError(str(reason(SecretFiles(volume).read([WANTED])["token"])))


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    """Also by the links that name those of the process."""
    end, other = os.pipe()
    os.mkfifo(tmp_path / "fifo", 0o600)
    try:
        for path in (f"/dev/fd/{end}", f"/proc/self/fd/{end}", tmp_path / "fifo"):
            why = reason(Environment({"APP_TOKEN_FILE": str(path)}).read([WANTED])["token"])
            assert why == "names a file that is not a regular file"
    finally:
        os.close(end)
        os.close(other)
    with write(tmp_path / "file", VALUE).open() as file:
        found = Environment({"APP_TOKEN_FILE": f"/dev/fd/{file.fileno()}"}).read([WANTED])["token"]
    assert isinstance(found, SourceValue)
