"""The processor time of processes, in user mode and in the kernel, as Linux counts it."""

from pathlib import Path

_PROC = Path("/proc")


def cpu_ns(pid: int) -> int:
    """Return the nanoseconds that a process and its descendants have run, all threads of theirs."""
    return sum(_own_ns(one) for one in _tree(pid))


def _tree(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, ())
    return found


def _own_ns(pid: int) -> int:
    # The ticks of stat are of 10 ms; the scheduler counts nanoseconds.
    total = 0
    for task in (_PROC / str(pid) / "task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total
