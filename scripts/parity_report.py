"""Print, feature by feature, how many reference rows we reproduce: rows equal / rows compared.

scripts/parity_report.py          print both tables
scripts/parity_report.py --write  write them into docs/parity.md

The second table needs ../shared.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.parity_references import (
    DOCUMENT,
    SHARED,
    capture_references,
    committed_references,
    golden_references,
    table,
    with_generated_part,
)


def main() -> None:
    tables = {"committed references": table(committed_references())}
    if SHARED.is_dir():
        tables["all references"] = table([*golden_references(), *capture_references()])
    for name, text in tables.items():
        Console().print(Markdown(f"## {name}\n\n{text}"))
        if "--write" in sys.argv[1:]:
            DOCUMENT.write_text(with_generated_part(name, text))


if __name__ == "__main__":
    main()
