"""What the names in a function mean, found in the module that it belongs to, without running it."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from lampwork.checks.source import Def

__all__ = ["UNKNOWN", "Scope", "own_nodes"]


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""What only a run can tell."""


@dataclass(frozen=True, slots=True)
class _Instance:
    """A new object of a class."""

    of: type


class Scope:
    """The names of one function. Those that it assigns itself mean what only a run can tell."""

    def __init__(
        self, node: Def, outer: Mapping[str, Any] | Scope, module: str | None = None
    ) -> None:
        self._outer = outer
        self._imports: dict[str, Any] = {}
        self.functions: dict[str, Def] = {}
        """Those that are defined in it."""
        arguments = node.args
        given = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        extra = filter(None, (arguments.vararg, arguments.kwarg))
        self._locals = {each.arg for each in (*given, *extra)}
        for each in own_nodes(node):
            match each:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self.functions[each.name] = each
                    self._locals.add(each.name)
                case ast.Name(id=name, ctx=ast.Store()):
                    self._locals.add(name)
                case ast.Import() | ast.ImportFrom():
                    self._imports |= _imported(each, module)
                case _:
                    pass

    @classmethod
    def of(cls, fn: Callable[..., Any], node: Def) -> Scope:
        """That of a function which exists."""
        plain = inspect.unwrap(fn)
        closed: dict[str, Any] = {}
        for name, cell in zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=False):
            try:
                closed[name] = cell.cell_contents
            except ValueError:  # it is not assigned yet
                closed[name] = UNKNOWN
        return cls(node, {**plain.__globals__, **closed}, plain.__module__)

    def name(self, name: str) -> Any:
        """What a name stands for."""
        if name in self._imports:
            return self._imports[name]
        if name in self._locals:
            return UNKNOWN
        if isinstance(self._outer, Scope):
            return self._outer.name(name)
        return self._outer.get(name, getattr(builtins, name, UNKNOWN))

    def function(self, name: str) -> tuple[Def, Scope] | None:
        """A function that this one, or one around it, defines."""
        if name in self.functions:
            return self.functions[name], self
        return self._outer.function(name) if isinstance(self._outer, Scope) else None

    def value(self, expression: ast.expr) -> Any:
        """What an expression stands for: of an object's attribute, that of its class."""
        match expression:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self.name(name)
            case ast.Attribute(value=of, attr=name):
                return _attribute(self.value(of), name)
            case ast.Call(func=func):
                made = self.value(func)
                return _Instance(made) if isinstance(made, type) else UNKNOWN
            case _:
                return UNKNOWN


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function itself, not in those that are defined in it, in order."""
    for child in node.body if isinstance(node, Def) else ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, Def | ast.Lambda | ast.ClassDef):
            yield from own_nodes(child)


def _attribute(of: Any, name: str) -> Any:
    if of is UNKNOWN:
        return UNKNOWN
    if isinstance(of, ModuleType | type):
        holder: Any = of
    else:
        holder = of.of if isinstance(of, _Instance) else type(of)
    try:
        return getattr(holder, name, UNKNOWN)
    except Exception:  # whatever a module or a metaclass does to find it
        return UNKNOWN


def _imported(node: ast.Import | ast.ImportFrom, module: str | None) -> dict[str, Any]:
    """The names that an import inside a function gives, as far as the modules are loaded."""
    found: dict[str, Any] = {}
    for each in node.names:
        name = each.asname or each.name
        if isinstance(node, ast.Import):
            path = each.name if each.asname else each.name.partition(".")[0]
            found[each.asname or path] = _module(path)
        else:
            dotted = "." * node.level + (node.module or "")
            try:
                path = importlib.util.resolve_name(dotted, (module or "").rpartition(".")[0])
            except ImportError:
                continue
            found[name] = _attribute(_module(path), each.name)
    return found


def _module(path: str) -> Any:
    """A module that is loaded, or one of Python's own, which may be loaded to look at it."""
    if path.partition(".")[0] in sys.stdlib_module_names:
        try:
            return importlib.import_module(path)
        except ImportError:
            return UNKNOWN
    return sys.modules.get(path, UNKNOWN)
