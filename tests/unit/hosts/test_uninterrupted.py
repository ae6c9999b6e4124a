"""Ctrl-C waits for the end of a step, and is not lost."""

from __future__ import annotations

import signal
import threading

import pytest

from jvmdiag.hosts.uninterrupted import uninterrupted


def test_an_interrupt_takes_effect_at_the_end() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("made")
    assert done == ["made"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_inside_goes_on_where_nothing_interrupts() -> None:
    with pytest.raises(OSError, match="no such command"), uninterrupted():
        raise OSError("no such command")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_has_no_handler_ends_the_process_as_ever() -> None:
    with uninterrupted():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_another_thread_is_never_interrupted() -> None:
    seen = []

    def step() -> None:
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
