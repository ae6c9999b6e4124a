"""jvmdiag resume, and a way that breaks: a seeded sample of the soak, on a real sshd, a real engine and real JVMs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import docker

from tests.real.delay import DelayProxy
from tests.real.engine import Engine
from tests.real.fixtures import RunContainer
from tests.real.images import Images, load
from tests.real.local_jvm import start, unpack
from tests.real.soak import LINE_BYTES_PER_S, Soak, over_ssh, over_tcp, summary
from tests.real.sshd import Sshd

HEAP = ("--megabytes", "150")
ROOM = ("-Xmx600m",)
DUMP_BYTES = 150_000_000
RUNS = 12


def test_a_sample_of_the_soak(
    engine: Engine,
    docker_client: docker.DockerClient,
    run_container: RunContainer,
    images: Images,
    tmp_path: Path,
) -> None:
    opt = unpack(docker_client, images, tmp_path / "opt")
    container = run_container("jvm17", command=load(*HEAP, java=ROOM))
    with ExitStack() as stack:
        process = stack.enter_context(start(opt, tmp_path / "log", *HEAP, java=ROOM))
        (tmp_path / "sshd").mkdir()
        sshd = stack.enter_context(Sshd(tmp_path / "sshd"))
        near = stack.enter_context(DelayProxy(sshd.port, bytes_per_s=LINE_BYTES_PER_S))
        socket = engine.url.removeprefix("unix://")
        far = stack.enter_context(DelayProxy(socket, bytes_per_s=LINE_BYTES_PER_S))
        routes = [
            over_ssh(sshd, near, tmp_path / "home-ssh", process.pid),
            over_tcp(container, far, tmp_path / "home-tcp"),
        ]
        soak = Soak(routes, tmp_path, seed=4, dump_bytes=DUMP_BYTES)
        runs = [soak.run(number) for number in range(RUNS)]
        print("\n".join([*map(str, runs), summary(runs)]))
        assert [str(run) + run.words for run in runs if run.lost or run.leftovers] == []
        assert {run.fault for run in runs} >= {"cut", "exec killed", "bit flipped", "kill -9", "disk full"}
