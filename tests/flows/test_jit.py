from __future__ import annotations

from pathlib import Path

from flows.jit import cache_directory, kernel


@kernel
def add(a, b):
    return a + b


def test_kernels_are_compiled_without_the_gil():
    assert add(1, 2) == 3
    assert add.targetoptions["nogil"]


def test_the_cache_is_named_by_the_sources(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    chosen = cache_directory()
    assert chosen is not None
    assert chosen.parent == tmp_path
    assert chosen.is_dir()
    monkeypatch.setattr("flows.jit.numba_config.BOUNDSCHECK", 1)
    assert cache_directory() not in (None, chosen)
    source = tmp_path / "kernels.py"
    source.write_text("from flows.jit import kernel\n")
    monkeypatch.setattr("flows.jit.SOURCE_ROOT", tmp_path)
    before = cache_directory()
    source.write_text("from flows.jit import kernel  # edited\n")
    assert cache_directory() != before


def test_nowhere_to_write_means_no_cache(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked))
    assert cache_directory() is None


def test_the_cache_lies_in_a_checkout_or_in_the_user_s_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("flows.jit.SOURCE_ROOT", tmp_path / "site-packages")
    chosen = cache_directory()
    assert chosen is not None
    assert Path(chosen).parent == tmp_path / "cache" / "ml-ids" / "numba"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    chosen = cache_directory()
    assert chosen is not None
    assert chosen.parent == tmp_path / "home" / ".cache" / "ml-ids" / "numba"
