"""The contract over SSH, against an sshd of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from jvmdiag.hosts.base import Host
from jvmdiag.hosts.ssh import SshOptions, open_ssh
from jvmdiag.model import Owner
from jvmdiag.target import SshTarget
from tests.contract.host_contract import HostContract
from tests.real.containers import SshHost as SshContainer
from tests.real.delay import DelayProxy
from tests.real.sshd import Sshd, missing

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if why := missing():
        pytest.fail(why)
    with Sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="module")
def near(sshd: Sshd) -> Iterator[Host]:
    with open_ssh(sshd.target(), sshd.options()) as host:
        yield host


@pytest.fixture(scope="module")
def far(sshd: Sshd) -> Iterator[Host]:
    with DelayProxy(sshd.port, 0.02) as line:
        sshd.trust(*sshd.host_keys, hosts=f"[{sshd.host}]:{line.port},[{sshd.host}]:{sshd.port}")
        with open_ssh(sshd.target(port=line.port), sshd.options()) as host:
            yield host


class TestSshHost(HostContract):
    @pytest.fixture
    def host(self, near: Host) -> Host:
        return near

    @pytest.fixture
    def another_user(self) -> Owner | None:
        return Owner(65534, 65534) if os.geteuid() == 0 else None


class TestSshHostOnALongLine(TestSshHost):
    """The same with 40 ms of round trip, where bytes are under way while both ends act."""

    @pytest.fixture
    def host(self, far: Host) -> Host:
        return far


@pytest.fixture(scope="module")
def dev(ssh_jre: SshContainer) -> Iterator[Host]:
    options = SshOptions(
        config_path=None,
        known_hosts=(ssh_jre.known_hosts,),
        identity_files=(ssh_jre.key,),
        sudo=True,
        ask=lambda _: "s3cret pass",  # of the container's user dev
    )
    with open_ssh(SshTarget(ssh_jre.host, "dev", ssh_jre.port), options) as host:
        yield host


class TestSshHostWithSudo(HostContract):
    """A login that is not root, and a sudo that wants a password."""

    @pytest.fixture
    def host(self, dev: Host) -> Host:
        return dev

    @pytest.fixture
    def another_user(self, dev: Host) -> Owner | None:
        dev.record = lambda _: None
        uid, gid = dev.run(["sh", "-c", "id -u tomcat; id -g tomcat"]).text.split()
        return Owner(int(uid), int(gid))
