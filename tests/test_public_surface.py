"""Public functions and methods of asc_tf and export are documented and typed.

ruff checks docstrings and return types (D and ANN rules in pyproject.toml); here the types of arguments are counted.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]


def public_functions():
    """(file:line name, function, whether it is a method) of every function and method without leading underscore."""
    for folder in ("asc_tf", "export", "tuning"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            module = ast.parse(file.read_text())
            classes = [node for node in module.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
            for owner in (module, *classes):
                for node in owner.body:
                    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                        yield f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", node, owner is not module


def arguments(function, is_method):
    static = any(isinstance(item, ast.Name) and item.id == "staticmethod" for item in function.decorator_list)
    positional = [*function.args.posonlyargs, *function.args.args]
    return [*positional[is_method and not static :], *function.args.kwonlyargs]


def test_every_public_function_is_documented():
    functions = list(public_functions())
    assert len(functions) > 400
    assert [name for name, function, _ in functions if not ast.get_docstring(function)] == []


def test_public_functions_are_typed():
    functions = list(public_functions())
    untyped = [
        name
        for name, function, is_method in functions
        if function.returns is None or any(item.annotation is None for item in arguments(function, is_method))
    ]
    assert len(untyped) <= 0.05 * len(functions), untyped
