"""How tamiz ends: its exit codes, and what each kind of error prints.

One sentence on stderr, beginning `tamiz:`; never a traceback, unless TAMIZ_DEBUG=1 asks for it. Codes above 4 are not
answers: 70 is a fault of tamiz itself (EX_SOFTWARE of sysexits.h), 130 and 141 are what a shell reports for SIGINT
and SIGPIPE.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum

from tamiz.model.errors import EnvironmentLacks, TamizError, shorten


class Exit(IntEnum):
    """The exit codes; NO is an answer (a test or proof failed, something was found), the rest are not."""

    DONE = 0
    NO = 1
    USAGE = 2
    INPUT = 3
    ENVIRONMENT = 4
    FAULT = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141


def guarded(action: Callable[[], None]) -> int:
    """Run `action`; the exit code it asks for, or that of the error which escaped it, after its sentence."""
    try:
        action()
    except SystemExit as wanted:
        if _is_broken_pipe(wanted.__context__):  # which typer takes for an answer that is no
            return Exit.BROKEN_PIPE
        return wanted.code if isinstance(wanted.code, int) else Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:
        return _ended_by(error)
    return Exit.DONE


def _is_broken_pipe(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _ended_by(error: Exception) -> int:
    if os.environ.get("TAMIZ_DEBUG") == "1":
        traceback.print_exception(error)
    code, sentence = _explained(error)
    say(sentence)
    return code


def _explained(error: Exception) -> tuple[Exit, str]:
    if isinstance(error, EnvironmentLacks):
        return Exit.ENVIRONMENT, str(error)
    if isinstance(error, TamizError):
        return Exit.INPUT, str(error)
    if isinstance(error, OSError):
        text = error.strerror or type(error).__name__
        named = error.filename is not None  # without a name it is a stream, such as stdout on a full disk
        return (Exit.INPUT, f"{error.filename}: {text}") if named else (Exit.ENVIRONMENT, text)
    found = shorten(f"{type(error).__name__}: {error}", 200)
    return Exit.FAULT, f"{found}; this is a fault of tamiz, not of its input; TAMIZ_DEBUG=1 shows where"


def say(sentence: str) -> None:
    """One sentence for the person at the terminal: progress, a warning, an error. It goes to stderr."""
    if getattr(sys, "stderr", None) is None:  # it is closed: print would take stdout instead
        return
    try:
        print(f"tamiz: {printable(sentence)}", file=sys.stderr, flush=True)
    except OSError:  # nobody reads stderr any more: there is no one to tell
        return


def printable(value: object) -> str:
    """A value as it may be shown: what a file says, or is called, must not steer the terminal."""
    return "".join(ch if ch.isprintable() else "\N{REPLACEMENT CHARACTER}" for ch in str(value))
