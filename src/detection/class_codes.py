"""From the classes of a foreign model to the codes of the label table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flows.labels import ATTACK, BY_CODE, find_label


def class_codes(
    classes: Sequence[str], *, benign: str, named: Mapping[str, str] | None = None, numbers: bool = False
) -> tuple[int, ...]:
    """Return the code of each class.

    The class `benign` is 0. Another is the label that `named` gives it, or that the label table spells so.
    Of two classes the other one may have any name: it is Attack unless the table knows it.

    Args:
        classes: the model's classes, in the order of its probabilities.
        benign: which of them is benign.
        named: class to label, for those that the table does not know.
        numbers: whether classes that are numbers are codes of the table. Without it they are not: whoever
            numbers classes in alphabetical order means others.

    Raises:
        ValueError: a class has no code, or two have the same; the message names them and what to do.
    """
    named = {} if named is None else named
    shown = ", ".join(map(repr, classes))
    if benign not in classes:
        raise ValueError(f"--benign-label {benign!r}: the model has no such class; it has {shown}")
    if strangers := [name for name in named if name not in classes]:
        raise ValueError(f"--label {strangers[0]}=...: the model has no such class; it has {shown}")
    codes: dict[str, int] = {}
    unknown: list[str] = []
    for name in classes:
        code = 0 if name == benign else _code(name, named, numbers)
        if code is None and len(classes) == 2:
            code = ATTACK
        if code is None:
            unknown.append(name)
        else:
            codes[name] = code
    if unknown:
        raise ValueError(
            f"the label table has no {', '.join(map(repr, unknown))}: say what each class is, as in --label "
            f"{unknown[0]}='DoS Hulk'" + _about_numbers(unknown)
        )
    _check_different(codes)
    return tuple(codes.values())


def _about_numbers(unknown: Sequence[str]) -> str:
    if not all(name.isdigit() for name in unknown):
        return ""
    return ", or --label-codes if the numbers are codes of the label table"


def _code(name: str, named: Mapping[str, str], numbers: bool) -> int | None:
    if name in named:
        return find_label(named[name]).code
    if name.isdigit():
        return int(name) if numbers and int(name) in BY_CODE else None
    try:
        return find_label(name).code
    except ValueError:
        return None


def _check_different(codes: Mapping[str, int]) -> None:
    by_code: dict[int, str] = {}
    for name, code in codes.items():
        if code in by_code:
            raise ValueError(
                f"classes {by_code[code]!r} and {name!r} are both {BY_CODE[code].name!r}: give one another "
                f"label, as in --label {name}='DoS', or train the model with one class for both"
            )
        by_code[code] = name
