"""Runs one command and writes down what it took: clock.py RESULT COMMAND...

A program of its own, and a small one: a process starts with the peak memory of the one that forked it,
so below a larger program every command would seem to need as much as that.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    result, *argv = sys.argv[1:]
    started = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, os.environ)
    _, status, used = os.wait4(pid, 0)
    took = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "seconds": time.perf_counter() - started,
        "cpu_s": used.ru_utime + used.ru_stime,
        # The largest of the process and of those that it waited for; Linux counts in KiB.
        "peak_rss_bytes": used.ru_maxrss * 1024,
    }
    with open(result, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would make it larger
        json.dump(took, file)


if __name__ == "__main__":
    main()
