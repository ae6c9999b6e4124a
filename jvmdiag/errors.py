"""Everything that can go wrong, as one hierarchy; each leaf has its own exit code.

JvmdiagError                     1   (never raised itself)
├── BadRequest                   2   the command line does not make sense
├── MissingExtra                 3   it takes a package that is not installed
├── TargetError
│   ├── NoSuchTarget            10   no container of that name
│   ├── TargetNotRunning        11   the container is stopped, restarting or dead
│   ├── TargetPaused            12   the container is paused
│   └── TargetSilent            13   a command on the target did not end in time
├── ConnectError
│   ├── EngineUnreachable       20   no Docker Engine answers
│   ├── HostKeyUnknown          21   the SSH host is not in known_hosts
│   ├── HostKeyChanged          22   the SSH host's key is not the one in known_hosts
│   ├── AuthenticationFailed    23   no SSH key or password was accepted
│   ├── ConnectionRefused       24   nobody listens there
│   ├── ConnectionTimedOut      25   nobody answers there
│   ├── ConnectionLost          26   it answered, and then no more, or failed
│   ├── SudoRefused             27   sudo wants a password, or says no
│   ├── HostNotFound            28   the name does not resolve
│   └── EngineRefused           29   the Docker Engine, or what stands before it, says no
├── JvmError
│   ├── NoJvm                   30   no JVM there
│   ├── SeveralJvms             31   more than one JVM there: --jvm decides
│   ├── JvmGone                 32   the JVM ended, or its pid is another process now
│   └── JvmHung                 33   the JVM does not answer
├── MethodError
│   ├── NoMethod                40   no rung of the ladder can do it; each says why
│   ├── AttachRefused           41   the JVM or the kernel refuses attach
│   ├── NoImage                 42   the JDK image is not here and cannot be had
│   └── CommandRefused          43   the JVM does not know or refuses the diagnostic command
├── RoomError
│   ├── NoSpaceOnTarget         50   no directory of the target has room for the dump
│   ├── ReadOnlyTarget          51   no directory of the target can be written by the JVM
│   ├── TargetDiskFull          52   the target's disk filled while the JVM was dumping
│   ├── LocalDiskFull           53   the disk of this machine is full
│   ├── OutputExists            54   a file of that name is here already
│   └── NotWritable             55   the output directory of this machine cannot be written
├── IntegrityError
│   ├── DumpIncomplete          60   the JVM did not finish the dump
│   ├── TransferCut             61   the copy ended before the file did
│   ├── VerificationFailed      62   the witnesses disagree
│   ├── NoSuchFile              63   no such file on the target
│   ├── NotADump                64   the file is not what its name says
│   └── SnapshotPartial         65   a snapshot stands, and not all of it could be taken
├── PriceError
│   ├── PauseTooLong            71   the forecast pause is longer than --max-pause
│   ├── WouldBeKilled           72   the dump would get the target killed: its memory limit, its health probe
│   └── DumpUnderWay            73   somebody else is taking a dump of this JVM
├── Declined                    70   not confirmed
├── LeftOnTarget                74   something that a run left is still on a target
├── LoadFailed                  80   the load generator ended, or got no answer
└── Stopped
    ├── Interrupted            130   Ctrl-C
    └── Terminated             143   SIGTERM
"""

from __future__ import annotations

from typing import ClassVar


class JvmdiagError(Exception):
    """What happened, why, and what to do next. `advice` lines are shown one a line."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, why: str = "", advice: tuple[str, ...] | str = ()) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.advice = (advice,) if isinstance(advice, str) else advice

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what


class BadRequest(JvmdiagError):
    """The command line does not make sense."""

    exit_code = 2


class MissingExtra(JvmdiagError):
    """It takes a package that is not installed."""

    exit_code = 3


class TargetError(JvmdiagError):
    """The target itself."""


class NoSuchTarget(TargetError):
    """No container of that name."""

    exit_code = 10


class TargetNotRunning(TargetError):
    """The container is stopped, restarting or dead."""

    exit_code = 11


class TargetPaused(TargetError):
    """The container is paused: the JVM cannot answer."""

    exit_code = 12


class TargetSilent(TargetError):
    """A command on the target did not end in time."""

    exit_code = 13


class ConnectError(JvmdiagError):
    """The way to the target."""


class EngineUnreachable(ConnectError):
    """No Docker Engine answers."""

    exit_code = 20


class HostKeyUnknown(ConnectError):
    """The SSH host is not in known_hosts."""

    exit_code = 21


class HostKeyChanged(ConnectError):
    """The SSH host's key is not the one in known_hosts."""

    exit_code = 22


class AuthenticationFailed(ConnectError):
    """No SSH key or password was accepted."""

    exit_code = 23


class ConnectionRefused(ConnectError):
    """Nobody listens at that address."""

    exit_code = 24


class ConnectionTimedOut(ConnectError):
    """Nobody answers at that address."""

    exit_code = 25


class ConnectionLost(ConnectError):
    """The connection was there and broke, or the engine at its other end failed."""

    exit_code = 26


class SudoRefused(ConnectError):
    """sudo wants a password, or says no."""

    exit_code = 27


class HostNotFound(ConnectError):
    """The host's name does not resolve."""

    exit_code = 28


class EngineRefused(ConnectError):
    """The Docker Engine, or a plugin or proxy before it, refuses what it is asked."""

    exit_code = 29


class JvmError(JvmdiagError):
    """The JVM."""


class NoJvm(JvmError):
    """No JVM there."""

    exit_code = 30


class SeveralJvms(JvmError):
    """More than one JVM matches."""

    exit_code = 31


class JvmGone(JvmError):
    """The JVM ended, or its pid belongs to another process now."""

    exit_code = 32


class JvmHung(JvmError):
    """The JVM does not answer in time."""

    exit_code = 33


class MethodError(JvmdiagError):
    """The way to speak to the JVM."""


class NoMethod(MethodError):
    """No rung of the ladder can do it."""

    exit_code = 40


class AttachRefused(MethodError):
    """The JVM or the kernel refuses attach."""

    exit_code = 41


class NoImage(MethodError):
    """The JDK image is not here and cannot be had."""

    exit_code = 42


class CommandRefused(MethodError):
    """The JVM does not know the diagnostic command, or refuses it."""

    exit_code = 43


class RoomError(JvmdiagError):
    """Room for files, there or here."""


class NoSpaceOnTarget(RoomError):
    """No directory of the target has room for the dump."""

    exit_code = 50


class ReadOnlyTarget(RoomError):
    """No directory of the target can be written by the JVM."""

    exit_code = 51


class TargetDiskFull(RoomError):
    """The target's disk filled while the JVM was dumping."""

    exit_code = 52


class LocalDiskFull(RoomError):
    """The disk of this machine is full."""

    exit_code = 53


class OutputExists(RoomError):
    """A file of that name is here already."""

    exit_code = 54


class NotWritable(RoomError):
    """The output directory of this machine cannot be written."""

    exit_code = 55


class IntegrityError(JvmdiagError):
    """The dump or its copy."""


class DumpIncomplete(IntegrityError):
    """The JVM did not finish the dump."""

    exit_code = 60


class TransferCut(IntegrityError):
    """The copy ended before the file did."""

    exit_code = 61


class VerificationFailed(IntegrityError):
    """The witnesses disagree."""

    exit_code = 62


class NoSuchFile(IntegrityError):
    """No such file."""

    exit_code = 63


class NotADump(IntegrityError):
    """The file is not what its name says."""

    exit_code = 64


class SnapshotPartial(IntegrityError):
    """A snapshot stands, and not all of it could be taken."""

    exit_code = 65


class PriceError(JvmdiagError):
    """What the dump would cost."""


class PauseTooLong(PriceError):
    """The forecast pause is longer than --max-pause."""

    exit_code = 71


class WouldBeKilled(PriceError):
    """The dump would get the target killed: by its memory limit, or by its health probe."""

    exit_code = 72


class DumpUnderWay(PriceError):
    """Somebody else is taking a dump of this JVM."""

    exit_code = 73


class Declined(JvmdiagError):
    """Not confirmed."""

    exit_code = 70


class LeftOnTarget(JvmdiagError):
    """Something that a run left is still on a target."""

    exit_code = 74


class LoadFailed(JvmdiagError):
    """The load generator ended, or got no answer."""

    exit_code = 80


class Stopped(JvmdiagError):
    """Asked to stop."""


class Interrupted(Stopped):
    """Ctrl-C."""

    exit_code = 130


class Terminated(Stopped):
    """SIGTERM."""

    exit_code = 143


class HangUp(KeyboardInterrupt):
    """SIGHUP: the terminal is gone, by a dropped connection more often than by anybody's will."""
