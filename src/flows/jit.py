"""How kernels are compiled: one decorator, and a cache that cannot be stale.

Numba keeps a caller's cached code when only an imported helper was edited, and reuses code that was
compiled without bounds checks when they are asked for. So the cache directory is named by a hash of
all kernel sources, the processor and the flags.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
from numba.core import config as numba_config

SOURCE_ROOT: Final = Path(__file__).resolve().parent.parent
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def _kernel_fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(SOURCE_ROOT.rglob("*.py")):
        text = path.read_bytes()
        if b"flows.jit" in text:
            digest.update(path.relative_to(SOURCE_ROOT).as_posix().encode() + b"\0" + text)
    flags = (
        numba.__version__,
        platform.machine(),
        *(str(getattr(numba_config, name)) for name in ("CPU_NAME", "CPU_FEATURES", "BOUNDSCHECK")),
    )
    digest.update("\0".join(flags).encode())
    return digest.hexdigest()[:16]


def _writable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def cache_directory() -> Path | None:
    """Return the directory compiled kernels are kept in, or None when nowhere is writable.

    `NUMBA_CACHE_DIR` wins; otherwise the checkout's `var/`, otherwise the user's cache folder.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        roots = [Path(chosen)]
    else:
        roots = []
        if (SOURCE_ROOT.parent / "pyproject.toml").is_file():
            roots.append(SOURCE_ROOT.parent / "var" / "cache" / "numba")
        if home := os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME"):
            below = "ml-ids/numba" if os.environ.get("XDG_CACHE_HOME") else ".cache/ml-ids/numba"
            roots.append(Path(home) / below)
    fingerprint = _kernel_fingerprint()
    return next((root / fingerprint for root in roots if _writable(root / fingerprint)), None)


CACHE_DIRECTORY: Final = cache_directory()
if CACHE_DIRECTORY is not None:
    # Numba reads the variable once, at its own import, which another library may have caused.
    numba_config.CACHE_DIR = str(CACHE_DIRECTORY)  # type: ignore[attr-defined]


def kernel(function: FunctionT) -> FunctionT:
    """Compile a function with Numba: no Python objects, no GIL, cached when a cache is writable."""
    compile_ = numba.njit(nogil=True, cache=CACHE_DIRECTORY is not None, error_model="numpy")
    return cast(FunctionT, compile_(function))


def inlined(function: FunctionT) -> FunctionT:
    """Compile a small helper of kernels; LLVM inlines it into its callers."""
    return cast(FunctionT, numba.njit(nogil=True, error_model="numpy")(function))
