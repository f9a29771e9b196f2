"""The import arrows, the size limits and the purity that the layout promises, held against the source itself."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NETWORK = {"aiohttp", "asyncio", "bitcoinrpc", "http", "requests", "socket", "urllib", "web3", "websockets", "zmq"}
IMPURE = {"os", "time", "random", "secrets", "subprocess", "logging", "sqlalchemy", "sqlmodel", "sqlite3"}


def modules(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The dotted names a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


ALL = [path for package in ("tracer", "watchers", "fixtures") for path in modules(package)]


@pytest.mark.parametrize("path", modules("tracer"), ids=lambda p: str(p.relative_to(ROOT)))
def test_tracer_imports_no_outer_package_and_no_network_library(path: Path) -> None:
    names = imports(path)
    assert not [n for n in names if any(within(n, outer) for outer in ("watchers", "fixtures", "tests", "benchmarks"))]
    if "web" not in path.relative_to(ROOT / "tracer").parts:
        assert not [n for n in names if n.split(".")[0] in NETWORK]


@pytest.mark.parametrize("path", modules("watchers"), ids=lambda p: str(p.relative_to(ROOT)))
def test_watchers_import_no_fixtures_and_families_stay_apart(path: Path) -> None:
    names = imports(path)
    assert not [n for n in names if any(within(n, outer) for outer in ("fixtures", "tests", "benchmarks"))]
    for family, other in (("bitcoin", "ethereum"), ("ethereum", "bitcoin")):
        if path.is_relative_to(ROOT / "watchers" / family):
            assert not [n for n in names if within(n, f"watchers.{other}")]


@pytest.mark.parametrize("path", modules("fixtures"), ids=lambda p: str(p.relative_to(ROOT)))
def test_fixtures_know_nothing_of_the_product_but_its_nouns(path: Path) -> None:
    assert not [
        n
        for n in imports(path)
        if within(n, "watchers") or (within(n, "tracer") and n != "tracer" and not within(n, "tracer.types"))
    ]


@pytest.mark.parametrize("path", modules("fixtures/ledger"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_ledger_shares_nothing_with_the_product(path: Path) -> None:
    ours = ("fixtures.ledger", "fixtures.jsonrpc")
    for name in imports(path):
        assert not within(name, "tracer") and not within(name, "watchers")
        assert not within(name, "fixtures") or any(within(name, one) for one in ours), name


@pytest.mark.parametrize("path", ALL, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_opens_with_one_sentence_and_stays_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    if "versions" not in path.parts:
        assert ast.get_docstring(tree), "a module says what it knows"
    if "versions" in path.parts:
        return  # a migration is a list of what it does, however long
    assert len(text.splitlines()) <= 450
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in ALL
        if (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0].endswith("Pure.")
    ],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_modules_that_call_themselves_pure_touch_nothing_outside(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] in IMPURE | NETWORK]


def test_no_two_test_modules_share_a_name() -> None:
    """pytest imports them by their names alone."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_some_modules_are_pure() -> None:
    pure = [path for path in modules("tracer") if "Pure." in path.read_text(encoding="utf-8").split("\n")[0]]
    assert len(pure) > 10
