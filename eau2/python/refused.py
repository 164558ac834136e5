"""What is outside the subset, by the syntax that says it: the reason, and what to write instead.

Owns: the table. Does not know: where it is met.
"""

from __future__ import annotations

import ast

EXPRESSIONS: dict[type[ast.expr], tuple[str, str]] = {
    ast.Lambda: ("a lambda has no name and no types", "Define a function with @eau2.function."),
    ast.Dict: (
        "a dict is no value here",
        "Look into a constant one, {...}[k], or name it, once; or use if, or join with a table.",
    ),
    ast.Set: ("a set is no value here", "Use a list; `x in {1, 2}` is there."),
    ast.Tuple: ("a tuple is no value here", "Use a list, or several names: a, b = 1, 2."),
    ast.DictComp: ("a dict is no value here", "Group rows with SQL, or use lists."),
    ast.SetComp: ("a set is no value here", "Use a list comprehension."),
    ast.GeneratorExp: (
        "a generator can only stand where a function or method goes over a list",
        "Use a list comprehension.",
    ),
    ast.NamedExpr: ("an assignment inside an expression", "Assign on a line of its own before."),
    ast.Await: ("there is nothing to wait for in a function of one row", "Leave await out."),
    ast.Yield: (
        "a function of one row gives one value",
        "Return a list; @eau2.table_function makes rows of its elements.",
    ),
    ast.YieldFrom: (
        "a function of one row gives one value",
        "Return a list; @eau2.table_function makes rows of its elements.",
    ),
    ast.Starred: ("arguments are counted when a function is defined", "Write them one by one."),
}
STATEMENTS: dict[type[ast.stmt], tuple[str, str]] = {
    ast.While: (
        "a while loop may run for ever",
        "Use a loop with a bound, and leave it: for i in range(100): if done: break.",
    ),
    ast.Try: (
        "exceptions cannot be caught: they end the query",
        "Test before: if b == 0: return None.",
    ),
    ast.With: ("there is nothing to open in a function of one row", "Leave with out."),
    ast.Global: ("functions change nothing outside", "Give the value as an argument."),
    ast.Nonlocal: ("functions change nothing outside", "Give the value as an argument."),
    ast.Delete: ("names stay until the function ends", "Leave del out."),
    ast.Import: ("imports stand outside the function", "Put it above the function."),
    ast.ImportFrom: ("imports stand outside the function", "Put it above the function."),
    ast.FunctionDef: (
        "a function inside a function",
        "Define it outside with @eau2.function, and call it here.",
    ),
    ast.AsyncFunctionDef: ("a coroutine is no function of one row", "Leave async out."),
    ast.AsyncFor: ("there is nothing to wait for in a function of one row", "Leave async out."),
    ast.AsyncWith: ("there is nothing to open in a function of one row", "Leave async out."),
    ast.ClassDef: ("a class inside a function", "Values are numbers, texts, dates and lists."),
}
WORDS: dict[str, str] = {
    "print": "A function gives a value and does nothing else; return what you want to see.",
    "open": "Functions read no files: load the file, and join with it.",
    "input": "Functions ask nobody: give the value as an argument.",
    "eval": "Nothing of a text is executed; write the function itself.",
    "exec": "Nothing of a text is executed; write the function itself.",
    "isinstance": "Types are known when a function is defined; `x is None` tests for no value.",
    "type": "Types are known when a function is defined.",
    "map": "Use a list comprehension: [f(x) for x in xs].",
    "filter": "Use a list comprehension: [x for x in xs if f(x)].",
    "range": "It can stand in for, and in a comprehension.",
    "enumerate": "It can stand in for, and in a comprehension.",
    "zip": "It can stand in for, and in a comprehension.",
    "divmod": "Write q, r = divmod(a, b), or divmod(a, b)[0].",
    "dict": "Write a constant one as {...}, or join with a table.",
    "set": "Write a constant one as {...}; SQL has list_distinct.",
    "tuple": "Use a list.",
    "hash": "Python's hash differs from process to process; SQL has md5 and sha256.",
    "id": "Values have no identity.",
    "iter": "Use a for loop, or positions.",
    "next": "Use a for loop, or positions.",
}
"""Builtins that are not there, by their names."""
