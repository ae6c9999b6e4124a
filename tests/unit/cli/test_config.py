"""The config file: absent, right, and wrong in every way."""

from __future__ import annotations

from pathlib import Path

import pytest

from jvmdiag.cli.config import Config, config_path, read_config
from jvmdiag.errors import BadRequest


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "jvmdiag" / "config.toml"
    path.parent.mkdir()
    return path


def test_it_stands_where_xdg_says_or_under_the_home(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_path() == file
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/ops")
    assert config_path() == Path("/home/ops/.config/jvmdiag/config.toml")


def test_none_is_needed(file: Path) -> None:
    assert read_config() == Config()
    file.parent.rmdir()
    file.parent.touch()
    assert read_config() == Config()


@pytest.mark.parametrize(
    ("text", "config"), [("", Config()), ('jdk_image = "my/jdk:17"\n', Config("my/jdk:17"))]
)
def test_what_it_says_is_read(file: Path, text: str, config: Config) -> None:
    file.write_text(text, encoding="utf-8")
    assert read_config() == config


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("jdk_image = ", "is no TOML"),
        ("jdk_image = 17\n", "jdk_image is no text"),
        ('jdk_imgae = "x"\npassword = "y"\n', "no such setting: jdk_imgae, password"),
    ],
)
def test_a_mistake_in_it_names_the_file(file: Path, text: str, says: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadRequest, match=says) as caught:
        read_config()
    assert str(file) in str(caught.value)


def test_what_cannot_be_read_is_a_mistake_too(file: Path) -> None:
    file.mkdir()
    with pytest.raises(BadRequest, match="cannot be read"):
        read_config()


def test_what_is_no_text_is_a_mistake_too(file: Path) -> None:
    file.write_bytes(b'jdk_image = "\xff"\n')
    with pytest.raises(BadRequest):
        read_config()
