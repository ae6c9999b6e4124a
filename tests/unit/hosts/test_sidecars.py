"""What the labels of a sidecar say."""

from __future__ import annotations

from typing import Any

from jvmdiag.hosts.docker import Engine
from jvmdiag.hosts.runner import this_run
from jvmdiag.hosts.sidecars import RUN_LABEL, SIDECAR_LABEL, sidecar_labels, sidecars_on


class Client:
    """Stands where docker-py's APIClient does: its list of containers."""

    def __init__(self, *labels: dict[str, str]) -> None:
        self._labels = labels

    def containers(self, **how: Any) -> list[dict[str, Any]]:
        assert how == {"all": True, "filters": {"label": SIDECAR_LABEL}}
        return [
            {"Names": ["/other/alias", "/jvmdiag-12"], "Labels": labels, "State": "created", "Created": 5}
            for labels in self._labels
        ]


def engine(*labels: dict[str, str]) -> Engine:
    made = Engine(where="here")
    made.client = Client(*labels)
    return made


def test_a_sidecar_says_beside_whom_and_by_which_run_it_was_made() -> None:
    [found] = sidecars_on(engine(sidecar_labels("c0ffee")))
    assert (found.name, found.of, found.state, found.created_s) == ("jvmdiag-12", "c0ffee", "created", 5.0)
    assert found.run == this_run()


def test_one_without_a_run_or_with_a_strange_one_is_of_nobody() -> None:
    found = sidecars_on(engine({SIDECAR_LABEL: "c0ffee"}, {SIDECAR_LABEL: "c0ffee", RUN_LABEL: "x"}))
    assert [one.run for one in found] == [None, None]
