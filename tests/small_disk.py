"""Runs a Python file in whose eyes a directory is a disk of its own, and prints what it left there.

  python small_disk.py DIRECTORY SIZE LISTED FILE ARGUMENT ...

SIZE is such as "4m"; LISTED is a directory on the disk, whose names are printed in a last line.
"""

import ctypes
import os
import pathlib
import runpy
import sys

# Of <sched.h> and <sys/mount.h>.
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000

libc = ctypes.CDLL(None, use_errno=True)


def checked(status):
    if status:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(directory, size):
    """Mounts a disk that this process alone sees, and that ends with it."""
    user, group = os.geteuid(), os.getegid()
    checked(libc.unshare(CLONE_NEWNS | CLONE_NEWUSER))
    own = pathlib.Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"0 {user} 1")
    (own / "gid_map").write_text(f"0 {group} 1")
    checked(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    options = f"size={size}".encode()
    checked(libc.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", 0, options))


def main(directory, size, listed, path, *arguments):
    mount(directory, size)
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(pathlib.Path(path).parent))
    try:
        runpy.run_path(path, run_name="__main__")
    finally:
        print(sorted(os.listdir(listed)) if os.path.isdir(listed) else [])


if __name__ == "__main__":
    main(*sys.argv[1:])
