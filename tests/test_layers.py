"""The plan of the packages, as far as import-linter does not check it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = {
    "asc_tf/train.py", "asc_tf/evaluate.py", "asc_tf/compare.py", "asc_tf/submit.py", "asc_tf/predict.py",
    "asc_tf/listen.py", "asc_tf/prepare.py", "asc_tf/show.py", "asc_tf/complexity.py", "asc_tf/import_weights.py",
    "export/tflite.py", "export/micro.py", "export/parity.py",
    "tuning/search.py",
}  # fmt: skip
PRIVATE = ("tensorflow.python", "tensorflow.lite.python", "tensorflow.lite.tools", "keras.src", "tf_keras.src")


def modules():
    """(path below the root, syntax tree) of every module."""
    for folder in ("asc_tf", "export", "tuning"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text())


def imports(tree):
    """(node, name of the imported module) of every import statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, item.name) for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or ""


def test_only_programs_import_inside_functions():
    inside = [
        f"{file}:{node.lineno}"
        for file, tree in modules()
        if file not in PROGRAMS
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node, _ in imports(function)
    ]
    assert inside == []


def test_private_modules_of_libraries_are_imported_in_compat_only():
    private = [
        f"{file}: {name}"
        for file, tree in modules()
        if not file.endswith("/_compat.py")
        for _, name in imports(tree)
        if name.startswith(PRIVATE)
    ]
    assert private == []


def test_loose_modules_are_the_assembly_and_the_programs():
    loose = {f"asc_tf/{file.name}" for file in (ROOT / "asc_tf").glob("*.py")}
    expected = {
        f"asc_tf/{name}.py" for name in ("__init__", "__main__", "dataset", "errors", "command_line", "keras_settings")
    }
    assert loose == expected | {file for file in PROGRAMS if file.startswith("asc_tf/")}


def test_no_two_public_classes_share_a_name():
    names = [
        node.name
        for _, tree in modules()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_modules_that_are_imported_by_their_file_name_alone_have_different_names():
    """Tests, what they share, and benchmarks lie in no package: of two with one name the second is never imported.

    A benchmark also hides a folder of tests of its name from tests that import from that folder.
    """
    files = [file for folder in ("tests", "benchmarks") for file in (ROOT / folder).rglob("*.py")]
    names = [file.name for file in files if file.name not in ("conftest.py", "__init__.py")]
    assert not [name for name in set(names) if names.count(name) > 1]
    of_tests = [ast.parse(file.read_text()) for file in (ROOT / "tests").rglob("*.py")]
    first = {name.split(".")[0] for tree in of_tests for _, name in imports(tree)}
    folders = {folder.name for folder in (ROOT / "tests").iterdir() if folder.is_dir()}
    assert not first & folders & {file.stem for file in (ROOT / "benchmarks").glob("*.py")}
