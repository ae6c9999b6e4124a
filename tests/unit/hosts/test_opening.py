"""What a target is opened as, before anything is dialled."""

from __future__ import annotations

import pytest

from jvmdiag.errors import BadRequest
from jvmdiag.hosts.access import Access
from jvmdiag.hosts.opening import open_place
from jvmdiag.target import DockerTarget


@pytest.mark.parametrize(
    "url", ["ssh://", "ssh://ops:s3cret@app1", "ssh://app1/var/run/docker.sock", "ssh://app1/docker/web"]
)
def test_an_engine_behind_ssh_that_is_none_is_told_with_who_names_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", url)
    with (
        pytest.raises(BadRequest, match="DOCKER_HOST names no engine") as caught,
        open_place(DockerTarget("web"), Access(), lambda _: None),
    ):
        pass
    assert "s3cret" not in str(caught.value)
    assert "ssh://[user@]host[:port]" in caught.value.advice[0]
