"""HotSpot's attach protocol, client side; needs nothing but a Python 3 of any age.

It is imported here, and fed to a python3 beside the JVM elsewhere:
    python3 - PID START_TICKS TIMEOUT_S OPERATION [ARGUMENT]...
Exit codes: 0 the reply is on stdout (its first line is the JVM's result code), else see Refusal.
Source: attachListener_posix.cpp (HotSpot 8 to 25); speak.pl is the same in Perl.
"""

import contextlib
import os
import signal
import socket
import sys
import time

FORBIDDEN, NO_TMP, SILENT, HUNG, GONE, UNSAFE = 3, 4, 5, 6, 7, 8
_POLL_S = 0.01
_LISTEN_S = 5.0
_LINKS = 100


class Refusal(Exception):
    """Why it did not come to an answer: `code` is one of the numbers above."""

    def __init__(self, code, why):
        # type: (int, str) -> None
        super(Refusal, self).__init__(why)
        self.code = code


def speak(pid, start_ticks, timeout_s, operation, arguments):
    # type: (int, int, float, str, list[str]) -> bytes
    """The reply to one operation: the result code, a newline, and the text, read to its end.

    The reply is held in memory, so whoever takes it slowly does not hold up the JVM.
    """
    nspid = _check(pid, start_ticks)
    path = "%s/.java_pid%d" % (_tmp(pid), nspid)
    try:
        if not os.path.exists(path):
            _wake(pid, nspid, path)
        # From 24 on a JVM may stream its reply from inside the safepoint; it says so when asked.
        if b"streaming" in _ask(path, timeout_s, "getversion", ["options"]):
            operation += " streaming=0"
        reply = _ask(path, timeout_s, operation, arguments)
    except PermissionError as error:
        raise Refusal(FORBIDDEN, "the kernel refuses: %s" % error)
    except socket.timeout:
        raise Refusal(HUNG, "the JVM took the command and did not answer within %g s" % timeout_s)
    except (FileNotFoundError, ProcessLookupError, ConnectionError) as error:
        raise Refusal(GONE, "the JVM no longer listens: %s" % error)
    if not reply:
        raise Refusal(GONE, "the JVM closed the connection without an answer")
    return reply


def _check(pid, start_ticks):
    # type: (int, int) -> int
    """Its own pid, once it is sure that this is the process that is meant."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            if int(stat.read().rpartition(")")[2].split()[19]) != start_ticks:
                raise Refusal(GONE, "pid %d is another process now" % pid)
        with open("/proc/%d/status" % pid) as status:
            for line in status:
                if line.startswith("NSpid:"):
                    return int(line.split()[-1])
    except (FileNotFoundError, ProcessLookupError):
        raise Refusal(GONE, "there is no process %d any more" % pid)
    return pid


def _wake(pid, nspid, path):
    # type: (int, int, str) -> None
    """Make the JVM open its socket: a trigger file, then SIGQUIT."""
    trigger = _trigger(pid, nspid)
    try:
        # Without a handler SIGQUIT ends the process; a JVM with -Xrs or one just starting has none.
        if not _catches_quit(pid):
            raise Refusal(UNSAFE, "SIGQUIT would not be caught by process %d (-Xrs, or still starting)" % pid)
        os.kill(pid, signal.SIGQUIT)
        until = time.time() + _LISTEN_S
        while not os.path.exists(path):
            if time.time() > until:
                raise Refusal(SILENT, "the JVM did not open its socket within %g s" % _LISTEN_S)
            time.sleep(_POLL_S)
    finally:
        # Another client of the same moment may have removed it: both made the same name.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(trigger)


def _tmp(pid):
    # type: (int) -> str
    """The JVM's /tmp. A link on the way would lead out of the JVM's root, into ours: each is followed inside."""
    root, done, left = "/proc/%d/root" % pid, "", ["tmp"]
    for _ in range(_LINKS):
        if not left:
            break
        part = left.pop(0)
        if part == "..":
            done = done.rpartition("/")[0]
        elif os.path.islink("%s%s/%s" % (root, done, part)):
            link = os.readlink("%s%s/%s" % (root, done, part))
            done = "" if link.startswith("/") else done
            left = link.split("/") + left
        elif part not in ("", "."):
            done += "/" + part
    return root + done


def _trigger(pid, nspid):
    # type: (int, int) -> str
    failed = []
    for directory in (_tmp(pid), "/proc/%d/cwd" % pid):
        path = "%s/.attach_pid%d" % (directory, nspid)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600))
            return path
        except OSError as error:
            failed.append(error)
    if any(
        isinstance(error, PermissionError) and not os.path.isdir(os.path.dirname(path)) for error in failed
    ):
        raise failed[0]
    raise Refusal(NO_TMP, "neither /tmp nor its working directory can be written: %s" % failed[0])


def _catches_quit(pid):
    # type: (int) -> bool
    with open("/proc/%d/status" % pid) as status:
        for line in status:
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) & (1 << (signal.SIGQUIT - 1)))
    return False


def _ask(path, timeout_s, operation, arguments):
    # type: (str, float, str, list[str]) -> bytes
    """One operation, one connection. Version 1 of the protocol takes exactly three arguments."""
    words = ["1", operation] + (arguments + ["", "", ""])[:3]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout_s)
        client.connect(path)
        client.sendall(b"".join(word.encode() + b"\0" for word in words))
        chunks = []  # type: list[bytes]
        while True:
            chunk = client.recv(1 << 16)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)


def main(argv):
    # type: (list[str]) -> int
    # The trigger file is removed by a finally clause, which a signal would skip.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        reply = speak(int(argv[0]), int(argv[1]), float(argv[2]), argv[3], argv[4:])
    except Refusal as refusal:
        sys.stderr.write("%s\n" % refusal)
        return refusal.code
    sys.stdout.buffer.write(reply)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
