"""A fault: one change to connector.py, found by what the code says, not by its layout."""

import ast
import re
from copy import deepcopy
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from textwrap import indent


class MisfitError(ValueError):
    """A fault that does not fit the connector: why, and which statement is nearest."""


@dataclass(frozen=True)
class Fault:
    """A change to connector.py, and the test that must fail then.

    The change is `place: find => replace`. The place is the name of a function, a class or a
    constant. Each side is an expression, or statements with `;` or line breaks between them.
    Layout, comments and the style of quotes do not count. A text may also be part of a text. What
    is to be found must stand in its place once.
    """

    name: str  # what would be wrong
    change: str
    test: str  # `rows::text_stays_text` is test_text_stays_text() of test_rows.py

    @property
    def test_id(self) -> str:
        """The test for pytest; without brackets, with all its parameters."""
        file, _, name = self.test.partition("::")
        return f"tests/test_{file}.py::test_{name}"

    def put_into(self, source: str) -> str:
        """The text of connector.py with the fault. Raises MisfitError."""
        name, find, replace = self.read_change()
        named = [deepcopy(node) for found, node in list_places(source) if found == name]
        paths = [path for node in named for path in exchange(node, [], find, replace)]
        if len(named) > 1 or len(paths) > 1:
            raise MisfitError(f"{self.name}: it stands in {name} {len(paths)} times")
        if not paths:
            why = f"it is not in {name}" if named else f"there is no {name}"
            missing = "; ".join(map(ast.unparse, find))
            nearest = find_nearest(missing, source, name)
            raise MisfitError(f"{self.name}: {why}, and {nearest}\n  - {missing}")
        return write(source, paths[0])

    def read_change(self) -> tuple[str, list, list]:
        """The place, and both sides: an expression each, or statements. Raises MisfitError."""
        match = re.fullmatch(r"(\w+): (.+) => (.+)", self.change, re.DOTALL)
        if match is None:
            raise MisfitError(f"{self.name}: write it as `place: find => replace`")
        name, *sides = match.groups()
        try:
            find, replace = (ast.parse(side).body for side in sides)
        except SyntaxError as error:
            raise MisfitError(f"{self.name}: {error.msg}: {error.text}") from None
        if is_same(find, replace):
            raise MisfitError(f"{self.name}: it changes nothing")
        if all(len(side) == 1 and isinstance(side[0], ast.Expr) for side in (find, replace)):
            return name, [find[0].value], [replace[0].value]
        return name, find, replace


@lru_cache
def list_places(source: str) -> list:
    """The functions, classes and constants of a module: the name of each, and the node."""
    tree = ast.parse(source)
    kinds = (ast.FunctionDef, ast.ClassDef)
    defined = [(node.name, node) for node in ast.walk(tree) if isinstance(node, kinds)]
    assigned = [node for node in tree.body if isinstance(node, (ast.Assign, ast.AnnAssign))]
    targets = [(getattr(node, "target", None) or node.targets[0], node) for node in assigned]
    return defined + [(ast.unparse(target), node) for target, node in targets]


def exchange(node: ast.AST, path: list, find: list, replace: list) -> list:
    """Put what replaces it in place of what is to be found, wherever it stands below a node.

    Returns:
        Of each that was found, the statements around it, from the outermost to the innermost.
    """
    path, found = [*path, node] if isinstance(node, ast.stmt) else path, []
    if isinstance(node, ast.Expr) and is_text(node.value):
        return []  # a docstring
    for name, value in ast.iter_fields(node):
        rest, kept = list(value) if isinstance(value, list) else [value], []
        while rest:
            if is_same(rest[: len(find)], find):
                kept, rest = [*kept, *replace], rest[len(find) :]
                found.append(path)
                continue
            child = rest.pop(0)
            if is_text(child, *find, *replace) and find[0].value in child.value:
                found += [path] * child.value.count(find[0].value)
                child.value = child.value.replace(find[0].value, replace[0].value)
            elif isinstance(child, ast.AST):
                found += exchange(child, path, find, replace)
            kept.append(child)
        setattr(node, name, kept if isinstance(value, list) else kept[0])
    return found


def is_same(some: list, others: list) -> bool:
    return list(map(type, some)) == list(map(type, others)) and all(
        isinstance(one, ast.AST) and ast.dump(one) == ast.dump(other)
        for one, other in zip(some, others, strict=True)
    )


def is_text(*nodes) -> bool:
    return all(isinstance(node, ast.Constant) and isinstance(node.value, str) for node in nodes)


def write(source: str, path: list) -> str:
    """The source with the innermost statement of a path as it is in the tree by now."""
    lines, path = source.split("\n"), list(path)
    while re.match(" *elif ", lines[path[-1].lineno - 1]):
        path.pop()  # alone, it would be written as an `if`
    changed = path[-1]
    first = min(node.lineno for node in (changed, *getattr(changed, "decorator_list", [])))
    text = indent(ast.unparse(changed), " " * changed.col_offset)
    return "\n".join([*lines[: first - 1], text, *lines[changed.end_lineno :]])


@lru_cache
def list_statements(source: str) -> list:
    """The statements of a module: the text of each, the function it is in, and its line."""
    found = [
        (ast.unparse(node).split("\n")[0], name, node.lineno)
        for name, place in list_places(source)
        for node in ast.walk(place)
        if isinstance(node, ast.stmt)
    ]
    return [one for one in found if one[0][0] not in "'\""]  # no docstrings


def find_nearest(missing: str, source: str, name: str) -> str:
    """The statement that has most in common with a text, and where it stands."""
    match, best = SequenceMatcher(b=missing, autojunk=False), []
    for text, place, line in list_statements(source):
        match.set_seq1(text)
        blocks = [block.size for block in match.get_matching_blocks() if block.size > 2]
        common = sum(blocks) - 0.5 * len(blocks) - 0.01 * len(text) + 5 * (place == name)
        best.append((common, f"line {line}, in {place}, is nearest:\n  + {text[:200]}"))
    return max(best)[1]
