"""Files of one form, in memory and on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mantlet.guard.bodies.forms.uploads import FileSpool, UploadedFile

if TYPE_CHECKING:
    from tempfile import SpooledTemporaryFile


def on_disk(file: SpooledTemporaryFile[bytes]) -> bool:
    return file._rolled  # type: ignore[attr-defined,no-any-return]  # there is no other way to see it


def test_all_files_together_keep_to_the_memory() -> None:
    """A file goes to disk as soon as all of them would have more in memory than they may."""
    spool = FileSpool(10)
    a, b, c = spool.open(), spool.open(), spool.open()
    spool.write(a, b"123456")
    spool.write(b, b"1234")
    assert not on_disk(a)
    assert not on_disk(b)
    spool.write(b, b"5")
    assert not on_disk(a)
    assert on_disk(b)
    spool.write(c, b"1234")
    assert not on_disk(c)
    spool.write(b, b"6" * 100)
    spool.write(a, b"7")
    assert on_disk(a)
    for file, content in ((a, b"1234567"), (b, b"12345" + b"6" * 100), (c, b"1234")):
        file.seek(0)
        assert file.read() == content
    spool.close()
    assert a.closed
    assert b.closed
    assert c.closed


def test_a_dropped_file_gives_its_memory_back() -> None:
    """What is not kept takes no room from what is."""
    spool = FileSpool(4)
    a = spool.open()
    spool.write(a, b"1234")
    spool.drop(a)
    b = spool.open()
    spool.write(b, b"5678")
    assert a.closed
    assert not on_disk(b)
    spool.write(b, b"9")
    spool.drop(b)
    spool.close()
    assert b.closed


def test_a_file_says_nothing_of_its_client_when_it_is_shown() -> None:
    """A name and a declared type are the client's, and don't get into logs."""
    spool = FileSpool(4)
    file = UploadedFile(
        name="secret", content_type="x/secret", detected_type=None, size=2, file=spool.open()
    )
    file.file.write(b"ab")
    file.file.seek(0)
    assert repr(file) == "<UploadedFile None 2 bytes>"
    assert file.read(1) + file.read() == b"ab"
    file.close()
    file.close()
    assert file.file.closed
    spool.close()
