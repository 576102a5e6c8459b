"""Open files in such a way that no other user can have chosen their content.

Whoever may write to a file, or to a directory on the way to it, chooses the app's secrets or keys.
So each step of a path is opened without following links and checked as it was opened: nothing can
be replaced between the check and the use.

Other users are all but the owners of the files and directories themselves. A group is trusted if
it is the owner's private one, as user accounts have it, or that of root, or has no name and this
process is in it, as in containers. In a directory with the
sticky bit, such as ``/tmp``, only what belongs to its owner, to root or to this user is trusted.

On Windows nothing is checked: Python can't read the access control lists of files there.
"""

import errno
import os
import re
import stat
from typing import Final

__all__ = [
    "HAS_OWNERS",
    "READ_FLAGS",
    "UnreadableFile",
    "check_replaceable",
    "is_world_readable",
    "open_step",
    "open_trusted",
    "writers",
]

#: Whether files have owners and permissions here, and can be opened within a directory.
HAS_OWNERS: Final = hasattr(os, "geteuid")


def _flags(*names: str) -> int:
    """Return the flags of ``os.open()`` that this system has."""
    return sum(getattr(os, name, 0) for name in names)


#: To read a file. Opening must not block, as it would for a FIFO or a terminal.
READ_FLAGS: Final = _flags("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")

#: The maximum number of links followed on one path: that of Linux.
_MAX_LINKS: Final = 40
#: The target of a link to a pipe or a socket, such as ``/dev/stdin``.
_PIPE: Final = re.compile(r"[a-z]+:\[")
#: To pass through a directory, permission to search it suffices.
_DIRECTORY_FLAGS: Final = _flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC", "O_NOFOLLOW")


class UnreadableFile(Exception):
    """A file can't be used. The message is a line of the report."""


def writers(file: int) -> str | None:
    """Return which other users may write to an open file or directory."""
    if not HAS_OWNERS:
        return None
    status = os.fstat(file)
    if status.st_mode & stat.S_IWOTH:
        return "every user of this machine"
    if not status.st_mode & stat.S_IWGRP:
        return None  # nor may anyone else: this bit is the mask of an access control list
    if not _is_private(status.st_gid, status.st_uid):
        return "a group"
    return "users of an access control list" if _has_acl(file) else None


def is_world_readable(status: os.stat_result) -> bool:
    """Return whether every user of the machine can read a file."""
    return HAS_OWNERS and bool(status.st_mode & stat.S_IROTH)


def _is_private(group: int, owner: int) -> bool:
    """Return whether no other user is in a group.

    It is root's; or its owner's, with no other member; or one of this process without a name, such
    as those of containers.
    """
    import grp  # Windows has neither
    import pwd

    if group == 0:
        return True
    try:
        found = grp.getgrgid(group)
    except KeyError:
        return group in (os.getegid(), *os.getgroups())
    try:
        user = pwd.getpwuid(owner)
    except KeyError:
        return False
    return (
        user.pw_gid == group
        and found.gr_name == user.pw_name
        and (set(found.gr_mem) <= {user.pw_name})
    )


def _has_acl(file: int) -> bool:
    """Return whether an open file or directory has an access control list, or may have one."""
    if not hasattr(os, "getxattr"):
        return False  # of macOS, which has no such lists
    try:
        # By this path, since one that is open for its path alone has no attributes.
        return bool(os.getxattr(f"/proc/self/fd/{file}", "system.posix_acl_access"))
    except OSError as error:
        return error.errno not in (errno.ENODATA, errno.ENOTSUP)


def open_step(name: str, flags: int, parent: int, path: str) -> int:
    """Open a file or a directory within an open directory, unless it is a link.

    Args:
        name: the name within the directory.
        flags: those of ``os.open()``.
        parent: the descriptor of the directory.
        path: the path of the directory, for the error.

    Raises:
        OSError: it can't be opened; of ``ELOOP`` or ``ENOTDIR`` if it is a link.
        UnreadableFile: another user may have put it there.
    """
    opened = os.open(name, flags | os.O_NOFOLLOW, dir_fd=parent)
    try:
        check_replaceable(parent, os.fstat(opened), path)
    except BaseException:
        os.close(opened)
        raise
    return opened


def check_replaceable(parent: int, inner: os.stat_result, path: str) -> None:
    """Check that no other user can have put a file into an open directory.

    Raises:
        UnreadableFile: one can.
    """
    others = writers(parent)
    if others is None:
        return
    status = os.fstat(parent)
    if not status.st_mode & stat.S_ISVTX:
        raise UnreadableFile(f"is below {path}, which {others} may write to: chmod go-w {path}")
    if inner.st_uid not in (os.geteuid(), 0, status.st_uid):
        raise UnreadableFile(
            f"belongs to another user, in {path}, which {others} may write to: "
            "move it to a directory of your own"
        )


def open_trusted(path: str, flags: int) -> int:
    """Open a file or a directory by a path, following links whose way is trusted as well.

    Args:
        path: the path.
        flags: those of ``os.open()``.

    Returns:
        The descriptor.

    Raises:
        OSError: it can't be opened.
        ValueError: the path has a NUL character.
        UnreadableFile: other users may replace it, or something on the way to it.
    """
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if not HAS_OWNERS:
        return os.open(path, flags)
    # Without `os.path.abspath()`, which removes ".." after a link.
    absolute = path if path.startswith("/") else f"{os.getcwd()}/{path}"  # noqa: PTH109  # text
    return _Walk(flags).run(absolute)


class _Walk:
    """A walk from the root to a file."""

    def __init__(self, flags: int) -> None:
        self._flags = flags
        #: The open directories on the way, and their names: ``..`` goes back.
        self._way: list[tuple[int, str]] = []
        self._links = 0

    def run(self, path: str) -> int:
        """Return the descriptor of a file by its absolute path."""
        self._way = [(os.open("/", _DIRECTORY_FLAGS), "")]
        try:
            pending = _parts(path)
            while pending:
                opened = self._step(pending.pop(), pending)
                if opened is not None:
                    return opened
            # The path of a directory that is open already, such as "/".
            return os.open(".", self._flags, dir_fd=self._way[-1][0])
        finally:
            for descriptor, _ in self._way:
                os.close(descriptor)

    def _step(self, part: str, pending: list[str]) -> int | None:
        """Go on to a part of the path; return its descriptor if it is the last."""
        here = self._way[-1][0]
        if part == "..":
            if len(self._way) > 1:
                os.close(self._way.pop()[0])
            return None
        flags = _DIRECTORY_FLAGS if pending else self._flags
        try:
            opened = open_step(part, flags, here, self._shown())
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            self._follow(part, pending, error)
            return None
        if not pending:
            return opened
        self._way.append((opened, part))
        return None

    def _follow(self, part: str, pending: list[str], error: OSError) -> None:
        """Continue at the target of a link."""
        here = self._way[-1][0]
        status = os.stat(part, dir_fd=here, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            raise error
        check_replaceable(here, status, self._shown())
        self._links += 1
        if self._links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = os.readlink(part, dir_fd=here)
        if _PIPE.match(target):
            raise UnreadableFile("is not a regular file")
        if target.startswith("/"):
            while len(self._way) > 1:
                os.close(self._way.pop()[0])
        pending += _parts(target)

    def _shown(self) -> str:
        return "/".join(name for _, name in self._way) or "/"


def _parts(path: str) -> list[str]:
    """Return the parts of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
