"""The config file: what a user does not want to type each time."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from jvmdiag.errors import BadRequest


@dataclass(frozen=True)
class Config:
    """Defaults for options. Environment variables and options come before it."""

    jdk_image: str | None = None


def config_path() -> Path:
    """$XDG_CONFIG_HOME/jvmdiag/config.toml, by default under ~/.config."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "jvmdiag" / "config.toml"


def read_config() -> Config:
    """The config file, or the defaults where there is none. Raises BadRequest where it is damaged."""
    path = config_path()
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Config()
    except OSError as error:
        raise BadRequest(f"{path} cannot be read", why=str(error.strerror)) from None
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        known = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} is no TOML", why=str(error)) from None
    unknown = sorted(known.keys() - {"jdk_image"})
    if unknown:
        raise BadRequest(f"{path}: no such setting: {', '.join(unknown)}", advice="there is: jdk_image")
    image = known.get("jdk_image")
    if image is not None and not isinstance(image, str):
        raise BadRequest(f"{path}: jdk_image is no text")
    return Config(image)
