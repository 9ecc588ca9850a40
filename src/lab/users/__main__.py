"""`python -m lab.users NAME JOB`: one user does one thing."""

from __future__ import annotations

import sys
from importlib import import_module

from lab.users.job import Job

if __name__ == "__main__":
    import_module(f"lab.users.{sys.argv[1]}").run(Job.parse(sys.argv[2]))
