"""Fuzz the decoder, the file readers and the meter, guided by coverage; then replay the corpus compiled.

The kernels run interpreted while they are fuzzed, because coverage is blind to compiled code. What the fuzzer
kept is then run compiled with bounds checks, and each outcome must be the interpreted one.

python tests/fuzz/run.py [--seconds 600] [--target decoder|files|meter]

The fuzzer, atheris, is installed from the package index into var/tools on the first run. The corpus stays in
var/fuzz. A finding is printed and kept in var/fuzz/findings; commit it under tests/fuzz/regressions/TARGET
with its mending. Exit status: 0 clean, 1 findings, 3 no fuzzer could be installed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = TESTS.parent / "src"
sys.path[:0] = [str(TESTS), str(SOURCES)]

from fuzz.outcomes import Input, outcomes_elsewhere  # noqa: E402
from fuzz.seeds import seeds  # noqa: E402
from fuzz.targets import TARGETS  # noqa: E402

VAR: Final = TESTS.parent / "var"
ATHERIS: Final = "atheris>=3,<4"
TOOL: Final = VAR / "tools" / f"atheris-py{sys.version_info.major}.{sys.version_info.minor}"
LONGEST: Final = {"decoder": 400, "files": 4096, "meter": 1500}
UNAVAILABLE: Final = 3
NO_TIME_LEFT: Final = 60


@dataclass(frozen=True)
class Fuzzed:
    """How fuzzing one target went.

    Attributes:
        executions: inputs run.
        corpus: files kept, each for what it alone reached.
        finding: the fuzzer's last words when it failed, None when it found nothing.
    """

    target: str
    executions: int
    corpus: int
    finding: str | None


def install_fuzzer() -> Path:
    """Return where atheris is, installed on the first call.

    Raises:
        OSError: it cannot be installed here.
    """
    finished = TOOL / ".complete"
    if not finished.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
        answer = subprocess.run(
            [*command, "--disable-pip-version-check", "--only-binary", ":all:", "--target", TOOL, ATHERIS],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode:
            raise OSError(f"{ATHERIS} cannot be installed: {answer.stderr.strip()[-300:]}")
        finished.touch()
    return TOOL


def fuzz(target: str, seconds: int, state: Path) -> Fuzzed:
    """Fuzz one target for some seconds from its seeds and what `state` keeps of earlier runs."""
    corpus, findings = state / "corpus" / target, state / "findings" / target
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    for at, seed in enumerate(seeds(target)):
        (corpus / f"seed-{at:04}").write_bytes(seed)
    environment = {
        **os.environ,
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONPATH": os.pathsep.join(map(str, (install_fuzzer(), TESTS, SOURCES))),
    }
    limits = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST[target]}",
        "-timeout=30",
        "-rss_limit_mb=3000",
    ]
    answer = subprocess.run(
        [
            *(sys.executable, str(Path(__file__).with_name("fuzzer.py")), target),
            *limits,
            *("-print_final_stats=1", f"-artifact_prefix={findings}/", str(corpus)),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds * 2 + NO_TIME_LEFT,
        check=False,
    )
    executed = re.findall(r"number_of_executed_units:\s*(\d+)", answer.stdout)
    finding = answer.stdout[-6000:] if answer.returncode or not executed else None
    kept = len(list(corpus.iterdir()))
    return Fuzzed(target, int(executed[-1]) if executed else 0, kept, finding)


def replay(targets: list[str], state: Path) -> tuple[int, list[str]]:
    """Run the corpus compiled with bounds checks and interpreted; return inputs and differences.

    Raises:
        RuntimeError: an input failed, with its hexadecimal bytes.
    """
    inputs: list[Input] = [
        (target, path.read_bytes())
        for target in targets
        for path in sorted((state / "corpus" / target).iterdir())
    ]
    # Kernels cached without checks would check nothing.
    cache = VAR / "cache" / "numba-boundscheck"
    compiled = outcomes_elsewhere(inputs, NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(cache))
    interpreted = outcomes_elsewhere(inputs, NUMBA_DISABLE_JIT="1")
    pairs = zip(inputs, compiled, interpreted, strict=True)
    return len(inputs), [f"{target} {data.hex()}" for (target, data), one, other in pairs if one != other]


def run(targets: list[str], seconds: int, state: Path) -> bool:
    """Fuzz and replay, print how it went; return whether it was clean."""
    clean = True
    for target in targets:
        fuzzed = fuzz(target, max(seconds // len(targets), 1), state)
        say(f"{target}: {fuzzed.executions:,} executions, {fuzzed.corpus:,} inputs in the corpus")
        if fuzzed.finding is not None:
            say(f"{target}: FINDING, kept in {state / 'findings' / target}\n{fuzzed.finding}")
            clean = False
    if not clean:
        return False
    try:
        count, different = replay(targets, state)
    except RuntimeError as error:
        say(f"replay: FINDING\n{error}")
        return False
    say(f"replay with bounds checks: {count:,} inputs, {len(different)} differ from interpreted")
    for line in different:
        say(f"replay: FINDING {line}")
    return not different


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600, help="in all, shared by the targets")
    parser.add_argument("--target", choices=TARGETS, action="append", help="default: all")
    parser.add_argument("--state", type=Path, default=VAR / "fuzz", help="corpus and findings")
    chosen = parser.parse_args()
    try:
        install_fuzzer()
    except OSError as error:
        say(str(error))
        sys.exit(UNAVAILABLE)
    sys.exit(0 if run(chosen.target or list(TARGETS), chosen.seconds, chosen.state) else 1)


if __name__ == "__main__":
    main()
