"""What a sweep says, of whatever name."""

from __future__ import annotations

import pytest

from jvmdiag.collect.leftover import Leftover, State
from jvmdiag.report.sweep import leftovers_table


@pytest.mark.parametrize(
    ("where", "shown"), [("/a b\nc/it.partial", "/a b\\nc/it.partial"), ("/a\u2028b", "/a\\u2028b")]
)
def test_a_path_with_a_line_break_is_one_line(where: str, shown: str) -> None:
    one = Leftover(
        target="this machine", what="snapshot of docker://web", where=where, state=State.EVIDENCE, note="look"
    )
    _, line, note = leftovers_table([one]).split("\n")
    assert line.endswith(shown) and note.strip() == "look"
