"""The most memory that this process holds within a context, whatever it held before."""

import contextlib
import dataclasses
import pathlib
import re

_PROCESS = pathlib.Path("/proc/self")


@dataclasses.dataclass
class Growth:
    """kilobytes: by how much the peak was above what was held at the start; known at the end."""

    kilobytes: int | None = None


def _resident(name):
    return int(re.search(rf"^{name}:\s+(\d+) kB", (_PROCESS / "status").read_text(), re.M)[1])


@contextlib.contextmanager
def peak_growth():
    """Gives a `Growth`."""
    # Resets the peak, which is otherwise that of the process's whole life.
    (_PROCESS / "clear_refs").write_text("5")
    before, growth = _resident("VmRSS"), Growth()
    yield growth
    growth.kilobytes = _resident("VmHWM") - before
