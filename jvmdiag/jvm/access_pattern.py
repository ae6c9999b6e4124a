"""How long a request took, by the pattern of Tomcat's AccessLogValve in server.xml. Pure.

https://tomcat.apache.org/tomcat-10.1-doc/config/valve.html#Access_Log_Valve
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

_VALVE = re.compile(r"<Valve\b[^>]*>")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ATTRIBUTE = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_CODE = re.compile(r"%(?:\{([^}]*)\})?([A-Za-z%])")
_BEFORE = re.compile(r'.*%t "%r" %s(?=\W|$)')
_WEB_APP = "<web-app"
_WORD = rb"\S+"
# Its class names a Valve as well that keeps a password; of that nothing is looked at.
_CLASS = "org.apache.catalina.valves.AccessLogValve"
# Of %T without a unit, whole seconds from Tomcat 10 on: too coarse to be told.
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": None, "fracsec": 1.0, "ns": 1e-9}


@dataclass(frozen=True)
class Elapsed:
    """What stands behind the status of a line, with the time as its group; `unit_s` is what that is counted in."""

    rest: re.Pattern[bytes]
    unit_s: float

    def seconds(self, rest: bytes) -> float | None:
        """None where the line is not of the pattern."""
        found = self.rest.match(rest)
        return float(found[1]) * self.unit_s if found else None


def elapsed_of(conf: str, path: str) -> Elapsed | None:
    """Of the log at `path`, by the Valve elements of server.xml and the root element of web.xml. None where its valve
    is not among them, or has no time."""
    file = path.removesuffix(" (deleted)").rpartition("/")[2]
    valves = [_attributes(element) for element in _VALVE.findall(_COMMENT.sub("", conf))]
    patterns = {
        valve.get("pattern", "common")
        for valve in valves
        if valve.get("className") == _CLASS and file.startswith(valve.get("prefix", "access_log"))
    }
    # %D is of milliseconds up to Tomcat 9, and of microseconds since it is Jakarta's.
    jakarta = "jakarta.ee" in conf if _WEB_APP in conf else None
    return _of_pattern(patterns.pop(), jakarta=jakarta) if len(patterns) == 1 else None


def _attributes(element: str) -> dict[str, str]:
    return {name: html.unescape(a or b) for name, a, b in _ATTRIBUTE.findall(element)}


def _of_pattern(pattern: str, *, jakarta: bool | None) -> Elapsed | None:
    begins = _BEFORE.match(pattern)
    if begins is None:
        return None
    expression, at = b"", begins.end()
    for code in _CODE.finditer(pattern, at):
        expression += re.escape(pattern[at : code.start()].encode())
        unit_s = _unit_s(code[1], code[2], jakarta=jakarta)
        joined = expression.endswith(_WORD)
        if unit_s is not None:
            # Of two numbers in one nobody can tell where the second begins.
            return (
                None
                if joined
                else Elapsed(re.compile(expression + rb"(\d{1,15}(?:\.\d{1,9})?)(?![\d.])"), unit_s)
            )
        quoted = pattern[code.start() - 1 : code.start()] == '"'
        if quoted:
            expression += rb'(?:[^"\\\n]|\\.)*'
        elif not joined:  # %U%q: two in a row would be tried at every place of a long line
            expression += _WORD
        at = code.end()
    return None


def _unit_s(argument: str | None, code: str, *, jakarta: bool | None) -> float | None:
    """None where it is no time, or one whose unit is not known."""
    if jakarta is None and argument is None:
        return None
    if code == "D" and argument is None:
        return 1e-6 if jakarta else 1e-3
    if code == "T" and argument is None:
        return None if jakarta else 1.0
    return _UNITS.get(argument or "") if code == "T" else None
