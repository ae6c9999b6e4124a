"""One hop of the way to an SSH host: reached, shaken hands with, and its host key checked."""

from __future__ import annotations

import contextlib
from typing import Any

import paramiko

from jvmdiag.errors import ConnectionLost, ConnectionTimedOut, HostKeyChanged, HostKeyUnknown
from jvmdiag.hosts import fastpipe
from jvmdiag.hosts.known_hosts import HostKey, KnownHosts, Trust, Verdict, read_known_hosts
from jvmdiag.hosts.ssh_config import Hop
from jvmdiag.hosts.ssh_dial import ProxyCommand, dial
from jvmdiag.hosts.ssh_errors import foreign_errors
from jvmdiag.hosts.ssh_options import SshOptions
from jvmdiag.hosts.ssh_transport import PACKET_BYTES, SshTransport


class Connection:
    """A hop we have spoken to: its transport, whether its host key was checked, and what to close with it."""

    def __init__(self, hop: Hop, options: SshOptions, before: Connection | None) -> None:
        self.hop = hop
        self.before = before
        self.host_key_checked = False
        self._options = options
        self._timeout_s = hop.connect_timeout_s or options.connect_timeout_s
        self._proxy: ProxyCommand | None = None
        self._sock: Any = None
        self._transport: SshTransport | None = None

    @property
    def transport(self) -> SshTransport:
        if self._transport is None:
            raise ConnectionLost(f"{self.hop.address} is not connected")
        return self._transport

    def open(self) -> None:
        """Connect, shake hands and check the host key. Raises every ConnectError but AuthenticationFailed."""
        try:
            with foreign_errors(self.hop.address):
                self._sock = self._reach()
                self._transport = SshTransport(self._sock)
                self._shake_hands()
        except ConnectionLost as error:
            if self._proxy and (said := self._proxy.complaint()):
                error.why = f"the ProxyCommand says: {said}"
            raise

    def _reach(self) -> Any:
        if self.before is not None:
            window, there = self.before.transport.window_bytes, (self.hop.host, self.hop.port)
            channel = self.before.transport.open_channel(
                "direct-tcpip", there, ("127.0.0.1", 0), window, PACKET_BYTES, self._timeout_s
            )
            fastpipe.install(channel)
            return channel
        if self.hop.proxy_command:
            self._proxy = ProxyCommand(self.hop.proxy_command)
            return self._proxy.sock
        return dial(self.hop.host, self.hop.port, self.hop.family, self._timeout_s)

    def _shake_hands(self) -> None:
        transport = self.transport
        lines = read_known_hosts((*self._options.known_hosts, *self.hop.known_hosts))
        known = KnownHosts(lines, self.hop.host, self.hop.port, self.hop.host_key_alias)
        _prefer(transport, known.kinds())
        transport.banner_timeout = transport.handshake_timeout = self._timeout_s
        transport.start_client(timeout=self._timeout_s)
        # start_client returns silently when its time is over.
        if not transport.initial_kex_done:
            raise ConnectionTimedOut(f"{self.hop.address} does not finish the SSH handshake")
        key = transport.get_remote_server_key()
        self._judge(known, HostKey(key.get_name(), key.asbytes()))
        transport.keep_alive(self._options.keepalive_s)

    def _judge(self, known: KnownHosts, shown: HostKey) -> None:
        verdict = known.judge(shown)
        if verdict.trust is Trust.KNOWN:
            self.host_key_checked = True
        elif verdict.trust is not Trust.UNKNOWN:
            raise _changed(self.hop, known.name, shown, verdict)
        elif not self._options.accept_new_host_key:
            raise _unknown(self.hop, known.name, shown, verdict)

    def close(self) -> None:
        """Close this hop, then the hops before it."""
        if self._transport is not None:
            self._transport.close()
            if self._transport.is_alive():
                self._transport.join(1.0)
        for part in (self._sock, self._proxy):
            if part is not None:
                with contextlib.suppress(Exception):
                    part.close()
        if self.before is not None:
            self.before.close()


def _prefer(transport: paramiko.Transport, kinds: tuple[str, ...]) -> None:
    """Ask for the key types that known_hosts has: sshd shows the first of ours that it has."""
    options = transport.get_security_options()
    offered = tuple(options.key_types)
    names = [
        n for kind in kinds for n in (("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,))
    ]
    first = tuple(name for name in names if name in offered)
    options.key_types = (*first, *(name for name in offered if name not in first))


def _ssh_command(hop: Hop) -> str:
    port = "" if hop.port == 22 or hop.alias != hop.host else f"-p {hop.port} "
    return f"ssh {port}{hop.user}@{hop.alias} true"


def _unknown(hop: Hop, name: str, shown: HostKey, verdict: Verdict) -> HostKeyUnknown:
    why = f"it shows {shown}, and no known_hosts file has a line for {name}"
    if verdict.certified:
        why += " but that of a certificate authority, which jvmdiag cannot check"
    return HostKeyUnknown(
        f"the SSH host {hop.address} is not known here",
        why=why,
        advice=(
            "compare that fingerprint, on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            f"then let ssh add it, which asks once: {_ssh_command(hop)}",
            "or let it in this once: --accept-new-host-key",
            f"or where the network is trusted: ssh-keyscan -p {hop.port} {hop.host} >> ~/.ssh/known_hosts",
        ),
    )


def _changed(hop: Hop, name: str, shown: HostKey, verdict: Verdict) -> HostKeyChanged:
    lines = "; ".join(f"{line.key} ({line.where})" for line in verdict.lines)
    if verdict.trust is Trust.REVOKED:
        return HostKeyChanged(
            f"the host key of {hop.address} is revoked",
            why=f"it shows {shown}, marked @revoked in {verdict.lines[0].where}",
            advice="do not connect; ask whoever runs the host for its new key",
        )
    file = verdict.lines[0].where.rpartition(":")[0]
    return HostKeyChanged(
        f"the host key of {hop.address} is not the one known here",
        why=f"it shows {shown}, known is {lines}: it was set up anew, or somebody sits in between",
        advice=(
            "ask whoever runs the host, and compare: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            f"only if that is explained: ssh-keygen -R '{name}' -f {file}",
        ),
    )
