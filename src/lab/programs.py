"""Programs of the operating system that the testbed runs, and the packages that bring them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import Final

PLACES: Final = os.pathsep.join(
    ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
)


@dataclass(frozen=True, slots=True)
class Program:
    """A program and the Debian package that has it."""

    name: str
    package: str

    def path(self) -> str | None:
        """Return where it is, None when it is not installed."""
        return shutil.which(self.name, path=os.environ.get("PATH", "") + os.pathsep + PLACES)

    def required(self) -> str:
        """Return where it is.

        Raises:
            FileNotFoundError: it is not installed; the message says how to get it.
        """
        found = self.path()
        if found is None:
            raise FileNotFoundError(f"the lab needs {self.name}: apt-get install {self.package}")
        return found
