"""The house: who may import whom, how long things may be, what is not said. Each rule is tested on what breaks it."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "daemon" / "stenod"
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
WRITINGS = sorted(
    path.relative_to(ROOT).as_posix()
    for top in ("daemon", "tests", "config", "systemd", ".ci", "README.md", "pyproject.toml")
    for path in ([ROOT / top] if (ROOT / top).is_file() else (ROOT / top).rglob("*"))
    if path.suffix in (".py", ".toml", ".md", ".json", ".service", ".typed", "") and path.is_file()
)

FUNCTION_LINES_MAX, MODULE_LINES_MAX = 50, 300
"""Without docstrings. Past that, something wants another noun."""
CONFIGURATION = {"pathnames.py", "options.py", "values.py", "sources.py", "contradictions.py", "config.py"}
LAYERS = {
    "core": {"stenod.core", "msgspec"},
    "providers": {"stenod.core", "stenod.providers", "msgspec"},
    "tasks": {"stenod.core", "stenod.providers", "stenod.tasks", "msgspec", "trio"},
    "edge": {"stenod.core", "trio"},
    "configuration": {
        "stenod.core",
        "stenod.options",
        "stenod.pathnames",
        "stenod.values",
        "stenod.sources",
        "stenod.contradictions",
        "stenod.config",
        "msgspec",
    },
}
"""What each layer may import besides the standard library; `edge` one package more, each file its own."""
IMPURE = {"asyncio", "logging", "os", "pathlib", "secrets", "select", "socket", "subprocess", "sys", "time"}
COMPANIONS = {"soxr": "numpy", "soundfile": "numpy", "sounddevice": "numpy", "trio_websocket": "wsproto"}
"""What a package's own values or errors are made of."""
EMULATOR_USERS = {"cli.py", "engagement.py"}
CATCH_ALL = {
    "app.py": "the top of the task tree: an exception in the uplink is not the end of the recording",
    "__main__.py": "the top of the process: what arrives here becomes words and an exit code",
    "tasks/session.py": "an exception in a session ends the session, not the recording",
    "edge/websocket.py": "whatever a peer makes the library raise ends that connection only",
    "emulator/server.py": "the boundary of a server: whatever a connection sets off ends with it",
    "edge/telemetry.py": "a field that cannot be shown must not end what it was about",
}
BANNED = {
    "time.time": "`now`, handed in",
    "time.monotonic": "`now`, handed in (trio.current_time() in tasks)",
    "datetime.now": "positions and the clock fit (timeline)",
    "datetime.utcnow": "positions and the clock fit (timeline)",
    "datetime.today": "positions and the clock fit (timeline)",
}
"""In core, providers and tasks, with what to use."""
UNSAID = {
    r"/(?:home|root|work|tmp)/\w": "a path of one machine",
    r"(?i)\bissue #\d": "a number that means nothing here",
    r"(?i)\b(?:pypi|pythonhosted)\.org": "a registry's host",
}


def layer_of(module: str) -> str:
    """Return the layer a module belongs to; the top knows everything."""
    if module in CONFIGURATION:
        return "configuration"
    return module.split("/")[0] if "/" in module else "top"


def imports(tree: ast.AST) -> Iterator[str]:
    """Return the full names of what is imported, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield ast.unparse(node.args[0]).strip("'\"")


def layering(module: str, tree: ast.AST) -> Iterator[str]:
    """Imports that the module's layer may not make."""
    layer = layer_of(module)
    outside = set()
    for name in imports(tree):
        first, *rest = name.split(".")
        known = f"stenod.{rest[0]}" if first == "stenod" and rest else first
        if name.startswith("."):
            yield f"{name}: write the full name"
        elif known == "stenod.emulator" and layer != "emulator" and module not in EMULATOR_USERS:
            yield f"{name}: only {', '.join(sorted(EMULATOR_USERS))} and tests know the emulator"
        elif layer == "emulator" and first == "stenod" and known != "stenod.emulator":
            yield f"{name}: the emulator shares no code with the daemon"
        elif layer in ("core", "providers") and (first in IMPURE or (first == "random" and name != "random.Random")):
            yield f"{name}: {layer} is pure; hand it in"
        elif layer in ("top", "emulator") or known in LAYERS[layer] or first in sys.stdlib_module_names:
            continue
        elif layer == "edge" and first != "stenod":
            outside.add(first)
        elif (module, first) != ("core/level.py", "numpy"):
            yield f"{name}: {layer} may not import it"
    if len(outside - {COMPANIONS.get(first, "") for first in outside}) > 1:
        yield f"{', '.join(sorted(outside))}: one outside package a file"


def lines_of(node: ast.AST) -> int:
    """Return the lines of a module or function without docstrings."""
    told = 0
    for inner in ast.walk(node):
        if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant) and isinstance(inner.value.value, str):
            told += inner.end_lineno - inner.lineno + 1
    first = 1 if isinstance(node, ast.Module) else node.lineno
    last = max((getattr(inner, "end_lineno", 0) or 0 for inner in ast.walk(node)), default=0)
    return last - first + 1 - told


def size(_module: str, tree: ast.Module) -> Iterator[str]:
    """What is too long."""
    if (lines := lines_of(tree)) > MODULE_LINES_MAX:
        yield f"the module has {lines} lines"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := lines_of(node)) > FUNCTION_LINES_MAX:
            yield f"{node.name}: {lines} lines"


def calls(module: str, tree: ast.AST) -> Iterator[str]:
    """Calls with a better replacement."""
    pure = layer_of(module) in ("core", "providers", "tasks")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        banned = next((one for one in BANNED if name == one or name.endswith("." + one)), None)
        if pure and banned:
            yield f"{name}: use {BANNED[banned]}"
        if pure and re.fullmatch(r"random\.[a-z]\w*", name):
            yield f"{name}: use an `rng: random.Random`, handed in"
        if name == "print":
            yield "print: use click.echo in commands, the log elsewhere"
        if "open_memory_channel" in name and re.search(r"\binf\b", ast.unparse(node.args[0])):
            yield f"{name}: every queue has a bound"


def catch_all(module: str, tree: ast.AST) -> Iterator[str]:
    """Handlers that swallow whatever comes; cleaning up and raising it again is fine."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and module not in CATCH_ALL and ast.unparse(node.body[-1]) != "raise":
            caught = "" if node.type is None else ast.unparse(node.type)
            if caught == "" or re.search(r"\b(?:Base)?Exception\b", caught):
                yield f"line {node.lineno}: name the exceptions"


def docstring(_module: str, tree: ast.Module) -> Iterator[str]:
    """Modules that do not say what they are."""
    if tree.body and not ast.get_docstring(tree):
        yield "no docstring"


def unsaid(_name: str, text: str) -> Iterator[str]:
    """Words that mean nothing outside the machine they were written on."""
    for pattern, meaning in UNSAID.items():
        yield from (f"{found[0]!r}: {meaning}" for found in re.finditer(pattern, text))


def decides(tree: ast.AST) -> bool:
    """Return whether there is something to test: a branch, a loop, an error, a table."""
    branches = (ast.If, ast.IfExp, ast.For, ast.While, ast.Match, ast.Try, ast.Raise, ast.BoolOp, ast.comprehension)
    return any(isinstance(node, (*branches, ast.List, ast.Dict)) for node in ast.walk(tree))


def test_file_candidates(module: str) -> list[Path]:
    """Return where the tests of a module may be: `a_b.py` is tested in `test_a_b.py` or `test_a.py`."""
    folder, _, name = module.removesuffix(".py").rpartition("/")
    parts = name.split("_")
    return [ROOT / "tests" / folder / f"test_{'_'.join(parts[:n])}.py" for n in range(1, len(parts) + 1)]


test_file_candidates.__test__ = False
CHECKS = (layering, size, calls, catch_all, docstring)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_keeps_the_house_rules(module: str) -> None:
    """Layering, size, banned calls, catch-alls, docstrings."""
    tree = ast.parse((SOURCE / module).read_text())
    assert [f"{check.__name__}: {one}" for check in CHECKS for one in check(module, tree)] == []


@pytest.mark.parametrize("name", WRITINGS)
def test_every_file_speaks_of_the_project_only(name: str) -> None:
    """No paths of a machine, no numbers from elsewhere."""
    assert list(unsaid(name, (ROOT / name).read_text(errors="replace"))) == []


@pytest.mark.parametrize("module", [one for one in MODULES if layer_of(one) in ("core", "providers", "tasks", "edge")])
def test_every_module_that_decides_something_has_its_tests(module: str) -> None:
    """Contracts and plain values need none."""
    if decides(ast.parse((SOURCE / module).read_text())):
        assert any(path.exists() for path in test_file_candidates(module)), (
            f"no {test_file_candidates(module)[-1].name}"
        )


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("core/x.py", "import trio"),
        ("core/x.py", "import numpy"),
        ("core/x.py", "import time"),
        ("core/x.py", "def f():\n    from pathlib import Path"),
        ("core/x.py", "from random import random"),
        ("core/x.py", "from stenod.providers import base"),
        ("providers/x.py", "from stenod import edge"),
        ("providers/x.py", "import socket"),
        ("tasks/x.py", "from stenod.edge.websocket import connect"),
        ("tasks/x.py", "import structlog"),
        ("edge/x.py", "import structlog, tenacity"),
        ("edge/x.py", "import structlog, numpy"),
        ("edge/x.py", "from stenod.edge import retry"),
        ("edge/x.py", "import stenod.tasks.pacer"),
        ("edge/x.py", "from . import retry"),
        ("emulator/x.py", "from stenod.core import verdict"),
        ("check.py", "from stenod.emulator import server"),
        ("check.py", "importlib.import_module('stenod.emulator')"),
        ("config.py", "from stenod.edge import secrets"),
    ],
)
def test_layering_can_fail(module: str, text: str) -> None:
    """Each layer's forbidden import is found."""
    assert list(layering(module, ast.parse(text)))


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("core/level.py", "import numpy as np"),
        ("core/backoff.py", "from random import Random\nimport msgspec"),
        ("edge/soundfile.py", "import soundfile, numpy, trio, os"),
        ("engagement.py", "from stenod.emulator import server"),
        ("emulator/x.py", "from stenod.emulator import y\nimport numpy, trio"),
    ],
)
def test_layering_allows_what_is_meant(module: str, text: str) -> None:
    """The exceptions of the rules are exceptions."""
    assert list(layering(module, ast.parse(text))) == []


@pytest.mark.parametrize(
    ("check", "module", "text"),
    [
        (size, "x.py", "x = 1\n" * (MODULE_LINES_MAX + 1)),
        (size, "x.py", "async def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX),
        (calls, "core/x.py", "time.time()"),
        (calls, "tasks/x.py", "datetime.datetime.now()"),
        (calls, "tasks/x.py", "datetime.now(UTC)"),
        (calls, "providers/x.py", "random.uniform(0, 1)"),
        (calls, "edge/x.py", "print(1)"),
        (calls, "edge/x.py", "trio.open_memory_channel(math.inf)"),
        (calls, "edge/x.py", "trio.open_memory_channel[int](float('inf'))"),
        (catch_all, "tasks/x.py", "try: f()\nexcept Exception: pass"),
        (catch_all, "edge/x.py", "try: f()\nexcept (OSError, BaseException): pass"),
        (catch_all, "edge/x.py", "try: f()\nexcept: pass"),
        (docstring, "x.py", "x = 1"),
    ],
)
def test_checks_can_fail(check, module: str, text: str) -> None:
    """A check that finds nothing in what breaks its rule is worthless."""
    assert list(check(module, ast.parse(text)))


def test_checks_let_good_code_pass() -> None:
    """Docstrings have no length, a handed-in generator is fine, a bounded channel too."""
    text = '"""Good."""\n\ndef f(rng):\n    """' + "Long.\n" * 400 + '"""\n    rng.uniform(0, 1)\n'
    text += "    random.Random(1)\n    trio.open_memory_channel(1)\n    try: f(1)\n    except ValueError: pass\n"
    tree = ast.parse(text + "    except BaseException:\n        raise\n")
    assert [one for check in CHECKS for one in check("core/x.py", tree)] == []


def test_words_of_a_machine_are_found() -> None:
    """A path, a number and a host that mean nothing elsewhere."""
    assert len(list(unsaid("x", "see /" + "home/me, Issue " + "#12 and pypi" + ".org"))) == 3


def test_what_decides_is_told_from_what_does_not() -> None:
    """A contract needs no tests; a branch or a table does."""
    assert not decides(ast.parse('class A(Protocol):\n    def f(self) -> int:\n        """Do."""\nX: tuple = (1,)'))
    assert decides(ast.parse("def f(x): return 1 if x else 2"))
    assert decides(ast.parse("X = [1]"))
    assert [path.name for path in test_file_candidates("core/a_b.py")] == ["test_a.py", "test_a_b.py"]
