"""The contract of a Host, held by this machine."""

from __future__ import annotations

import os

import pytest

from jvmdiag.hosts.base import Host
from jvmdiag.hosts.local import LocalHost
from jvmdiag.model import Owner
from tests.contract.host_contract import HostContract


class TestLocalHost(HostContract):
    @pytest.fixture
    def host(self) -> Host:
        return LocalHost()

    @pytest.fixture
    def another_user(self) -> Owner | None:
        return Owner(65534, 65534) if os.geteuid() == 0 else None
