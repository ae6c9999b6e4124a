"""JVM options: which are in force and where they were set, and how they are shown without secrets. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

# Options of the launcher that take the next word as their value.
_WITH_VALUE = {
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--add-modules",
    "--add-exports",
    "--add-opens",
    "--add-reads",
    "--patch-module",
    "--upgrade-module-path",
    "--limit-modules",
    "--enable-native-access",
    "--source",
}
_SECRET = re.compile(r"pass|secret|token|credential|key|auth|dsn|jdbc|url", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def split_command(command: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The launcher's options and the main class, `-jar FILE` or `-m MODULE` of a java command line."""
    options: list[str] = []
    words = list(command[1:])
    while words:
        word = words.pop(0)
        if word in ("-jar", "-m", "--module"):
            name = words[0] if words else ""
            return tuple(options), f"{word} {name}".strip()
        if word in _WITH_VALUE and words:
            options += [word, words.pop(0)]
        elif word.startswith(("-", "@")):
            options.append(word)
        else:
            return tuple(options), word
    return tuple(options), ""


def split_variable(value: str) -> tuple[str, ...]:
    """The options in JAVA_TOOL_OPTIONS and its kin: blanks separate, quotes hold together."""
    try:
        return tuple(shlex.split(value, posix=True))
    except ValueError:
        return tuple(value.split())


def attach_disabled_by(sources: Sequence[tuple[str, Sequence[str]]]) -> str | None:
    """Which of the sources, in the order the JVM reads them, has the last word that attach is off."""
    found = None
    for name, options in sources:
        for option in options:
            if option == "-XX:+DisableAttachMechanism":
                found = name
            elif option == "-XX:-DisableAttachMechanism":
                found = None
    return found


def mask_option(option: str) -> str:
    """The option with its value hidden where it may hold a secret: every -D value that is not a path
    or a plain word of Tomcat's own, agent arguments, and user names and passwords in URLs."""
    if option.startswith("-D") and "=" in option:
        name, _, value = option[2:].partition("=")
        return f"-D{name}={mask_property(name, value)}"
    if option.startswith(("-javaagent:", "-agentlib:", "-agentpath:")) and "=" in option:
        return option.partition("=")[0] + "=***"
    if option.startswith(("-XX:OnError=", "-XX:OnOutOfMemoryError=")):
        return option.partition("=")[0] + "=***"
    return _USER_INFO.sub("***", option)


def mask_property(name: str, value: str) -> str:
    """The value of a system property, hidden where it may be a secret: by the rule of `mask_option`."""
    return value if _harmless(name, value) else "***"


_HARMLESS = re.compile(
    r"((java|catalina|sun|jdk|awt|ignore\.endorsed|org\.apache\.(catalina|juli))\b[\w.]*"
    r"|os\.(name|arch|version)|(file|path|line)\.separator|(file|native|stdout|stderr)\.encoding|user\.(timezone|language|country|region|dir|home|name))\Z"
)


def _harmless(name: str, value: str) -> bool:
    return bool(_HARMLESS.match(name)) and not _SECRET.search(name) and not _USER_INFO.search(value)


def mask_command(command: Sequence[str]) -> tuple[str, ...]:
    """A java command line with its options masked; the program's own arguments are hidden altogether."""
    options, main = split_command(command)
    named = main.split(" ", 1) if main else []
    shown = [command[0], *(mask_option(o) for o in options), *named] if command else []
    rest = len(command) - len(shown)
    return (*shown, f"(+{rest} arguments)") if rest > 0 else tuple(shown)
