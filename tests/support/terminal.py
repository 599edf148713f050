"""The program on a terminal of its own."""
import os
import pty
import select
import unittest

from support.cli import ORRERY


def orrery(arguments):
    os.execv(ORRERY, [ORRERY, *arguments])


def on_terminal(arguments, *answers, execute=orrery):
    """Runs orrery, or what `execute(arguments)` becomes; returns its status and all that the terminal showed. Each answer is (text
    to wait for, what is typed then)."""
    try:
        pid, terminal = pty.fork()
    except OSError as error:
        raise unittest.SkipTest(f"no pseudo-terminals here: {error}") from None
    if pid == 0:
        execute(arguments)
    shown, seen, answers = b"", 0, list(answers)
    while True:
        if answers and answers[0][0].encode() in shown[seen:]:
            seen = len(shown)
            os.write(terminal, answers.pop(0)[1].encode())
        if not select.select([terminal], [], [], 60)[0]:
            raise AssertionError(f"waited in vain: {shown!r}")
        try:
            some = os.read(terminal, 4096)
        except OSError:
            some = b""
        if not some:
            break
        shown += some
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode(errors="replace")
