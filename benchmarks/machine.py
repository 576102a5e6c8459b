"""What the results say of the machine that they are from: nothing that names it."""

import os
import platform
import resource
import sys
from pathlib import Path


def machine() -> dict[str, str | int]:
    """Return the processor, its cores, the operating system and the Python."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "system": _system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def most_memory() -> int:
    """Return the most bytes that this process has had in memory since its program began.

    Linux's ``ru_maxrss`` goes on from the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return f"{platform.system()} {platform.release()}"
