"""An import goes down only, and the core asks for nothing but JAX's own libraries.

The floors below are the map of the package: a room imports its own files and rooms of lower floors.
"""

import ast
import functools
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

PACKAGES = ("configs", "scaling", "search", "experiments")

# From the lowest up; rooms of one floor do not know each other.
FLOORS = (
    ("border", "laws"),
    ("arch",),
    ("rules",),
    ("zoo",),  # its tables are built by rules
    ("runs",),  # what a run is, as values: a spec, the network it names, its row and its directory
    ("models", "data"),
    ("tasks",),  # what a network is trained for: losses of its outputs, inputs from data
    ("cost", "weights"),  # the counter walks a model, weights are a model's variables
    ("training",),  # counts a network first, may start from weights
    ("sweeps",),
    ("reports",),
)
SEARCH_FLOORS = (
    ("core",),
    ("spaces", "strategies", "simulation"),  # strategies know spaces and arrays, never what evaluates them
    ("evaluators",),
    ("runs",),
    ("reports",),
)
FLOOR = {
    package: {room: height for height, rooms in enumerate(floors) for room in rooms}
    for package, floors in (("scaling", FLOORS), ("search", SEARCH_FLOORS))
}

CORE = {"jax", "flax", "optax", "orbax", "numpy"}
HEAVY = (
    "tensorflow",
    "tensorflow_datasets",
    "matplotlib",
    "sklearn",
    "grain",
    "PIL",
    "ml_collections",
    "safetensors",
    "huggingface_hub",
)


@dataclass(frozen=True)
class Import:
    """One import: of module `target` by module `source`; `lazy` inside a function."""

    source: str
    target: str
    lazy: bool
    line: int

    def __str__(self):
        return f"{self.source}:{self.line} imports {self.target}"


def module_files() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    files = {}
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            parts = path.relative_to(REPOSITORY).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


FILES = module_files()


def imports(source: str) -> Iterator[Import]:
    """The imports that a module writes down, of modules as far as the names are modules of ours."""
    tree = ast.parse(FILES[source].read_text())
    eager = {id(node) for node in _outside_functions(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}:{node.lineno} imports relatively: write the full name."
            dotted = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [name if name in FILES else str(node.module) for name in dotted]
        else:
            continue
        yield from (Import(source, target, id(node) not in eager, node.lineno) for target in targets)


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs at import: neither what a function holds, nor what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        typing_only = isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        if not typing_only and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _outside_functions(node)


@functools.cache
def everything() -> list[Import]:
    """All imports of the repository; parsed when a test asks, not when tests are collected."""
    return [found for source in FILES for found in imports(source)]


@functools.cache
def ours() -> list[Import]:
    """Those of them that name a module of the repository."""
    return [found for found in everything() if found.target.split(".")[0] in PACKAGES]


def room(module: str) -> str:
    """The room of a module of `scaling` or `search`; "" for the package's front door."""
    return (module.split(".") + [""])[1]


@pytest.mark.parametrize("package", FLOOR)
def test_the_map_names_every_room(package):
    rooms = {room(module) for module in FILES if module.startswith(f"{package}.")}
    assert rooms <= set(FLOOR[package]), f"say in FLOORS where {sorted(rooms - set(FLOOR[package]))} stand"


def test_packages_import_downwards():
    height = {package: i for i, package in enumerate(PACKAGES[1:])}
    upwards = [
        str(found)
        for found in ours()
        if "configs" not in (found.source.split(".")[0], found.target.split(".")[0])
        and height[found.target.split(".")[0]] > height[found.source.split(".")[0]]
    ]
    assert not upwards


@pytest.mark.parametrize("package", FLOOR)
def test_rooms_import_downwards(package):
    wrong, floor = [], FLOOR[package]
    for found in ours():
        if not (found.source.startswith(f"{package}.") and found.target.split(".")[0] == package):
            continue
        above, below = room(found.source), room(found.target)
        fine = above == below or (below and floor[below] < floor[above])
        if not fine:
            wrong.append(str(found))
    assert not wrong


def test_no_circle_of_modules():
    graph: dict[str, set[str]] = {module: set() for module in FILES}
    for found in ours():
        if not found.lazy and found.source != found.target:
            graph[found.source].add(found.target)
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_configs_import_ml_collections_only():
    allowed = {"ml_collections", "__future__"}
    assert not [
        str(i)
        for i in everything()
        if i.source.startswith("configs") and i.target.split(".")[0] not in allowed
    ]


def test_nothing_imports_configs():
    assert not [str(i) for i in ours() if i.target.startswith("configs")]


def test_scaling_asks_for_the_core_libraries_only_when_imported():
    allowed = CORE | {"scaling"} | sys.stdlib_module_names
    eager = [i for i in everything() if i.source.startswith("scaling") and not i.lazy]
    assert not [str(i) for i in eager if i.target.split(".")[0] not in allowed]


def run_python(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_strategies_know_spaces_and_arrays_only():
    known = ("search.core", "search.strategies", "scaling.border")
    found = [i for i in ours() if i.source.startswith("search.strategies")]
    assert not [str(i) for i in found if not i.target.startswith(known)]


def test_values_ask_for_no_accelerator_library():
    rooms = ("border", "arch", "rules", "zoo", "runs", "laws")
    found = [i for i in everything() if i.source.startswith("scaling.") and room(i.source) in rooms]
    assert not [str(i) for i in found if i.target.split(".")[0] in CORE - {"numpy"} and not i.lazy]


def test_import_scaling_loads_nothing_heavy():
    run_python(
        f"import sys, scaling; loaded = [m for m in {HEAVY} if m in sys.modules]; assert not loaded, loaded"
    )


BLOCKED = """
import importlib.abc, importlib.metadata, re, sys

requirement = re.compile(r"[A-Za-z0-9._-]+")
plain = lambda name: re.sub(r"[-_.]+", "-", name).lower()
kept, todo = set(), {todo}
while todo:
    name = plain(todo.pop())
    if name in kept:
        continue
    kept.add(name)
    try:
        needs = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        continue
    todo += [requirement.match(need)[0] for need in needs if "extra ==" not in need]

owners = importlib.metadata.packages_distributions()
blocked = {{m for m, names in owners.items() if not any(plain(n) in kept for n in names)}}
blocked -= {{"scaling", "search", "configs", "experiments"}}
assert "matplotlib" not in owners or "matplotlib" in blocked


class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {{name!r}} (not part of the core)", name=name)


sys.meta_path.insert(0, Absent())
import {modules}
"""


@pytest.mark.nightly
def test_the_core_runs_where_only_the_core_is_installed():
    modules = "scaling, scaling.models.network, scaling.weights.torch, scaling.zoo, scaling.cost.counting, scaling.training.step"
    libraries = ["jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy"]
    run_python(BLOCKED.format(modules=modules, todo=libraries))
