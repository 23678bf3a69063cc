"""The strict guard: in development and tests, workflow code that asks the clock, chance or the
network is stopped at that very line, with the spelling that replay can repeat.

1. Only the user's own frames are judged. The standard library, installed packages and this package
   may read the clock (`logging` does); code that only runs to import a module, or inside logging's
   handlers, may as well.
2. Reaching the network is refused however deep in a library it happens: an HTTP client's call is
   the user's.
3. It watches this thread between enter and exit, and then puts back the profile function it found.
   A profiler written in C cannot be put back, so where one runs the guard stands aside.
4. A refusal is kept in `refused`: workflow code may swallow the exception, and the interpreter
   stops the watch when it is raised, until the next enter.

What calls through C alone (a clock called by pydantic as a default factory) is not seen here;
replaying every turn from the start finds it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import cache, partial
from types import FrameType, TracebackType
from typing import Any, Final

from lambda_workflow.errors import NonDeterministicCall
from lambda_workflow.runtime.frames import place_of
from lambda_workflow.runtime.guard_rules import Rule, rules

__all__ = ["Guard"]

LINES_MAX: Final = 1000  # that are told of; generated code may have no end of them
_INSTALLED: Final = ("site-packages", "dist-packages")


class Guard:
    """Watches the code that runs inside `with guard:`; enter and leave it as often as you like.

    The watch costs a Python call for each call that is made. `pause` and `resume` take it away from
    code of this package that runs often; they are C code alone, which the watch does not see.

    Not reentrant, and of one thread at a time.

    Args:
        own: files and folders whose code is the user's although it is installed, such as the
            package of the workflows themselves.
        told: hears of what is allowed and better not done, once for each line.

    Attributes:
        refused: the first refusal since the guard was last entered, or None.
    """

    def __init__(
        self, own: Iterable[str] = (), told: Callable[[str, str], None] | None = None
    ) -> None:
        self.refused: NonDeterministicCall | None = None
        self._own = tuple(own)
        self._told = told or _nobody
        self._lines: set[str] = set()
        self._begins_paused = False
        self._before: Callable[[FrameType, str, Any], object] | None = None
        self._outermost: FrameType | None = None
        self._watch: Final = self._watcher()
        self._on: Final = partial(sys.setprofile, self._watch)
        self.pause: Callable[[], None] = _stand_aside
        self.resume: Callable[[], None] = _stand_aside

    def paused(self) -> Guard:
        """The guard, to be entered paused from now on."""
        self._begins_paused = True
        return self

    def __enter__(self) -> Guard:
        self.refused = None
        before: Any = sys.getprofile()
        if before is None or callable(before):
            self._before = before
            self._outermost = sys._getframe(1)
            self.pause = _OFF if before is None else partial(sys.setprofile, before)
            self.resume = self._on
            if not self._begins_paused:
                sys.setprofile(self._watch)
        else:
            self.pause = self.resume = _stand_aside
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._outermost is not None:
            sys.setprofile(self._before)
            self._before = self._outermost = None

    def _watcher(self) -> Callable[[FrameType, str, Any], None]:
        of_name, of_code = rules()

        def watch(frame: FrameType, event: str, arg: Any) -> None:
            # Called at every call and return of what is watched: what follows is in a hurry.
            if event == "c_call":
                if arg.__name__ in of_name:
                    for rule in of_name[arg.__name__]:
                        if rule.holds(arg):
                            self._judge(rule, frame)
            elif event == "call" and id(frame.f_code) in of_code:
                rule = of_code[id(frame.f_code)]
                if frame.f_back is not None and rule.holds(frame.f_locals):
                    self._judge(rule, frame.f_back)

        return watch

    def _judge(self, rule: Rule, caller: FrameType) -> None:
        blamed = self._blamed(caller, rule.however_deep)
        if blamed is not None and rule.allowed:
            line = _line(blamed)
            if line not in self._lines and len(self._lines) < LINES_MAX:
                self._lines.add(line)
                self._told(line, rule.words)
        elif blamed is not None:
            refused = NonDeterministicCall(f"{_line(blamed)} calls {rule.words}")
            self.refused = self.refused or refused
            raise refused

    def _blamed(self, caller: FrameType, however_deep: bool) -> FrameType | None:
        """The user's frame that a call is to be blamed on, if there is one."""
        blamed = None
        frame: FrameType | None = caller
        while frame is not None:
            if blamed is None and _is_users(frame, self._own):
                blamed = frame
            if blamed is None and not however_deep:
                return None
            if frame is self._outermost:
                break
            if _is_import(frame) or _package(frame) == "logging":
                return None
            frame = frame.f_back
        return blamed


def _stand_aside() -> None:
    """A profiler written in C is at work."""


_OFF: Final = partial(sys.setprofile, None)


def _nobody(line: str, words: str) -> None:
    """Discard a report: no receiver is set."""


def _line(frame: FrameType) -> str:
    """The nearest line that stands in a file: what `exec` made has none to look at."""
    while frame.f_code.co_filename.startswith("<") and frame.f_back is not None:
        frame = frame.f_back
    return place_of(frame)


def _is_import(frame: FrameType) -> bool:
    importer = frame.f_back
    return (
        frame.f_code.co_name == "<module>"
        and importer is not None
        and importer.f_code.co_filename.startswith("<frozen importlib")
    )


def _package(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__") or ""
    return name.partition(".")[0]


def _is_users(frame: FrameType, own: tuple[str, ...]) -> bool:
    filename = frame.f_code.co_filename
    if filename.startswith("<") and not filename.startswith("<frozen"):
        # Made by `exec`, as a dataclass's `__init__` is: as good as the module it was made for.
        filename = frame.f_globals.get("__file__") or filename
    return _is_users_file(filename, own)


@cache
def _is_users_file(filename: str, own: tuple[str, ...]) -> bool:
    path = filename.replace("\\", "/")
    if path.startswith(tuple(prefix.replace("\\", "/") for prefix in own)):
        return True
    if path.startswith(("<frozen", *_libraries())):
        return False
    return not any(f"/{folder}/" in path for folder in _INSTALLED)


@cache
def _libraries() -> tuple[str, ...]:
    folders = (os.path.dirname(os.__file__), os.path.dirname(os.path.dirname(__file__)))
    return tuple(folder.replace("\\", "/") + "/" for folder in folders)
