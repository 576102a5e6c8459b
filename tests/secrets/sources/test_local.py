"""The environment, `.env` files and directories, as on real machines."""

import errno
import os
import socket
import stat
import traceback
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import pytest

from mantlet.secrets import (
    DotEnv,
    Environment,
    RejectedValue,
    SecretField,
    SecretFiles,
    SecretSource,
    SourceError,
    SourceValue,
    SystemdCredentials,
)
from mantlet.secrets.sources.source import select_values

VALUE = "kR7-vT2_qX9.mB4w"
WANTED = SecretField("token", "APP_TOKEN", "token", "APP_")


def write(path: Path, data: str | bytes = VALUE, mode: int = 0o600) -> Path:
    """Write a file with the permissions of a secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    path.chmod(mode)
    return path


def found(source: SecretSource, field: SecretField = WANTED) -> SourceValue | RejectedValue | None:
    """Return the result of a source for one field."""
    return source.read([field]).get(field.name)


def value(source: SecretSource, field: SecretField = WANTED) -> str | bytes | None:
    """Return the raw value of a source, if it has one."""
    one = found(source, field)
    assert not isinstance(one, RejectedValue), one
    return None if one is None else one.raw


def fault(source: SecretSource, field: SecretField = WANTED) -> str:
    """Return the reason why a source's value is rejected."""
    one = found(source, field)
    assert isinstance(one, RejectedValue), "there is nothing wrong"
    assert VALUE not in repr(one)
    return one.reason


# -- the environment ------------------------------------------------------------------------------


def test_the_environment_has_values_and_paths_of_files(tmp_path: Path) -> None:
    """``NAME``, or ``NAME_FILE`` as in Docker images."""
    path = write(tmp_path / "token", f"{VALUE}\n")
    assert value(Environment({"APP_TOKEN": VALUE})) == VALUE
    assert value(Environment({"APP_TOKEN_FILE": str(path)})) == VALUE.encode()
    assert value(Environment({"token": VALUE})) is None


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its state at the time of the reading."""
    source = Environment()
    monkeypatch.setenv("APP_TOKEN", VALUE)
    assert value(source) == VALUE


def test_a_name_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    """Their precedence is ambiguous."""
    environ = {"APP_TOKEN": VALUE, "APP_TOKEN_FILE": str(write(tmp_path / "token"))}
    assert fault(Environment(environ)) == "is set, and so is APP_TOKEN_FILE: unset one of them"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing", "names a file that does not exist"),
        ("", "names a file that does not exist"),
        (".", "names a file that is a directory"),
        ("nul\0byte", "names a file that can't be opened: invalid path"),
        ("open", "names a file that is readable by every user of this machine"),
    ],
    ids=["missing", "empty", "directory", "nul", "world-readable"],
)
def test_a_named_file_that_can_not_be_read_is_told(tmp_path: Path, name: str, why: str) -> None:
    """It does not count as missing."""
    write(tmp_path / "open", mode=0o644)
    path = str(tmp_path / name) if name else ""
    assert fault(Environment({"APP_TOKEN_FILE": path})).startswith(why)


def test_the_change_token_of_the_environment_changes(tmp_path: Path) -> None:
    """A variable, or the file that it names; and the token contains no value."""
    path = write(tmp_path / "token")
    environ = {"APP_TOKEN_FILE": str(path)}
    source = Environment(environ)
    tokens = [source.change_token([WANTED])]
    write(path, VALUE[::-1])
    tokens.append(source.change_token([WANTED]))
    del environ["APP_TOKEN_FILE"]
    environ["APP_TOKEN"] = VALUE
    tokens.append(source.change_token([WANTED]))
    assert len(set(tokens)) == 3
    assert VALUE not in repr(tokens)
    assert source.change_token([WANTED]) == tokens[-1]


def test_variables_that_resemble_a_secrets_are_told() -> None:
    """Misspelt names, also of files, but not names with the same beginning."""
    names = ["APP_TOKNE", "APP_TOKEN_FLIE", "APP_TOKEN", "PATH", "APP_SOMETHING"]
    source = Environment(dict.fromkeys(names, VALUE))
    assert list(source.similar_names([WANTED])) == [
        ("APP_TOKEN_FLIE", "APP_TOKEN_FILE"),
        ("APP_TOKNE", "APP_TOKEN"),
    ]


# -- .env -----------------------------------------------------------------------------------------

#: python-dotenv's own grammar: https://saurabh-kumar.com/python-dotenv/#file-format, and the
#: behaviours that its test suite names.
LINES: dict[str, tuple[str, str | None]] = {
    "plain": ("APP_TOKEN=kR7", "kR7"),
    "export": ("export APP_TOKEN=kR7", "kR7"),
    "blanks": ("  APP_TOKEN = kR7  ", "kR7"),
    "single-quoted": ("APP_TOKEN='k R\"7'", 'k R"7'),
    "double-quoted": ('APP_TOKEN="k R\'7"', "k R'7"),
    "escaped": (r'APP_TOKEN="k\tR\"7\\"', 'k\tR"7\\'),
    "not-escaped": (r"APP_TOKEN='k\tR7'", r"k\tR7"),
    "in-lines": ('APP_TOKEN="k\nR7"', "k\nR7"),
    "comment": ("APP_TOKEN=kR7 # not it", "kR7"),
    "hash": ("APP_TOKEN=k#R7", "k#R7"),
    "quoted-hash": ("APP_TOKEN='k # R7'", "k # R7"),
    "equals": ("APP_TOKEN=k=R=7==", "k=R=7=="),
    "dollar": ("APP_TOKEN=k${PATH}R$7$$", "k${PATH}R$7$$"),
    "quoted-dollar": ('APP_TOKEN="k${PATH}"', "k${PATH}"),
    "crlf": ("APP_TOKEN=kR7\r\nOTHER=1\r\n", "kR7"),
    "old-mac": ("APP_TOKEN=kR7\rOTHER=1\r", "kR7"),
    "not-ascii": ("APP_TOKEN=pässwört", "pässwört"),
    "empty": ("APP_TOKEN=", ""),
    "twice": ("APP_TOKEN=old\nAPP_TOKEN=kR7", "kR7"),
    "commented-out": ("#APP_TOKEN=kR7", None),
    "other-case": ("app_token=kR7", None),
    "no-end-of-line": ("OTHER=1\nAPP_TOKEN=kR7", "kR7"),
    "after-blank-lines": ("\n\n\nAPP_TOKEN=kR7\n\n", "kR7"),
    "quoted-name": ("'APP_TOKEN'=kR7", "kR7"),
}


@pytest.mark.parametrize(("text", "expected"), LINES.values(), ids=LINES)
def test_a_dotenv_file_is_read_as_its_parser_does(
    tmp_path: Path, text: str, expected: str | None
) -> None:
    """Except for interpolation: a ``$`` in a password is literal."""
    assert value(DotEnv(write(tmp_path / ".env", text))) == expected


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (f"GOOD=1\nAPP_TOKEN='{VALUE}\nX=2\n", "can't be parsed in line 2: a quote is not closed"),
        (
            f"\n\nGOOD=1\n\nAPP TOKEN={VALUE}\n= 3\n",
            "can't be parsed in lines 5, 6: text follows a name without =; a name is missing",
        ),
        (b"GOOD=1\nAPP_TOKEN=" + VALUE.encode() + b"\xff\n", "is not UTF-8 text in line 2"),
        (b"A=1\nB=\0\n", "is not UTF-8 text in line 2"),
        (b"\xef\xbb\xbfAPP_TOKEN=" + VALUE.encode(), "begins with a byte order mark"),
        (("APP_TOKEN=" + VALUE).encode("utf-16"), "begins with a byte order mark"),
        (b"#" * (1024 * 1024 + 1), "is larger than 1024 KiB"),
    ],
    ids=["quote", "lines", "latin-1", "nul", "bom", "utf-16", "huge"],
)
def test_a_dotenv_file_that_is_none_is_told_by_its_lines(
    tmp_path: Path, data: str | bytes, why: str
) -> None:
    """The error does not show their content."""
    with pytest.raises(SourceError) as told:
        found(DotEnv(write(tmp_path / ".env", data)))
    assert str(told.value).startswith(why)
    assert VALUE not in "".join(traceback.format_exception(told.value))


def test_a_name_without_a_value_is_told(tmp_path: Path) -> None:
    """The parser accepts it, as a shell would."""
    assert fault(DotEnv(write(tmp_path / ".env", "APP_TOKEN\n"))) == "has no value"


def test_a_dotenv_file_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    """As usual in production."""
    source = DotEnv(tmp_path / ".env")
    assert found(source) is None
    before = source.change_token([WANTED])
    write(tmp_path / ".env", f"APP_TOKEN={VALUE}")
    assert source.change_token([WANTED]) != before
    assert value(source) == VALUE


def test_a_dotenv_file_that_all_may_read_is_refused(tmp_path: Path) -> None:
    """Unless an option allows it."""
    path = write(tmp_path / ".env", f"APP_TOKEN={VALUE}", 0o644)
    with pytest.raises(SourceError, match="is readable by every user of this machine: chmod 600"):
        found(DotEnv(path))
    assert value(DotEnv(path, allow_world_readable=True)) == VALUE


def test_a_dotenv_directory_is_told(tmp_path: Path) -> None:
    """Docker creates one in place of a missing mounted file."""
    with pytest.raises(SourceError, match="is a directory"):
        found(DotEnv(tmp_path))


def test_names_in_a_dotenv_file_that_resemble_a_secrets_are_told(tmp_path: Path) -> None:
    """As in the environment."""
    path = write(tmp_path / ".env", "APP_TOKNE=1\nOTHER=2\n")
    assert list(DotEnv(path).similar_names([WANTED])) == [("APP_TOKNE", "APP_TOKEN")]


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected", "note"),
    [
        (b"kR7", b"kR7", None),
        (b"kR7\n", b"kR7", None),
        (b"kR7\n\n", b"kR7\n", None),
        (b"kR7\r\n", b"kR7", "the CR LF at its end is removed"),
        (b" kR7 ", b" kR7 ", None),
        (b"k\xff\x00R7", b"k\xff\x00R7", None),
        (b"", b"", None),
    ],
    ids=["plain", "newline", "two-newlines", "crlf", "blanks", "binary", "empty"],
)
def test_a_file_is_its_bytes_without_the_end_of_its_line(
    tmp_path: Path, data: bytes, expected: bytes, note: str | None
) -> None:
    """Exactly one, as added by editors and ``echo``."""
    write(tmp_path / "token", data)
    one = found(SecretFiles(tmp_path))
    assert isinstance(one, SourceValue)
    assert (one.raw, one.note) == (expected, note)
    assert one.location == str(tmp_path / "token")
    assert one.changed_at == (tmp_path / "token").stat().st_mtime


def test_a_file_may_have_the_name_of_the_variable(tmp_path: Path) -> None:
    """If there is no file with the name of the attribute."""
    write(tmp_path / "APP_TOKEN")
    assert value(SecretFiles(tmp_path)) == VALUE.encode()
    write(tmp_path / "token", "first")
    assert value(SecretFiles(tmp_path)) == b"first"


def test_a_directory_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    """As on a developer's machine."""
    source = SecretFiles(tmp_path / "none")
    assert found(source) is None
    assert source.change_token([WANTED]) is None
    assert list(source.similar_names([WANTED])) == []


def _outside(folder: Path) -> None:
    write(folder / "outside")
    (folder / "in").mkdir()
    (folder / "in" / "token").symlink_to(folder / "outside")


def _up(folder: Path) -> None:
    write(folder / "outside")
    (folder / "in").mkdir()
    (folder / "in" / "token").symlink_to("../outside")


def _up_and_back(folder: Path) -> None:
    write(folder / "in" / "other")
    (folder / "in" / "token").symlink_to("../in/other")


def _loop(folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "in" / "token").symlink_to("other")
    (folder / "in" / "other").symlink_to("token")


def _directory(folder: Path) -> None:
    (folder / "in" / "token").mkdir(parents=True)


def _fifo(folder: Path) -> None:
    (folder / "in").mkdir()
    os.mkfifo(folder / "in" / "token", 0o600)


def _socket(folder: Path) -> None:
    (folder / "in").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "in" / "token"))


def _large(folder: Path) -> None:
    write(folder / "in" / "token", b"x" * (1024 * 1024 + 1))


def _bom(folder: Path) -> None:
    write(folder / "in" / "token", b"\xef\xbb\xbf" + VALUE.encode())


def _open(folder: Path) -> None:
    write(folder / "in" / "token", mode=0o604)


def _dangling_out(folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "in" / "token").symlink_to("/nonexistent/token")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_outside, "is a link that leads out of the directory"),
        (_up, "is a link that leads out of the directory"),
        (_up_and_back, "is a link that leads out of the directory"),
        (_dangling_out, "is a link that leads out of the directory"),
        (_loop, "is a link to itself, or the start of too many links"),
        (_directory, "is a directory"),
        (_fifo, "is not a regular file"),
        (_socket, "can't be opened: No such device or address"),
        (_large, "is larger than 1024 KiB"),
        (_bom, "begins with a byte order mark, which would become part of the secret"),
        (
            _open,
            (
                "is readable by every user of this machine: chmod 600, or set "
                "allow_world_readable=True"
            ),
        ),
    ],
    ids=[
        "link-out",
        "link-up",
        "link-up-and-back",
        "dangling-link-out",
        "looping-link",
        "directory",
        "fifo",
        "socket",
        "huge",
        "bom",
        "world-readable",
    ],
)
def test_a_file_that_can_not_be_a_secrets_is_told(
    tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    """Links out of the directory are not followed, and reading never blocks."""
    make(tmp_path)
    assert fault(SecretFiles(tmp_path / "in")) == why


def test_a_file_that_all_may_read_is_taken_where_that_is_meant(tmp_path: Path) -> None:
    """Docker and Kubernetes create such files by default."""
    write(tmp_path / "token", mode=0o444)
    assert value(SecretFiles(tmp_path, allow_world_readable=True)) == VALUE.encode()


def test_links_within_the_directory_are_followed(tmp_path: Path) -> None:
    """To files and to directories."""
    write(tmp_path / "deep" / "er" / "real")
    (tmp_path / "alias").symlink_to("deep/er")
    (tmp_path / "token").symlink_to("alias/real")
    assert value(SecretFiles(tmp_path)) == VALUE.encode()


@pytest.mark.parametrize(
    ("key", "separator", "path"),
    [
        ("db__password", "__", "db/password"),
        ("a.b.c", ".", "a/b/c"),
        ("db__password", None, "db__password"),
    ],
    ids=["double-underscore", "dots", "none"],
)
def test_directories_further_in_are_named_with_a_separator(
    tmp_path: Path, key: str, separator: str | None, path: str
) -> None:
    """The path is part of the app's configuration."""
    write(tmp_path / path)
    field = SecretField("x", "X", key)
    source = SecretFiles(tmp_path, separator=separator)
    assert value(source, field) == VALUE.encode()
    assert source.location(field) == str(tmp_path / path)


@pytest.mark.parametrize(
    "key", ["../token", "/etc/hostname", "..", ".", "a/b", "..data", "a\0b"], ids=ascii
)
def test_no_name_leads_out_of_the_directory(tmp_path: Path, key: str) -> None:
    """Even though the app itself chooses the names."""
    write(tmp_path / "token")
    write(tmp_path / "in" / "a" / "b")
    assert fault(SecretFiles(tmp_path / "in"), SecretField("x", "X", key)).startswith("has a name")
    source = SecretFiles(tmp_path / "in", separator="__")
    assert fault(source, SecretField("x", "X", f"a__{key}")).startswith("has a name")


def test_a_separator_is_not_empty(tmp_path: Path) -> None:
    """It would separate every letter."""
    with pytest.raises(ValueError, match="separator must not be empty"):
        SecretFiles(tmp_path, separator="")


def test_a_file_in_place_of_the_directory_is_told(tmp_path: Path) -> None:
    """With the message of the operating system."""
    with pytest.raises(SourceError, match="can't be opened: Not a directory"):
        found(SecretFiles(write(tmp_path / "file")))


def test_names_of_files_that_resemble_a_secrets_are_told(tmp_path: Path) -> None:
    """Except for hidden files."""
    for name in ("api_tokne", ".api_tokem", "other", "api_token"):
        write(tmp_path / name)
    wanted = SecretField("api_token", "API_TOKEN", "api_token")
    assert list(SecretFiles(tmp_path).similar_names([wanted])) == [("api_tokne", "api_token")]


def mount(folder: Path, version: str, **values: str) -> None:
    """Replace the secrets in a directory as the kubelet of Kubernetes does.

    See AtomicWriter in its source: a new directory, named by a date; the link ``..data``, renamed
    over the old one; and a link through that for each file.
    """
    inner = folder / f"..{version}"
    for name, text in values.items():
        write(inner / name, text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(inner.name)
    (folder / "..data_tmp").rename(folder / "..data")


def test_kubernetes_directories_are_read_and_tell_a_change(tmp_path: Path) -> None:
    """Through the link to the current state."""
    source = SecretFiles(tmp_path)
    mount(tmp_path, "2026_01_01", token="old")
    before = source.change_token([WANTED])
    assert value(source) == b"old"
    assert source.change_token([WANTED]) == before
    mount(tmp_path, "2026_01_02", token="new")
    assert source.change_token([WANTED]) != before
    assert value(source) == b"new"


def _named_files(folder: Path) -> SecretSource:
    return Environment({f"PART_{index}_FILE": f"{folder}/part_{index}" for index in range(6)})


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("made", [SecretFiles, _named_files], ids=["directory", "named-files"])
def test_an_exchange_at_any_moment_gives_old_or_new_and_never_a_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[Path], SecretSource]
) -> None:
    """The link is replaced before each system call of a reading in turn."""
    names = [f"part_{index}" for index in range(6)]
    fields = [SecretField(name, name.upper(), name) for name in names]
    real_open, real_readlink = os.open, os.readlink
    calls = exchange_at = 0
    seen: set[str] = set()

    def tick() -> None:
        nonlocal calls
        calls += 1
        if calls == exchange_at:
            with monkeypatch.context() as usual:
                usual.setattr(os, "open", real_open)
                usual.setattr(os, "readlink", real_readlink)
                mount(folder, "new", **dict.fromkeys(names, "new"))

    def open_(*args: object, **kwargs: object) -> int:
        tick()
        return real_open(*args, **kwargs)  # type: ignore[arg-type]  # as they were given

    def readlink(path: str, *, dir_fd: int | None = None) -> str:
        tick()
        return real_readlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(os, "readlink", readlink)
    while calls >= exchange_at:
        exchange_at += 1
        folder = tmp_path / f"try_{exchange_at}"
        folder.mkdir()
        calls = -1000  # none of the mount's own
        mount(folder, "old", **dict.fromkeys(names, "old"))
        calls = 0
        read = made(folder).read(fields)
        states = {one.raw for one in read.values() if isinstance(one, SourceValue)}
        assert len(read) == len(names)
        assert len(states) == 1, f"a mix, when exchanged before call {exchange_at}"
        seen.add(str(states.pop()))
    assert seen == {"b'old'", "b'new'"}
    assert exchange_at > 3 * len(names)  # before, while and after they were read


def test_what_is_exchanged_without_end_is_told(tmp_path: Path) -> None:
    """After several attempts it is an error."""
    path = write(tmp_path / ".env", f"APP_TOKEN={VALUE}")
    times = iter(range(1, 100))

    class Restless(DotEnv):
        def change_token(self, fields: Sequence[SecretField]) -> Hashable:
            """Return a new token each time."""
            return next(times)

    with pytest.raises(SourceError, match="kept changing while it was read"):
        Restless(path).read([WANTED])
    assert next(times) == 11


@pytest.mark.parametrize("call", ["dup", "stat", "readlink"])
def test_a_link_that_is_taken_away_meanwhile_is_no_other_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Whichever system call fails, and also without free descriptors."""
    write(tmp_path / "real")
    (tmp_path / "token").symlink_to("real")

    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), VALUE)

    source = SecretFiles(tmp_path)
    monkeypatch.setattr(os, call, fail)
    token, why = source.change_token([WANTED]), fault(source)
    monkeypatch.undo()
    assert why.startswith("can't be opened: ")
    assert source.change_token([WANTED]) != token


def test_a_file_that_can_be_opened_and_not_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a failing disk or an unreachable file server."""

    def fail(*_args: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), VALUE)

    path = write(tmp_path / "token")
    monkeypatch.setattr(os, "fdopen", fail)
    assert fault(SecretFiles(tmp_path)) == "can't be read: Input/output error"
    named = Environment({"APP_TOKEN_FILE": str(path)})
    assert fault(named) == "names a file that can't be read: Input/output error"


# -- systemd --------------------------------------------------------------------------------------


def test_systemd_credentials_are_where_its_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory of mode 0500 with files of mode 0400 (systemd.exec(5), CREDENTIALS)."""
    write(tmp_path / "app.service" / "token", mode=0o400)
    (tmp_path / "app.service").chmod(0o500)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "app.service"))
    source = SystemdCredentials()
    assert value(source) == VALUE.encode()
    assert stat.S_IMODE((tmp_path / "app.service").stat().st_mode) == 0o500
    (tmp_path / "app.service").chmod(0o700)


def test_without_systemd_there_are_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report names the variable."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    source = SystemdCredentials()
    assert found(source) is None
    assert source.change_token([WANTED]) is None
    assert list(source.similar_names([WANTED])) == []
    assert source.location(WANTED) == "$CREDENTIALS_DIRECTORY/token"


def test_a_stores_text_that_is_no_text_is_told() -> None:
    """JSON may contain a lone surrogate; the encoder's error would show the value."""
    found = select_values([WANTED], {"token": f"\ud800{VALUE}"}, "store")
    assert found == {"token": RejectedValue("store token", "is not Unicode text")}
    assert select_values([WANTED], {"token": {"a": 1}}, "store") == {
        "token": SourceValue('{"a": 1}', "store token")
    }
