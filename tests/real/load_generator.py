"""Requests at a constant rate, and a line for each that ended: python load_generator.py PORT PATH RATE SECONDS.

A line is the Unix time of its end, how long it took, and its status; 0 where it failed. Each of the workers asks
over a connection of its own and keeps its pace; while the server stands still, it waits.
"""

from __future__ import annotations

import http.client
import os
import sys
import threading
import time

WORKERS = 4


def work(port: int, path: str, every_s: float, first_s: float, until_s: float) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    due = first_s
    while due < until_s:
        time.sleep(max(due - time.monotonic(), 0))
        begun = time.monotonic()
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, http.client.HTTPException):
            connection.close()
            status = 0
        # One write: lines of several threads do not mix.
        os.write(1, f"{time.time():.4f} {time.monotonic() - begun:.4f} {status}\n".encode())
        # What was missed while the server stood still is not made up for.
        due = max(due + every_s, time.monotonic())


def main(port: int, path: str, rate: float, seconds: float) -> None:
    begin, every_s = time.monotonic(), WORKERS / rate
    workers = [
        threading.Thread(target=work, args=(port, path, every_s, begin + n / rate, begin + seconds))
        for n in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
