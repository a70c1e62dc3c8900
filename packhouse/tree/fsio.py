"""Every system call that changes a stored file, one small function each.

No other module writes, links, renames or unlinks, so that a test can break each call on its own. Callers say
`fsio.link(...)`, never `from ... import link`. What the calls promise on Linux, and the order in which they
must be made, is in `fs.py`.
"""

import ctypes
import errno
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from packhouse.errors import StorageFull, Unavailable

FILE_MODE = 0o644
"""nginx may run as another user: what is served is readable by all."""
DIRECTORY_MODE = 0o755

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_RENAME_NOREPLACE = 1  # linux/fs.h
_numbers = itertools.count(1)


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Turn the operating system's errors into refusals; `what` names the file for the sentence.

    Raises:
        StorageFull: no room, no inode or no quota left.
        Unavailable: anything else (a dying disk, a read-only file system, a symbolic link in the way).
    """
    try:
        yield
    except OSError as error:
        said = error.strerror or type(error).__name__
        if error.errno in _FULL:
            raise StorageFull(
                f"there is no room for {what} ({said}): make room on the disk, then try again"
            ) from error
        raise Unavailable(
            f"the store cannot take or give {what} ({said}): an operator must look at the disk; try again later"
        ) from error


def create(name: str | Path, *, dir_fd: int | None = None, mode: int = 0o600) -> int:
    """Create a file, which without another `mode` nobody else may read; returns its descriptor, open for writing.

    The umask may narrow the mode. Raises FileExistsError where anything, also a dangling symbolic link, has the name.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, mode, dir_fd=dir_fd)


def write(fd: int, body: bytes | memoryview) -> None:
    """Take all of `body`, although the kernel may take less at a time."""
    left = memoryview(body)
    while left:
        left = left[os.write(fd, left) :]


def sync_file(fd: int) -> None:
    """Bring a file's bytes and attributes to stable storage.

    A failure is final: a second fsync may report success for pages that the first one dropped. The caller
    unlinks the file and gives up.
    """
    os.fsync(fd)


def sync_directory(fd: int) -> None:
    """Bring a directory's names to stable storage."""
    os.fsync(fd)


def chmod(fd: int, mode: int) -> None:
    """Set the permission bits, whatever the umask says."""
    os.fchmod(fd, mode)


def set_mtime(fd: int, mtime_s: int) -> None:
    """Set the times to a whole second."""
    os.utime(fd, (mtime_s, mtime_s))


def link(source: str, target: str, *, source_dir: int, target_dir: int) -> None:
    """Give a file a second name; raises FileExistsError, atomically, where the name is taken."""
    os.link(source, target, src_dir_fd=source_dir, dst_dir_fd=target_dir, follow_symlinks=False)


def replace(source: str, target: str, *, source_dir: int, target_dir: int) -> None:
    """Rename over what is there: readers see the old file or the new one."""
    os.replace(source, target, src_dir_fd=source_dir, dst_dir_fd=target_dir)


def rename_absent(source: str, target: str, *, source_dir: int, target_dir: int) -> None:
    """Rename a file or a directory; raises FileExistsError, atomically, where the target is there.

    Plain rename(2) would replace a file, or an empty directory, in silence.
    """
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    if renameat2(source_dir, os.fsencode(source), target_dir, os.fsencode(target), _RENAME_NOREPLACE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), source, None, target)


def unlink(name: str | Path, *, dir_fd: int | None = None) -> None:
    """Remove one name."""
    os.unlink(name, dir_fd=dir_fd)


def mkdir(name: str | Path, *, dir_fd: int | None = None) -> None:
    """Make one directory; the umask may narrow its mode."""
    os.mkdir(name, DIRECTORY_MODE, dir_fd=dir_fd)


def rmdir(name: str, *, dir_fd: int) -> None:
    """Remove one empty directory."""
    os.rmdir(name, dir_fd=dir_fd)


def touch(path: Path) -> None:
    """Set a stamp file's times to now; makes it if it is not there."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        os.utime(fd)
    finally:
        os.close(fd)


def write_atomic(path: Path, body: bytes, mode: int = FILE_MODE) -> None:
    """Write a state file (a generated include, a report): whole and durable, or not at all.

    The temporary file lies beside it under a name that starts with a dot, so that no `*.conf` matches it.

    Raises:
        StorageFull, Unavailable: the file is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{next(_numbers)}")
    with answering(path.name):
        fd = create(temporary)
        try:
            write(fd, body)
            chmod(fd, mode)
            sync_file(fd)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                unlink(temporary)
            raise
        finally:
            os.close(fd)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync_directory(directory)
        finally:
            os.close(directory)
