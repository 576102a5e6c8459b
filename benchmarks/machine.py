"""What the results say of the machine that they are from: nothing that names it."""

import os
import platform
from pathlib import Path


def machine() -> dict[str, str | int]:
    """Return the processor, its cores, the operating system and the Python."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "system": _system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


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
