"""How long a command takes that does nothing yet: --help."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench.comparison import Bench, Comparison, Goal, Measure, Row
from tests.bench.rounds import Contender, run_rounds

JVMDIAG = str(Path(sys.executable).with_name("jvmdiag"))
HELP, IMPORT = "`jvmdiag --help`", '`python -c "import typer"`'


def compare_startup(bench: Bench) -> Comparison:
    contenders = (
        Contender(HELP, lambda _: [JVMDIAG, "--help"]),
        Contender(IMPORT, lambda _: [sys.executable, "-c", "import typer"]),
    )
    rounds = run_rounds(contenders, bench.scale.short_rounds, bench.env, warm=True)
    return Comparison("Start-up", rounds, (Row(HELP, IMPORT, Goal(Measure.TIME, 2)),))
