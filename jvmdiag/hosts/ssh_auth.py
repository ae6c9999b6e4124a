"""Logging in: agent, key files, then what a person types, in the order that costs the fewest tries."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import paramiko

from jvmdiag.errors import AuthenticationFailed, ConnectionLost
from jvmdiag.hosts.known_hosts import HostKey
from jvmdiag.hosts.ssh_config import Hop
from jvmdiag.hosts.ssh_options import Ask, SshOptions

# NumberOfPasswordPrompts of ssh.
_PROMPTS = 3
# sshd gives up on a login after LoginGraceTime, 120 s by default.
_TYPING_S = 110.0
_KEY_CLASSES: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass
class Login:
    """One login under way: what the server still takes, and what was tried, for the message."""

    transport: paramiko.Transport
    hop: Hop
    ask: Ask | None
    allowed: tuple[str, ...] = ()
    tried: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)

    def attempt(self, label: str, way: Callable[[], list[str]]) -> bool:
        """Try one way in; True once we are in. Raises AuthenticationFailed where the server hung up."""
        try:
            further = way()
        except paramiko.BadAuthenticationType as error:
            self.allowed = tuple(error.allowed_types)
        except paramiko.SSHException as error:
            self.tried.append(label)
            if not self.transport.is_active():
                raise self._hung_up(error) from None
            # What a refused key leaves behind names the methods too, but paramiko keeps it to itself.
        else:
            if not further or self.transport.is_authenticated():
                return True
            self.tried.append(f"{label} (accepted, and not enough)")
            self.allowed = tuple(further)
        return False

    def _hung_up(self, error: Exception) -> AuthenticationFailed:
        failed = self.failure()
        failed.why = f"the server hung up after {len(self.tried)} tries; {failed.why}"
        failed.advice = (
            "too many keys? name the right one: IdentityFile with IdentitiesOnly yes in ~/.ssh/config",
        )
        failed.__context__ = error
        return failed

    def failure(self) -> AuthenticationFailed:
        """What was tried and what the server allows, as which user."""
        why = [f"tried: {', '.join(self.tried) or 'nothing, there is no key and no agent'}"]
        if self.passed:
            why.append(f"not tried: {', '.join(self.passed)}")
        why.append(f"the server takes for {self.hop.user}: {', '.join(self.allowed) or 'unknown'}")
        return AuthenticationFailed(
            f"{self.hop.address} does not let us in",
            why="; ".join(why),
            advice=(
                f"see what ssh does: ssh -v -p {self.hop.port} {self.hop.user}@{self.hop.host} true",
                "put the key into the agent (ssh-add KEY), or name it as IdentityFile in ~/.ssh/config",
                "another user? ssh://USER@HOST, or User in ~/.ssh/config",
            ),
        )


def authenticate(transport: paramiko.Transport, hop: Hop, options: SshOptions) -> None:
    """Log in as hop.user. Raises AuthenticationFailed with everything that was tried."""
    login = Login(transport, hop, options.ask)
    transport.auth_timeout = _TYPING_S
    if login.attempt("none", lambda: transport.auth_none(hop.user)):
        return
    if not login.allowed and not transport.is_active():
        raise ConnectionLost(f"{hop.address} closed the connection before the login")
    with contextlib.closing(_Keys(hop, options)) as keys:
        if _by_key(login, keys) or _by_typing(login):
            return
    raise login.failure()


def _by_key(login: Login, keys: _Keys) -> bool:
    for label, load in keys:
        if "publickey" not in login.allowed:
            return False
        key = load(login)
        if key is not None and login.attempt(
            label, partial(login.transport.auth_publickey, login.hop.user, key)
        ):
            return True
    return False


def _by_typing(login: Login) -> bool:
    if login.ask is None:
        wanted = [way for way in ("keyboard-interactive", "password") if way in login.allowed]
        login.passed += [f"{way} (there is no terminal to ask on)" for way in wanted]
        return False
    try:
        return _by_answers(login, login.ask) or _by_password(login, login.ask)
    except EOFError:
        # Ctrl-D at the prompt.
        login.passed.append("a password (none was typed)")
        return False


def _by_answers(login: Login, ask: Ask) -> bool:
    for _ in range(_PROMPTS):
        if "keyboard-interactive" not in login.allowed:
            break
        answers = _Answers(ask, login.hop.address)
        if login.attempt("keyboard-interactive", partial(answers.run, login.transport, login.hop.user)):
            return True
        if not answers.asked:
            break
    return False


def _by_password(login: Login, ask: Ask) -> bool:
    send = partial(login.transport.auth_password, login.hop.user, fallback=False)
    for _ in range(_PROMPTS):
        if "password" not in login.allowed:
            break
        password = ask(f"Password of {login.hop.address}: ")
        if login.attempt("password", partial(send, password)):
            return True
    return False


class _Answers:
    """keyboard-interactive, asked in the caller's thread: paramiko asks from the thread that reads packets,
    where Ctrl-C would leave the terminal without echo."""

    def __init__(self, ask: Ask, address: str) -> None:
        self._ask = ask
        self._address = address
        self._prompts: queue.Queue[str | None] = queue.Queue()
        self._replies: queue.Queue[str | None] = queue.Queue()
        self._outcome: list[str] | BaseException = []
        self.asked = False

    def run(self, transport: paramiko.Transport, user: str) -> list[str]:
        worker = threading.Thread(target=self._authenticate, args=(transport, user), daemon=True)
        worker.start()
        while (prompt := self._prompts.get()) is not None:
            self.asked = True
            try:
                self._replies.put(self._ask(prompt))
            except BaseException:
                self._replies.put(None)
                raise
        worker.join()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def _authenticate(self, transport: paramiko.Transport, user: str) -> None:
        try:
            self._outcome = transport.auth_interactive(user, self._answer)
        except Exception as error:  # noqa: BLE001 - it is raised again by run, in the caller's thread
            self._outcome = error
        finally:
            self._prompts.put(None)

    def _answer(self, title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        answers = []
        for text, _ in prompts:
            self._prompts.put(f"({self._address}) {text}")
            reply = self._replies.get(timeout=_TYPING_S)
            if reply is None:
                # An empty answer would be a wrong one, and some hosts count those.
                raise EOFError("nothing was typed")
            answers.append(reply)
        return answers


_Load = Callable[[Login], "paramiko.PKey | None"]


class _Keys:
    """The keys to offer, the likeliest first: sshd counts each against MaxAuthTries (6).

    Keys of the agent that the configuration names, then the named files that need no passphrase, then the
    rest of the agent, then what is asked for.
    """

    def __init__(self, hop: Hop, options: SshOptions) -> None:
        self._agent = paramiko.Agent() if hop.use_agent else None
        held = self._agent.get_keys() if self._agent else ()
        files = (*options.identity_files, *hop.identity_files)
        self._named = [path.expanduser() for path in dict.fromkeys(files)]
        self._defaults = hop.identity_files_are_defaults and not options.identity_files
        public = {blob for path in self._named if (blob := _public_blob(path))}
        self._first = [key for key in held if key.asbytes() in public]
        others = [] if hop.identities_only else [key for key in held if key.asbytes() not in public]
        self._others: list[paramiko.PKey] = list(others)

    def close(self) -> None:
        if self._agent is not None:
            self._agent.close()

    def __iter__(self) -> Iterator[tuple[str, _Load]]:
        agent_blobs = {key.asbytes() for key in self._first}
        files = [path for path in self._named if path.exists() and _public_blob(path) not in agent_blobs]
        open_files = [path for path in files if not _encrypted(path)]
        locked = [path for path in files if path not in open_files]
        missing = [path for path in self._named if not path.exists() and not self._defaults]
        yield from (_of_agent(key) for key in self._first)
        yield from (_of_file(path) for path in open_files)
        yield from (_of_agent(key) for key in self._others)
        yield from (_of_locked_file(path) for path in locked)
        yield from (_of_nothing(path) for path in missing)


def _of_agent(key: paramiko.PKey) -> tuple[str, _Load]:
    comment = getattr(key, "comment", "") or "no comment"
    shown = HostKey(key.get_name(), key.asbytes())
    return f"agent key {shown} ({comment})", lambda _: key


def _of_nothing(path: Path) -> tuple[str, _Load]:
    def load(login: Login) -> None:
        login.passed.append(f"{path} (no such file)")

    return f"key {path}", load


def _of_file(path: Path) -> tuple[str, _Load]:
    def load(login: Login) -> paramiko.PKey | None:
        try:
            return load_key(path, None)
        except (paramiko.SSHException, OSError) as error:
            login.passed.append(f"{path} ({error})")
            return None

    return f"key {path}", load


def _of_locked_file(path: Path) -> tuple[str, _Load]:
    def load(login: Login) -> paramiko.PKey | None:
        if login.ask is None:
            login.passed.append(f"{path} (it needs a passphrase and there is no terminal to ask on)")
            return None
        for _ in range(_PROMPTS):
            try:
                return load_key(path, login.ask(f"Passphrase of {path}: "))
            except EOFError:
                login.passed.append(f"{path} (no passphrase was typed)")
                return None
            except paramiko.SSHException:
                continue
        login.passed.append(f"{path} (the passphrase is wrong)")
        return None

    return f"key {path}", load


def load_key(path: Path, passphrase: str | None) -> paramiko.PKey:
    """The private key in `path`, with the certificate beside it where there is one.

    Raises PasswordRequiredException, or SSHException for a wrong passphrase or a file that is no key.
    """
    why: Exception | None = None
    for kind in _KEY_CLASSES:
        try:
            key = kind.from_private_key_file(str(path), passphrase)
        except (paramiko.PasswordRequiredException, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - each parser fails in its own way on the others' keys
            why = error
            continue
        certificate = path.with_name(f"{path.name}-cert.pub")
        if certificate.exists():
            key.load_certificate(str(certificate))
        return key
    raise paramiko.SSHException(f"not a key that can be read, or the wrong passphrase: {why}")


def _encrypted(path: Path) -> bool:
    try:
        load_key(path, None)
    except paramiko.PasswordRequiredException:
        return True
    except (paramiko.SSHException, OSError):
        return False
    return False


def _public_blob(path: Path) -> bytes | None:
    """The public half of a key file, from the .pub beside it; IdentityFile may also name the .pub itself."""
    source = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    try:
        fields = source.read_text(encoding="utf-8", errors="replace").split()
        return (
            paramiko.pkey.PublicBlob.from_string(" ".join(fields[:2])).key_blob if len(fields) > 1 else None
        )
    except (OSError, ValueError, paramiko.SSHException):
        return None
