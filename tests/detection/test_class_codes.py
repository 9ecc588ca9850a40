from __future__ import annotations

import pytest

from detection.class_codes import class_codes


@pytest.mark.parametrize(
    ("classes", "benign", "codes"),
    [
        (("BENIGN", "DoS Hulk", "PortScan"), "BENIGN", (0, 5, 17)),
        (("DoS Hulk", "BENIGN"), "BENIGN", (5, 0)),
        (("0", "1"), "0", (0, 35)),
        (("0", "1"), "1", (35, 0)),
        (("False", "True"), "False", (0, 35)),
        (("good", "evil"), "good", (0, 35)),
        (("normal", "anomaly"), "normal", (0, 35)),
        (("web", "Bot"), "web", (0, 1)),
    ],
)
def test_classes_are_found_in_the_label_table(
    classes: tuple[str, ...], benign: str, codes: tuple[int, ...]
) -> None:
    assert class_codes(classes, benign=benign) == codes


def test_the_caller_names_what_the_table_does_not_know() -> None:
    classes = ("0", "1", "cryptojacking")
    named = {"1": "DoS Hulk", "cryptojacking": "Bot"}
    assert class_codes(classes, benign="0", named=named) == (0, 5, 1)
    assert class_codes(("0", "1"), benign="0", named={"1": "PortScan"}) == (0, 17)


def test_numbers_are_codes_only_when_the_caller_says_so() -> None:
    assert class_codes(("0", "5", "17"), benign="0", numbers=True) == (0, 5, 17)
    with pytest.raises(ValueError, match=r"no '5', '17': .*--label 5='DoS Hulk', or --label-codes if the"):
        class_codes(("0", "5", "17"), benign="0")
    with pytest.raises(ValueError, match=r"the label table has no '999': say what"):
        class_codes(("0", "5", "999"), benign="0", numbers=True)


@pytest.mark.parametrize(
    ("classes", "benign", "named", "message"),
    [
        (("BENIGN", "Bot"), "benign", {}, r"--benign-label 'benign': .* it has 'BENIGN', 'Bot'"),
        (
            ("BENIGN", "Bot", "x"),
            "BENIGN",
            {},
            r"no 'x': say what each class is, as in --label x='DoS H",
        ),
        (("BENIGN", "Bot"), "BENIGN", {"bot": "Bot"}, r"--label bot=...: the model has no such class"),
        (("BENIGN", "Bot"), "BENIGN", {"Bot": "Robot"}, r"unknown label 'Robot'"),
        (("n", "smurf", "neptune"), "n", {}, r"classes 'smurf' and 'neptune' are both 'DoS'"),
        (("BENIGN", "normal", "Bot"), "BENIGN", {}, r"classes 'BENIGN' and 'normal' are both 'Benign'"),
    ],
)
def test_says_which_class_has_no_code(
    classes: tuple[str, ...], benign: str, named: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        class_codes(classes, benign=benign, named=named)
