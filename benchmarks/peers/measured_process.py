"""Runs a command and measures what a user pays for it: wall-clock time and peak resident memory."""

import dataclasses
import pathlib
import subprocess
import time


@dataclasses.dataclass
class Cost:
    seconds: float
    peak_mib: float
    code: int
    log: str


def peak_mib(process_id):
    """VmHWM of a running process; the figure of wait4 would include the parent's at the fork."""
    try:
        for line in (
            pathlib.Path(f"/proc/{process_id}/status").read_text(encoding="ascii").split("\n")
        ):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def run(command, log_file):
    start = time.monotonic()
    peak = 0.0
    with open(log_file, "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, peak_mib(process.pid))
            time.sleep(0.01)
    seconds = time.monotonic() - start
    tail = (
        pathlib.Path(log_file)
        .read_text(encoding="utf-8", errors="replace")
        .strip()
        .split("\n")[-1]
    )
    return Cost(seconds, peak, process.returncode, tail)
