"""Lists that are changed where they are: out.append(x), out.extend(xs), out += xs.

Owns: which lists may be changed so. A list is a value here, and in Python a thing that several
names can share; the two mean the same only for a list that no other name can see. Comes in: the
syntax of a function, the name of a list. Goes out: a refusal, or nothing.
Does not know: what a change computes.

A name may be changed if every value that it is ever given is a list of its own, made at that
moment, and if it is read only where nothing keeps what is read.
"""

from __future__ import annotations

import ast

from eau2.python.iteration import is_builtin
from eau2.python.names import Defined, Module
from eau2.python.reader import Reader
from eau2.records import Struct, field

CHANGES = frozenset({"append", "extend"})
_MAKING = frozenset({"list", "sorted"})
_MAKING_METHODS = frozenset({"copy", "rsplit", "split", "splitlines"})
_READING = frozenset(
    {"all", "any", "ascii", "bool", "enumerate", "len", "list", "repr", "sorted", "str", "sum"}
    | {"zip"}
)
_READING_METHODS = CHANGES | {"copy", "count", "index"}
_HINT = "Make another list: {name} = {name} + [x]."


class Changes(Struct):
    """The lists of one function. function: None where nothing may be changed."""

    function: ast.FunctionDef | None
    _around: dict[ast.AST, ast.AST] = field(default_factory=dict)
    _reasons: dict[str, str | None] = field(default_factory=dict)

    def check(self, name: str, node: ast.AST, reader: Reader) -> None:
        """Raise FunctionDefinitionError if a change of the list might be seen elsewhere."""
        if name not in self._reasons:
            self._reasons[name] = self._reason(name, reader)
        reason = self._reasons[name]
        if reason is not None:
            raise reader.refuse(node, reason, _HINT.format(name=name))

    def _reason(self, name: str, reader: Reader) -> str | None:
        function = self.function
        if function is None:
            return f"{name} cannot be changed here"
        if not self._around:
            self._around |= {
                child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)
            }
        if any(argument.arg == name for argument in function.args.args):
            return f"{name} is a list of the caller's, which a change would change too"
        for node in ast.walk(function):
            match node:
                case ast.Name(id=found, ctx=ast.Load()) if found == name:
                    if not self._is_only_read(node, reader):
                        return f"{name} is changed, and line {reader.source.line(node)} keeps it"
                case ast.Name(id=found) if found == name:
                    if not self._is_given_its_own(node, reader):
                        line = reader.source.line(node)
                        return f"{name} is changed, and in line {line} it may be another list too"
                case ast.MatchAs(name=found) if found == name:
                    line = reader.source.line(node)
                    return f"{name} is changed, and in line {line} it may be another list too"
                case ast.For(iter=over, body=body) if _is_gone_over(name, over):
                    if any(_changes(name, part) for part in body):
                        return f"{name} is changed in a loop over it"
        return None

    def _is_given_its_own(self, node: ast.Name, reader: Reader) -> bool:
        """Whether the name becomes a list that is made there, or is changed."""
        match self._around.get(node):
            case ast.Assign(targets=[_], value=value):
                return _is_made(value, reader)
            case ast.AnnAssign(value=value):
                return value is None or _is_made(value, reader)
            case ast.AugAssign():
                return True
        return False

    def _is_only_read(self, node: ast.expr, reader: Reader) -> bool:
        """Whether nothing keeps the list itself: what is read are elements, or is made anew."""
        around = self._around.get(node)
        match around:
            case ast.BinOp() | ast.Compare() | ast.FormattedValue() | ast.comprehension():
                return True
            case ast.UnaryOp(op=ast.Not()) | ast.For() | ast.AugAssign() | ast.Return():
                return True
            case ast.Subscript(value=value):
                return value is node
            case ast.Attribute(attr=name):
                called = self._around.get(around)
                return isinstance(called, ast.Call) and name in _READING_METHODS
            case ast.Call(func=called) if called is not node:
                return _only_reads(called, reader)
            case ast.If() | ast.Assert():
                return True
            case ast.IfExp(test=test):
                return test is node or self._is_returned(around)
            case ast.BoolOp():
                return self._is_tested(around) or self._is_returned(around)
            case ast.Assign(targets=[ast.Tuple() | ast.List()], value=value):
                return value is node
        return False

    def _is_tested(self, node: ast.expr) -> bool:
        """Whether only the truth of an expression counts."""
        match self._around.get(node):
            case ast.If() | ast.Assert() | ast.UnaryOp(op=ast.Not()):
                return True
            case ast.IfExp(test=test):
                return test is node
            case ast.comprehension(ifs=ifs):
                return node in ifs
            case ast.BoolOp() as outer:
                return self._is_tested(outer)
        return False

    def _is_returned(self, node: ast.expr) -> bool:
        """Whether the function ends with the value: then nothing changes it any more."""
        around = self._around.get(node)
        if isinstance(around, ast.IfExp | ast.BoolOp):
            return self._is_returned(around)
        return isinstance(around, ast.Return)


def _is_gone_over(name: str, over: ast.expr) -> bool:
    """Whether a loop takes the elements out of the list while it runs."""
    match over:
        case ast.Name(id=found):
            return found == name
        case ast.Call(func=ast.Name(id="enumerate" | "zip"), args=args):
            return any(_is_gone_over(name, arg) for arg in args)
    return False


def _changes(name: str, statement: ast.AST) -> bool:
    """Whether the statement, or one in it, changes the list of the name."""
    for node in ast.walk(statement):
        match node:
            case ast.AugAssign(target=ast.Name(id=found)) if found == name:
                return True
            case ast.Attribute(value=ast.Name(id=found), attr=attr) if found == name:
                if attr in CHANGES:
                    return True
    return False


def _is_made(value: ast.expr, reader: Reader) -> bool:
    """Whether the value is a list that no name has had before, or no list."""
    match value:
        case ast.List() | ast.ListComp() | ast.Constant() | ast.BinOp():
            return True
        case ast.Subscript(slice=ast.Slice()):
            return True
        case ast.IfExp(body=body, orelse=orelse):
            return _is_made(body, reader) and _is_made(orelse, reader)
        case ast.Call(func=ast.Name(id=name)) if name in _MAKING:
            return is_builtin(name, reader)
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in _MAKING_METHODS
    return False


def _only_reads(called: ast.expr, reader: Reader) -> bool:
    """Whether a function that is called gives nothing of which the list itself is a part."""
    match called:
        case ast.Name(id=name):
            meaning = reader.names(name)
            if isinstance(meaning, Defined):
                return not meaning.function.type.is_list
            return name in _READING and is_builtin(name, reader)
        case ast.Attribute(value=ast.Name(id=name)) if name not in reader.env:
            return isinstance(reader.names(name), Module)
        case ast.Attribute(attr=name):
            return name in ("extend", "join")
    return False
