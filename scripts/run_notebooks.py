"""Run notebooks and write their outputs into them: python scripts/run_notebooks.py [NOTEBOOK...]

Without a name, all of notebooks/. What changes from run to run, such as times, is left out of the files.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
SECONDS = 600
QUIET = {"PYTHONWARNINGS": "ignore:IProgress not found"}
"""A library asks for a progress bar of Jupyter's, which is not installed here."""


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with what its cells print; the first cell that fails ends it with CellExecutionError."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute(env=os.environ | QUIET)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def main() -> None:
    for path in [Path(name) for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.ipynb")):
        nbformat.write(executed(path), path)
        print(path)


if __name__ == "__main__":
    main()
