import math
import re
from dataclasses import replace

import numpy as np
import pytest

from alerting.message import Message, alert_message
from flows.schema import COMMON_NAMES
from helpers.alerts import VALIDATOR, one_alert


def test_the_message_of_an_alert_comes_back_from_json_as_it_was():
    message = alert_message(one_alert(start_us=np.array([1_767_355_200_000_000])))

    assert Message.decode(message.encode()) == message


def test_its_row_has_the_79_columns_the_prediction_and_which_alert_it_is_of():
    alert = one_alert()

    message = alert_message(replace(alert, count=7))

    row = dict(zip(message.columns, message.values, strict=True))
    features = [name for name in COMMON_NAMES if name in alert.flow.shared.feature_names]
    assert list(message.columns) == [
        *("dst_port", "protocol", "timestamp", *features, "prediction"),
        *("alert_id", "revision", "count", "src_ip", "src_port", "dst_ip", "sensor"),
    ]
    assert (row["prediction"], row["alert_id"], row["revision"]) == (1.0, alert.alert_id, 1)
    assert (row["count"], row["src_ip"]) == (7, "10.0.0.1")
    assert not any(isinstance(value, float) and not math.isfinite(value) for value in row.values())


def test_a_subscription_can_choose_by_at_most_ten_attributes():
    message = alert_message(one_alert())

    assert message.attributes["prediction"] == "attack"
    assert len(message.attributes) <= 10
    assert all(message.attributes.values())


def test_what_identifies_a_message_is_its_alert_and_revision():
    alert = one_alert()

    first, second = alert_message(alert), alert_message(replace(alert, revision=2))

    assert first.message_id == f"{alert.alert_id}-1"
    assert second.message_id == f"{alert.alert_id}-2"
    assert re.fullmatch(r"[A-Za-z0-9-]{1,80}", first.message_id)


def test_it_carries_the_line_of_alerts_json():
    VALIDATOR.validate(alert_message(one_alert()).eve)


@pytest.mark.parametrize("encoded", [b"", b"{", b"[]", b"{}", b'{"columns":[],"values":[],"more":1}'])
def test_what_is_no_message_is_refused(encoded):
    with pytest.raises(ValueError, match=r".+"):
        Message.decode(encoded)
