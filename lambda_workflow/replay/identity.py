"""What tells one step from another: its function, and a digest of what that is given.

Laws
 1. The identity is the same in every process, on every version of Python, and after an edit that
    leaves the function where it is: a changed body is no other function.
 2. The digest covers what has a JSON form. What has none is left out, and so is a model's field
    that has its default, as it may be newer than the record.
 3. What may differ without the workflow's doing is left out: what a step function has in common
    with others of its process (mutable globals, variables of functions that no workflow runs).
 4. It takes a bounded time: of what is very large, the size, the beginning and the end count.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any, Final, NamedTuple

from lambda_workflow.replay.digests import Bound, Left, digest_of

_NAME_CHARACTERS_MAX: Final = 160
_LAMBDA: Final = "<lambda>"
_LOCALS: Final = "<locals>."


class Identity(NamedTuple):
    """What a step is known by.

    Attributes:
        function: `module:name`; of a function that code makes as it runs `module:name#place`, of a
            lambda `module:<lambda>#place~body`.
        arguments: a digest; empty where there are none.
        enclosing: the code in which the function stands, where it is made as that runs.
    """

    function: str
    arguments: str
    enclosing: CodeType | None = None


def identify(function: Any, args: tuple[Any, ...], frame: FrameType) -> Identity:
    """The identity of a step that the code of `frame` starts."""
    given: list[Any] = list(args)
    while isinstance(function, partial):
        given = [*function.args, *given]
        if function.keywords:
            given.append(function.keywords)
        function = function.func
    known = frame.f_globals
    if type(function) is FunctionType:
        module, name = function.__module__, function.__qualname__
        if _LOCALS in name or name == _LAMBDA:
            return _of_made(function, given, frame)
    elif isinstance(function, MethodType):
        given.append(Bound(function.__self__))
        module, name = function.__func__.__module__, function.__func__.__qualname__
    else:
        module, name = _named(function, given)
    arguments = digest_of(given, known) if given else ""
    return Identity(f"{_module(module)}:{_short(name)}", arguments)


def same_function(ours: str, theirs: str, enclosing: CodeType | None) -> bool:
    """Whether two identities are of one function: the recorded one, and that of today's code."""
    if ours == theirs:
        return True
    our_module, _, our_name = ours.partition(":")
    their_module, _, their_name = theirs.partition(":")
    if our_name == their_name:  # a module is known by another name where it is run as a script
        longer, shorter = sorted((our_module, their_module), key=len, reverse=True)
        return longer.endswith(f".{shorter}")
    our_place, _, our_body = our_name.partition("~")
    their_place, _, their_body = their_name.partition("~")
    if not (our_body and their_body) or our_module != their_module:
        return False
    if our_body == their_body:  # a lambda was put in, or taken away, before it
        return True
    # its body was edited; or it has changed places with another one, which is still there
    return our_place == their_place and their_body not in _bodies(enclosing)


def _of_made(function: FunctionType, given: list[Any], frame: FrameType) -> Identity:
    """The identity of a function that code makes as it runs."""
    code = function.__code__
    name = function.__qualname__.rpartition(_LOCALS)[2]
    own = frame.f_code
    enclosing: CodeType | None = own
    place = _place(own, code)
    if place is None:
        enclosing = _enclosing(function)
        place = None if enclosing is None else _place(enclosing, code)
    if name == _LAMBDA and place is None:
        name = next((n for n, v in function.__globals__.items() if v is function), name)
    name = _short(name) if place is None else f"{_short(name)}#{place}"
    if name.startswith(_LAMBDA):
        name = f"{name}~{_body(code)}"
    given += function.__defaults__ or ()
    if function.__kwdefaults__:
        given.append(function.__kwdefaults__)
    given += _cells(function, own)
    arguments = digest_of(given, frame.f_globals) if given else ""
    return Identity(f"{_module(function.__module__)}:{name}", arguments, enclosing)


def _cells(function: FunctionType, own: CodeType) -> Iterator[Any]:
    """What it has of the variables of the code that starts it (law 3), and does not set itself."""
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        if name in own.co_cellvars and name not in _stored(function.__code__):
            try:
                yield cell.cell_contents
            except ValueError:  # not set yet
                yield Left


@lru_cache(maxsize=512)
def _stored(code: CodeType) -> frozenset[str]:
    """The variables of other functions that this one sets."""
    import dis  # of few functions, once each

    return frozenset(i.argval for i in dis.get_instructions(code) if i.opname == "STORE_DEREF")


def _named(function: Any, given: list[Any]) -> tuple[str, str]:
    """Module and name of a class, of a function in C, or of an object that can be called."""
    if (name := getattr(function, "__qualname__", None)) is not None:
        bound = getattr(function, "__self__", None)
        if bound is not None and type(bound).__name__ != "module":
            given.append(Bound(bound))
        return getattr(function, "__module__", None) or "builtins", str(name)
    kind = type(function)
    given.append(Bound(function))
    return kind.__module__, f"{kind.__qualname__}()"


def _module(name: str | None) -> str:
    """A module's name; of one that is run as a script, what it would be imported by."""
    if name != "__main__":
        return name or "?"
    main = sys.modules["__main__"]
    if spec := getattr(main, "__spec__", None):
        return str(spec.name).removesuffix(".__main__")
    file = str(getattr(main, "__file__", None) or "__main__").replace("\\", "/")
    return file.rpartition("/")[2].removesuffix(".py")


def _short(name: str) -> str:
    if len(name) <= _NAME_CHARACTERS_MAX:
        return name
    return (
        f"{name[:_NAME_CHARACTERS_MAX]}…{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"
    )


def _enclosing(function: FunctionType) -> CodeType | None:
    """The code of the function of a module in which another one is made."""
    found: Any = sys.modules.get(function.__module__)
    for part in function.__qualname__.partition(f".{_LOCALS}")[0].split("."):
        found = getattr(found, part, None)
    found = getattr(found, "function", found)  # a workflow's
    return getattr(found, "__code__", None)


def _place(enclosing: CodeType, code: CodeType) -> int | None:
    """Which one of its name it is in the code around it; None where it is not in there."""
    return _places(enclosing).get(id(code))


@lru_cache(maxsize=512)
def _places(enclosing: CodeType) -> dict[int, int]:
    counts: dict[str, int] = {}
    places: dict[int, int] = {}
    for code in _nested(enclosing):
        places[id(code)] = count = counts.get(code.co_name, 0)
        counts[code.co_name] = count + 1
    return places


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)


def _bodies(enclosing: CodeType | None) -> set[str]:
    codes: Iterable[CodeType] = () if enclosing is None else _nested(enclosing)
    return {_body(code) for code in codes if code.co_name == _LAMBDA}


@lru_cache(maxsize=512)
def _body(code: CodeType) -> str:
    """A digest of what a lambda is made of, that is the same on most versions of Python."""
    parts = [*code.co_varnames, *code.co_freevars, "|", *code.co_names, "|"]
    parts += [repr(c) for c in code.co_consts if isinstance(c, str | bytes | int | float)]
    parts += [_body(nested) for nested in code.co_consts if isinstance(nested, CodeType)]
    return hashlib.blake2b(" ".join(parts).encode(errors="replace"), digest_size=4).hexdigest()
