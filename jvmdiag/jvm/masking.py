"""What diagnostic commands answer, without the values that may be secret: pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from jvmdiag.jvm.options import mask_option, mask_property
from jvmdiag.jvm.thread_names import ThreadNames, mask_thread_dump

_HIDDEN = "***"
_HARMLESS = frozenset(
    {
        *("help", "VM.version", "VM.uptime", "VM.metaspace", "VM.native_memory", "VM.classloader_stats"),
        *("GC.heap_info", "GC.class_histogram", "GC.class_stats", "GC.finalizer_info", "GC.run"),
        *("GC.run_finalization", "VM.class_hierarchy", "Compiler.codecache", "Compiler.queue"),
    }
)
# What an option begins with: within a value, anything else may stand behind a blank and a dash.
_OPTION = re.compile(
    r"-(?:XX:|X(?:m[nsx]|ss)\d|X(?:int|comp|batch|mixed|rs|debug|noclassgc|diag|future)(?:\s|\Z)"
    r"|X(?:log|share|check|verify|bootclasspath|runjdwp)\b|D|agent|javaagent:|(?:ea|da|esa|dsa|server|client)\b|verbose"
    r"|enableassertions|disableassertions|enablesystemassertions|disablesystemassertions"
    r"|-(?:add-|module|patch-module|upgrade-module|limit-modules|enable-|illegal-|sun-misc|finalization=))"
)
_FLAG = re.compile(r"^( *(?:ccstr|ccstrlist) +\w+ +:?\+?= ?)(?! *\{)(.+?)( *(?:\{.*)?)$", re.MULTILINE)
# What VM.flags prints besides options: a row of its table, its heading, the pid by jcmd.
_ROW = re.compile(r" *\w+ +\w+ +:?\+?=.*|\[Global flags\]|\d+:|\s*")
_HARMLESS_VARIABLES = re.compile(
    r"(?:PATH|LD_LIBRARY_PATH|JAVA_HOME|JRE_HOME|SHELL|LANG|LC_\w+|TZ|TERM|TMPDIR|HOSTTYPE|OSTYPE|ARCH|MACHTYPE)="
)
# Headings of VM.info that end the part before them, whatever that part holds.
_PARTS = re.compile(
    r"^(?=Command Line: |Host: |Time: |jvm_args: |jvm_flags: |java_command: |java_class_path \(initial\): "
    r"|Launcher Type: |Environment Variables:$|Active Locale:$|Signal Handlers:$|[\w ]+ \(\d+ events\):$|-{9,} )",
    re.MULTILINE,
)
_EVENT = re.compile(r"Event: .*|thrown \[.*|No events|Internal exceptions .*|")
_MESSAGE = re.compile(r"(\{0x[0-9a-f]+\}): .*")
_THREAD_NAME = re.compile(r'(Thread(?: \(0x\w+\))?:? +)".*"')


def can_mask(command: str) -> bool:
    """Whether it is known where in the answer to this command secrets may be."""
    return _name(command) in _HARMLESS or _name(command) in _MASKS


def maskable() -> tuple[str, ...]:
    """The commands that `can_mask` knows."""
    return tuple(sorted({*_HARMLESS, *_MASKS}))


def mask_answer(command: str, answer: str) -> str:
    """The answer without values of properties and of the environment, without arguments and names of threads.

    `command` is one that `can_mask` knows.
    """
    mask = _MASKS.get(_name(command))
    return mask(answer) if mask else answer


def _name(command: str) -> str:
    return command.split(maxsplit=1)[0] if command.strip() else ""


def mask_properties(text: str) -> str:
    """Of VM.system_properties: name=value in each line, as java.util.Properties stores them."""
    return "".join(_property(line) for line in text.splitlines(keepends=True))


def _property(line: str) -> str:
    name, equals, value = line.rstrip("\n").partition("=")
    if not equals or line.startswith("#"):
        return line
    shown = mask_program(value) if name == "sun.java.command" else mask_property(name, value)
    return f"{name}={shown}\n"


def mask_program(command: str) -> str:
    """Of a main class and its arguments, joined by blanks, the former alone."""
    words = command.split()
    return " ".join(words[:1] + ([f"(+{len(words) - 1} arguments)"] if words[1:] else []))


def mask_options(text: str) -> str:
    """Options of a JVM that are joined by blanks, each masked; what may be the rest of a value is hidden."""
    return " ".join(_option(one) for one in re.split(r"\s+(?=-)", text.strip()) if one)


def _option(text: str) -> str:
    if not _OPTION.match(text):
        return _HIDDEN
    shown = mask_option(text)
    word, _, rest = shown.partition(" ")
    return f"{word} {_HIDDEN}" if rest else word


def mask_vm_arguments(text: str) -> str:
    """Of VM.command_line and VM.info, which has the same and more."""
    return "".join(_part(part) for part in _PARTS.split(text))


def _part(part: str) -> str:
    heading, _, rest = part.partition(": ")
    ending = part[len(part.rstrip("\n")) :]
    if heading == "Command Line":  # the same as in jvm_args and java_command, with no border between the two
        return f"{heading}: {_HIDDEN}{ending}"
    if heading in ("jvm_args", "jvm_flags"):
        return f"{heading}: {mask_options(rest)}{ending}"
    if heading == "java_command":
        return f"{heading}: {mask_program(rest)}{ending}"
    if part.startswith("Environment Variables:"):
        return "".join(_variable(line) for line in part.splitlines(keepends=True))
    if part.startswith("Internal exceptions "):
        part = "".join(_event(line) for line in part.splitlines(keepends=True))
    return mask_flags(_THREAD_NAME.sub(rf'\1"{_HIDDEN}"', part))


def _variable(line: str) -> str:
    name, equals, _value = line.partition("=")
    if line.startswith("Environment Variables:") or not line.strip() or _HARMLESS_VARIABLES.match(line):
        return line
    return f"{name}={_HIDDEN}\n" if equals and name.isidentifier() else f"{_HIDDEN}\n"


def _event(line: str) -> str:
    content = line.rstrip("\n")
    shown = _MESSAGE.sub(rf"\1: {_HIDDEN}", content) if _EVENT.fullmatch(content) else _HIDDEN
    return shown + line[len(content) :]


def mask_flags(text: str) -> str:
    """Of VM.flags: options in a line, or with -all a table, in which what is text is hidden."""
    lines = (mask_options(line) if line.startswith("-XX:") else line for line in text.split("\n"))
    return _FLAG.sub(rf"\g<1>{_HIDDEN}\g<3>", "\n".join(lines))


def _flags(text: str) -> str:
    """A value may hold a line break: what is behind it is hidden as well."""
    known = (
        line if line.startswith("-XX:") or _ROW.fullmatch(line) else _HIDDEN for line in text.split("\n")
    )
    return mask_flags("\n".join(known))


def _threads(text: str) -> str:
    return mask_thread_dump(text, ThreadNames())


_MASKS: dict[str, Callable[[str], str]] = {
    "Thread.print": _threads,
    "VM.system_properties": mask_properties,
    "VM.command_line": mask_vm_arguments,
    "VM.info": mask_vm_arguments,
    "VM.flags": _flags,
}
