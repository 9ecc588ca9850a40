from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.guard import LAB_V4, check_command, check_target


@pytest.mark.parametrize("target", ["198.18.0.10", "198.19.255.255", "198.18.0.0/24", "2001:2::a"])
def test_the_lab_s_own_addresses_are_targets(target: str) -> None:
    assert check_target(target) == target


@pytest.mark.parametrize(
    "target",
    ["192.168.1.1", "198.20.0.0", "198.16.0.0/14", "127.0.0.1", "0.0.0.0/0", "::1", "2001:db8::1", "::/0"],
)
def test_no_other_address_is(target: str) -> None:
    with pytest.raises(ValueError, match="not one of the lab's addresses"):
        check_target(target)


@given(st.ip_addresses(v=4))
def test_exactly_the_prefix_is_allowed_in_a_command(address: object) -> None:
    command = ["hydra", f"ssh://{address}:22", "-t", "4"]
    if address in LAB_V4:
        check_command(command, ["198.18.0.1"])
    else:
        loopback = str(address).startswith("127.")
        if loopback:
            check_command(command, ["198.18.0.1"])
        else:
            with pytest.raises(ValueError, match=str(address)):
                check_command(command, ["198.18.0.1"])


@pytest.mark.parametrize(
    "argument",
    ["http://8.8.8.8/", "-S8.8.8.8", "[2a00:1450::1]:80", "8.8.8.0/24", "198.18.0.1,8.8.8.8", "fe80::1"],
)
def test_addresses_are_found_wherever_they_stand(argument: str) -> None:
    with pytest.raises(ValueError, match="not one of the lab's addresses"):
        check_command(["tool", argument], ["198.18.0.1"])


@pytest.mark.parametrize("argument", ["http://[2001:2::7]:80/", "-t", "12:30:05 and 1.2.3", "127.0.0.1:8080"])
def test_what_is_no_foreign_address_is_let_through(argument: str) -> None:
    check_command(["tool", argument], ["198.18.0.1"])


def test_a_foreign_target_is_refused_whatever_the_command_says() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1"):
        check_command(["tool"], ["198.18.0.1", "10.0.0.1"])
