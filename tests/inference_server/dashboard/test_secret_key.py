from __future__ import annotations

import stat
from pathlib import Path

from inference_server.dashboard.secret_key import NAME, signing_key


def test_the_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    state = tmp_path / "var"
    made = signing_key(state)
    assert len(made) == 64
    assert stat.S_IMODE((state / NAME).stat().st_mode) == 0o600
    assert signing_key(state) == made


def test_two_states_have_two_keys_and_an_empty_file_gets_one(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    assert signing_key(tmp_path) != signing_key(tmp_path / "other")
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
