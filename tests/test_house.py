"""The repository's own rules: links lead somewhere, requirements are pinned, modules stay small."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
FOLDERS = ("docs", "data", "deploy", "notebooks", "src")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(document: Path) -> None:
    targets = [target for target in LINK.findall(document.read_text()) if "://" not in target]
    broken = [target for target in targets if not (document.parent / target).exists()]
    assert broken == []


@pytest.mark.parametrize("module", SOURCES, ids=relative)
def test_modules_and_functions_are_small(module: Path) -> None:
    text = module.read_text()
    functions = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= 60]
    assert (len(text.splitlines()) <= 400, long) == (True, [])


def requirements() -> dict[str, str]:
    """Package name to its requirement with markers, without hashes."""
    text = (ROOT / "requirements.txt").read_text()
    return {
        match["name"]: match["rest"].strip()
        for match in re.finditer(r"^(?P<name>[a-z0-9-]+)(\[.*\])?==(?P<rest>[^\\\n]*)", text, re.MULTILINE)
    }


@pytest.mark.parametrize(
    "package",
    [
        *("fastapi", "uvicorn", "pydantic", "scikit-learn", "mlflow", "scapy", "boto3", "httpx", "pytest"),
        "cicflowmeter",
    ],
)
def test_requirements_name_what_is_used(package: str) -> None:
    assert package in requirements()


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def package_names(dependencies: list[str]) -> set[str]:
    return {re.split(r"[\[;<>=\s]", dependency)[0].lower() for dependency in dependencies}


def test_every_dependency_is_pinned() -> None:
    # Torch, pinned in its extra, is larger than all the others.
    extras = {name: packages for name, packages in PROJECT["optional-dependencies"].items() if name != "deep"}
    named = [*PROJECT["dependencies"], *itertools.chain(*extras.values())]
    assert package_names(named) - set(requirements()) == set()


def test_what_src_imports_is_a_named_dependency() -> None:
    # This one is run by the interpreter of an environment of its own.
    ours = [module for module in SOURCES if relative(module) != "src/capture/extractors/worker.py"]
    trees = [ast.parse(module.read_text()) for module in ours]
    imported = {
        name.split(".")[0]
        for node in itertools.chain.from_iterable(map(ast.walk, trees))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    rooms = {path.name for path in (ROOT / "src").iterdir()}
    extras = [name for name in PROJECT["optional-dependencies"] if name != "dev"]
    wanted = [
        *PROJECT["dependencies"],
        *(name for extra in extras for name in PROJECT["optional-dependencies"][extra]),
    ]
    distributions, named = packages_distributions(), package_names(wanted)
    unnamed = [
        name
        for name in sorted(imported - rooms - set(sys.stdlib_module_names))
        if not {package.lower().replace("_", "-") for package in distributions.get(name, [name])} & named
    ]
    assert unnamed == []


def test_cicflowmeter_is_left_out_where_it_cannot_be_installed() -> None:
    assert re.search(r"python_(full_)?version >= '3\.12'", requirements()["cicflowmeter"])


def test_every_requirement_has_a_hash_and_no_place_of_this_machine() -> None:
    text = (ROOT / "requirements.txt").read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"://|--index|--extra|--find-links|^-|/opt|file:", text) == []


def test_the_service_does_not_import_scapy() -> None:
    code = "import inference_server.main, sys; sys.exit('scapy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_same_mlflow_serves_and_trains() -> None:
    assert requirements()["mlflow"] == requirements()["mlflow-skinny"]


def test_the_testbed_is_neither_in_the_package_nor_in_the_image() -> None:
    chosen = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    packages = find_packages(str(ROOT / "src"), exclude=chosen["exclude"])
    assert "flows" in packages
    assert [name for name in packages if name.startswith("lab")] == []
    assert "src/lab" in (ROOT / ".dockerignore").read_text().splitlines()


def test_no_http_client_but_httpx() -> None:
    imported = re.compile(
        r"^\s*(?:import|from) (requests|urllib\.request|http\.client|aiohttp)\b", re.MULTILINE
    )
    assert [relative(module) for module in SOURCES if imported.search(module.read_text())] == []


def test_the_demo_capture_is_what_its_script_makes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "make_demo_capture.py", tmp_path], check=True)
    for name in ("demo.pcap", "flow.json"):
        assert (tmp_path / name).read_bytes() == (ROOT / "data" / "demo" / name).read_bytes()


def test_the_benchmark_counts_every_flow_it_generated() -> None:
    command = [sys.executable, ROOT / "benchmarks" / "meter.py", "--no-peers", "--runs", "1"]
    answer = subprocess.run(
        [*command, "--packets", "20000", "--flows", "1400"], check=True, capture_output=True, text=True
    )
    assert "1,400" in answer.stdout
