"""What of a process survives a power cut: its flushes and renames, as the kernel was asked for."""

import os


def recorded(monkeypatch):
    """The calls of fsync, rename and replace from now on, which are made, too.

    Returns:
      A list of ("fsync", path, bytes) and ("rename", path, new path), in order; os.replace is a
      rename. Of a directory there are no bytes: None.
    """
    calls, fsync, rename, replace = [], os.fsync, os.rename, os.replace

    def flush(descriptor):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        calls.append(("fsync", path, None if os.path.isdir(path) else os.path.getsize(path)))
        fsync(descriptor)

    def renamed(call):
        def move(source, target, **options):
            calls.append(("rename", str(source), str(target)))
            call(source, target, **options)

        return move

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "rename", renamed(rename))
    monkeypatch.setattr(os, "replace", renamed(replace))
    return calls
