"""Ctrl-C at moments that have no use for it."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def interrupts_held_back():
    """Let an interrupt wait until a kernel is compiled: LLVM's callbacks would swallow it."""
    handler = signal.getsignal(signal.SIGINT)
    held = []
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    signal.signal(signal.SIGINT, lambda *call: held.append(call))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if held:
            handler(*held[0])
