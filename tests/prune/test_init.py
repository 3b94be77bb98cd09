from __future__ import annotations

import ast
from pathlib import Path

import fpgaprune.prune

FOLDER = Path(fpgaprune.prune.__file__).parent


def test_everything_public_is_there():
    for name in fpgaprune.prune.__all__:
        assert hasattr(fpgaprune.prune, name)


def test_the_package_imports_nothing_above_it():
    lower = ("checks", "errors", "explained", "fixed", "paths", "rows", "several", "store", "toml", "version")
    allowed = {f"fpgaprune.{name}" for name in lower} | {
        f"fpgaprune.explained.{name}" for name in ("curves", "history")
    }
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("fpgaprune"):
                assert node.module in allowed or node.module.startswith("fpgaprune.prune"), path.name
