"""The small faults: comparisons, conditions, arithmetic, constants, check ids, statements left out, results withheld.

Texts for people (codes and places of a fault) and doc strings are left alone: nothing is decided by them. Two words are exceptions, because they
decide: ids of checks and the reasons for which a check is skipped.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd, ast.Pow: ast.Mult,
}  # fmt: skip
_CHECK = re.compile(r"[A-Z][0-9]")


@dataclass(frozen=True)
class Fault:
    """One changed function or class of a module: `name` says where and how, and stays the same while the line does.

    `lines` are those of the statement that is changed: whoever runs none of them cannot notice.
    """

    name: str
    tree: ast.Module
    lines: range


def faults_of(source: str) -> Iterator[Fault]:
    """Every fault of a module, each alone in a tree of its own."""
    seen: dict[str, int] = {}
    for part in ast.parse(source).body:
        whole = ast.Module([part], [])
        for place, (function, statement, node) in enumerate(_nodes(whole)):
            for number, change in enumerate(_changes(node)):
                changed = copy.deepcopy(whole)
                _, other_statement, other = list(_nodes(changed))[place]
                list(_changes(other))[number][1]()
                ast.fix_missing_locations(changed)
                before, after = _line(statement), _line(other_statement)
                name = f"{function}: {before}  =>  {after if after != before else change[0]}"
                seen[name] = seen.get(name, 0) + 1
                yield Fault(name if seen[name] == 1 else f"{name}  ({seen[name]})", changed, _lines(statement))


def _line(statement: ast.AST) -> str:
    """The head of a statement in one line."""
    bare = copy.copy(statement)
    for block in ("body", "orelse", "finalbody", "handlers"):
        if isinstance(getattr(bare, block, None), list):
            setattr(bare, block, [])
    return " ".join(ast.unparse(bare).split()).rstrip(":")


def _lines(statement: ast.AST) -> range:
    """The lines of a statement's head; none for the head of a function or class, which runs when the module is read."""
    assert isinstance(statement, ast.stmt)
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return range(0)
    body = getattr(statement, "body", None)
    return range(statement.lineno, body[0].lineno if body else (statement.end_lineno or 0) + 1)


def _nodes(tree: ast.Module) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    """(function, statement, node) of all that may be changed: everything inside functions but doc strings and annotations."""

    def walk(node: ast.AST, function: str, statement: ast.AST) -> Iterator[tuple[str, ast.AST, ast.AST]]:
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST):
                    continue
                inner = f"{function}.{child.name}".lstrip(".") if isinstance(child, ast.FunctionDef | ast.ClassDef) else function
                holder = child if isinstance(child, ast.stmt) else statement
                if function and not _is_text(child):
                    yield inner, holder, child
                yield from walk(child, inner, holder)

    yield from walk(tree, "", tree)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[], object]]]:
    """(what it is called, the change in place) for a node; calling the second makes the change."""
    match node:
        case ast.Compare():
            for at, each in enumerate(node.ops):
                if type(each) in _COMPARE:
                    yield "comparison", lambda at=at, each=each: node.ops.__setitem__(at, _COMPARE[type(each)]())
        case ast.BoolOp():
            yield "and / or", lambda: setattr(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not()):
            yield "not", lambda: _without_not(node)
        case ast.If() | ast.IfExp() | ast.While():
            yield "condition", lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension(ifs=[_, *_]):
            yield "filter", node.ifs.clear
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _ARITHMETIC:
            yield "arithmetic", lambda: setattr(node, "op", _ARITHMETIC[type(node.op)]())
        case ast.Constant(value=bool()):
            yield "flag", lambda: setattr(node, "value", not node.value)
        case ast.Constant(value=int()):
            yield "number", lambda: setattr(node, "value", node.value + 1)
        case ast.Constant(value=bytes()) if node.value:
            yield "bytes", lambda: setattr(node, "value", node.value[:-1] + bytes([node.value[-1] ^ 1]))
        case ast.Constant(value=str()) if _CHECK.fullmatch(node.value):
            yield "check", lambda: setattr(node, "value", "I6" if node.value != "I6" else "C1")
        case ast.Expr(value=ast.Call()):
            yield "left out", lambda: setattr(node, "value", ast.Constant(None))
        case ast.Raise():
            yield "not raised", lambda: (setattr(node, "exc", ast.Constant(None)), _becomes_pass(node))
        case ast.Return(value=ast.AST()) if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "nothing returned", lambda: setattr(node, "value", ast.Constant(None))
        case ast.Continue():
            yield "continue / break", lambda: _becomes(node, ast.Break)
        case ast.Break():
            yield "continue / break", lambda: _becomes(node, ast.Continue)
        case _:
            return


def _without_not(node: ast.UnaryOp) -> None:
    """`not x` as the truth of x: twice not."""
    node.operand = ast.UnaryOp(ast.Not(), node.operand)


def _becomes(node: ast.AST, kind: type[ast.AST]) -> None:
    node.__class__ = kind


def _becomes_pass(node: ast.Raise) -> None:
    node.__class__ = ast.Pass  # type: ignore[assignment]
    node.exc = node.cause = None
