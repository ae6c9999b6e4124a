"""What the options mean together."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import pytest

from jvmdiag.cli import options
from jvmdiag.cli.options import Way, one_of
from jvmdiag.errors import BadRequest
from jvmdiag.hosts.place import ViewKind
from jvmdiag.model import CommandRecord
from jvmdiag.target import DockerTarget
from jvmdiag.transfer.codec import Codec

COMMANDS = Path(options.__file__).parent


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "jvmdiag" / "config.toml"
    path.parent.mkdir()
    return path


def test_a_bare_name_is_a_container_and_the_defaults_are_careful() -> None:
    job = Way(target="web").job
    assert (job.target, job.codec, job.output) == (DockerTarget("web"), Codec.GZIP, Path())
    assert (job.access.sudo, job.access.accept_new_host_key, job.access.view) == (False, False, None)
    assert (job.image.name, job.image.pull, job.method) == (None, True, None)


def test_every_option_arrives_where_it_belongs() -> None:
    way = Way(
        target="web",
        jvm="7",
        method="tools",
        jdk_image="my/jdk",
        no_pull=True,
        view="inside",
        sudo=True,
        identity=[Path("k")],
        ssh_config=Path("c"),
        accept_new_host_key=True,
        output=Path("out"),
        compress="zstd",
        timeout_s=7.5,
    )
    job = way.job
    assert (job.jvm, job.method, job.output, job.codec, job.timeout_s) == (
        "7",
        "tools",
        Path("out"),
        Codec.ZSTD,
        7.5,
    )
    assert (job.image.name, job.image.pull) == ("my/jdk", False)
    access = job.access
    assert (access.sudo, access.accept_new_host_key, access.view) == (True, True, ViewKind.INSIDE)
    assert (access.identity_files, access.ssh_config) == ((Path("k"),), Path("c"))


def test_an_option_comes_before_the_config_file(config: Path) -> None:
    config.write_text('jdk_image = "from/config"\n', encoding="utf-8")
    assert Way(target="web").job.image.name == "from/config"
    assert Way(target="web", jdk_image="from/option").job.image.name == "from/option"


@pytest.mark.parametrize(
    "way",
    [
        Way(target="k8s://x"),
        Way(target="web", view="above"),
        Way(target="web", compress="rar"),
        *(Way(target="web", timeout_s=t) for t in (0, math.nan, math.inf)),
    ],
    ids=["target", "view", "codec", "no time", "no number", "no end"],
)
def test_what_makes_no_sense_is_a_mistake(way: Way) -> None:
    with pytest.raises(BadRequest):
        _ = way.job


def test_a_choice_that_is_none_lists_those_there_are() -> None:
    assert one_of("--compress", Codec, "gzip") is Codec.GZIP
    with pytest.raises(BadRequest, match="--compress 'rar' is none") as caught:
        one_of("--compress", Codec, "rar")
    assert caught.value.advice == ("it is one of: none, gzip, zstd",) or all(
        codec.value in caught.value.advice[0] for codec in Codec
    )


@pytest.mark.parametrize(("verbose", "shown"), [(True, 1), (False, 0)])
def test_commands_are_shown_as_they_end_only_where_it_was_asked(
    verbose: bool, shown: int, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Way(verbose=verbose).journal
    journal(CommandRecord("docker://web", ("sh", "-c", "echo 'a b'"), "1001:1001", 3, 0.0124))
    assert len(journal.commands) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == shown
    if verbose:
        assert "[docker://web as 1001:1001] sh -c" in err
        assert "(exit 3, 12 ms)" in err


def test_a_command_takes_a_target_its_own_options_and_then_the_shared_ones() -> None:
    seen: list[tuple[Way, str]] = []

    @options.shared("target", *options.FILES, "timeout_s", timeout_s=7.5)
    def command(way: Way, own: str = "x") -> None:
        """Its help."""
        seen.append((way, own))

    parameters = inspect.signature(command).parameters
    assert list(parameters) == ["target", "own", "output", "compress", "encrypt_to", "timeout_s"]
    assert parameters["timeout_s"].default == 7.5
    assert command.__doc__ == "Its help."
    command(target="web", own="y", output=Path("out"), compress="none", encrypt_to=None, timeout_s=1.0)
    assert seen == [(Way(target="web", output=Path("out"), compress="none", timeout_s=1.0), "y")]


def test_a_command_file_stays_short() -> None:
    lengths = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in COMMANDS.glob("*.py")}
    files = ("ps", "threaddump", "heapdump", "histogram", "jcmd", "verify", "fetch")
    assert {name: lengths[f"{name}.py"] for name in files if lengths[f"{name}.py"] >= 80} == {}


def test_a_recipient_that_is_none_is_refused_before_any_target_is_looked_at() -> None:
    with pytest.raises(BadRequest, match="recipient"):
        _ = Way(target="web", encrypt_to=["age1nonsense"]).job
