"""Which processor this is: a figure about speed means nothing without it."""

import os
import pathlib
import platform

_CPU_INFO = pathlib.Path("/proc/cpuinfo")
_CORES = pathlib.Path("/sys/devices/system/cpu")

# Operations of a core in a cycle by what it has, the widest first: two units that multiply and add
# vectors (Haswell, Zen 2 and later), or tiles.
_FLOAT32 = {"avx512f": 64, "fma": 32}
_PER_CYCLE = {
    "float32": _FLOAT32,
    "mixed_bfloat16": {"amx_bf16": 2048, "avx512_bf16": 128, **_FLOAT32},
    "float64": {"avx512f": 32, "fma": 16},
}


def _cpu_info(field: str) -> str:
    """The first value of a field of /proc/cpuinfo, or nothing where there is no such file."""
    lines = _CPU_INFO.read_text().splitlines() if _CPU_INFO.exists() else []
    values = [line.partition(":")[2].strip() for line in lines if line.startswith(field)]
    return values[0] if values else ""


def usable_processors() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """Number of processors that this process may use and their model, such as "2 x AMD EPYC"."""
    model = _cpu_info("model name") or platform.processor() or "unknown processor"
    return f"{usable_processors()} x {model}"


def cpu_flags() -> set[str]:
    """What the processor can do, a set of names such as "avx2"; empty where it does not say."""
    return set(_cpu_info("flags").split())


def peak_operations(dtype: str) -> float | None:
    """Floating point operations per second that this process can do at most; None: unknown.

    Of each core those of its widest instructions, at the frequency that the system names.

    Args:
      dtype: name of the precision.
    """
    per_cycle = next((n for flag, n in _PER_CYCLE[dtype].items() if flag in cpu_flags()), None)
    megahertz = _cpu_info("cpu MHz")
    if per_cycle is None or not megahertz:
        return None
    return _usable_cores() * float(megahertz) * 1e6 * per_cycle


def _usable_cores() -> int:
    """Number of cores that this process may use: two processors may be one."""
    if not hasattr(os, "sched_getaffinity"):
        return usable_processors()
    paths = [_CORES / f"cpu{number}/topology/core_cpus_list" for number in os.sched_getaffinity(0)]
    return len({path.read_text() if path.exists() else path for path in paths})


def bfloat16_instructions() -> list[str]:
    """Those of the processor that multiply bfloat16: "amx_bf16", "avx512_bf16", both or none."""
    return [name for name in ("amx_bf16", "avx512_bf16") if name in cpu_flags()]
