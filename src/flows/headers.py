"""Headers: the titles of each data set, in its order, for writing and for recognising a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from flows.columns import DUPLICATE_TITLE, DUPLICATED
from flows.schema import (
    BY_NAME,
    COMMON,
    COMMON_NAMES,
    FEATURES,
    IMPROVED_2024_NAMES,
    IMPROVED_NAMES,
    Feature,
)

TimeFormat = Literal["microseconds", "cic-2018", "cic-v4"]
Column = tuple[str, str]
"""A column's title and canonical name."""


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of one data set's files.

    Attributes:
        name: what `--header` calls it.
        columns: title and canonical name of each column, in order.
        time_format: how its timestamps are written.
        unlabelled: what its label column says of a flow that nobody labelled; "" leaves the column out
            of files without labels.
        partial: features that a table lacks are left out, instead of being an error.
    """

    name: str
    columns: tuple[Column, ...]
    time_format: TimeFormat = "microseconds"
    unlabelled: str = "NeedManualLabel"
    partial: bool = False

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features it holds, without repetition."""
        return tuple(dict.fromkeys(name for _, name in self.columns if name in BY_NAME))


def _title_2017(feature: Feature) -> Column:
    return feature.cic_2017, feature.name


def _title_2018(feature: Feature) -> Column:
    return feature.cic_2018, feature.name


def _title_v4(feature: Feature) -> Column:
    return feature.cic_v4, feature.name


def _columns_2017() -> tuple[Column, ...]:
    columns = [_title_2017(feature) for feature in COMMON]
    after = columns.index(("Avg Bwd Segment Size", "bwd_seg_size_avg"))
    return (*columns[: after + 1], (DUPLICATE_TITLE, DUPLICATED), *columns[after + 1 :])


# MachineLearningCVE has a blank before every title but these.
_NO_BLANK_2017: Final = {
    "Total Length of Fwd Packets", "Bwd Packet Length Max", "Flow Bytes/s", "Fwd IAT Total",
    "Bwd IAT Total", "Fwd PSH Flags", "Fwd Packets/s", "FIN Flag Count", "Fwd Avg Bytes/Bulk",
    "Bwd Avg Bulk Rate", "Subflow Fwd Packets", "Init_Win_bytes_forward", "Active Mean", "Idle Mean",
}  # fmt: skip


def _blanked(columns: Iterable[Column]) -> tuple[Column, ...]:
    return tuple((title if title in _NO_BLANK_2017 else f" {title}", name) for title, name in columns)


def _moved_behind(names: list[str], place: str, *moved: str) -> list[str]:
    rest = [name for name in names if name not in moved]
    after = rest.index(place) + 1
    return [*rest[:after], *moved, *rest[after:]]


def _columns_improved() -> tuple[Column, ...]:
    # The tool writes the RST flags after the URG flags, and the rest of its own features last.
    names = _moved_behind([*IMPROVED_NAMES], "bwd_urg_flags", "fwd_rst_flags", "bwd_rst_flags")
    return tuple(_title_v4(BY_NAME[name]) for name in names)


def _columns_improved_2024() -> tuple[Column, ...]:
    names = _moved_behind([*IMPROVED_2024_NAMES], "bwd_urg_flags", "fwd_rst_flags", "bwd_rst_flags")
    names = _moved_behind(names, "fwd_act_data_pkts", "bwd_act_data_pkts")
    names = _moved_behind(names, "fwd_seg_size_min", "bwd_seg_size_min")
    names = _moved_behind(names, "total_tcp_retrans_cnt", "total_connection_flow_time")
    return tuple(_title_v4(BY_NAME[name]) for name in names)


_IDENTITY: Final[tuple[Column, ...]] = (
    ("Flow ID", "flow_id"),
    ("Src IP", "src_ip"),
    ("Src Port", "src_port"),
    ("Dst IP", "dst_ip"),
    ("Dst Port", "dst_port"),
    ("Protocol", "protocol"),
    ("Timestamp", "timestamp"),
)
_IDENTITY_2017: Final[tuple[Column, ...]] = tuple(
    (title.replace("Src", "Source").replace("Dst", "Destination"), name) for title, name in _IDENTITY
)
_LABEL: Final[Column] = ("Label", "label")

_V4: Final = Header("cic-v4", (*_IDENTITY, *map(_title_v4, COMMON), _LABEL), "cic-v4")
_IMPROVED: Final = Header("improved", (*_IDENTITY, *_columns_improved(), _LABEL))
_IMPROVED_2024: Final = Header("improved-2024", (*_IDENTITY, *_columns_improved_2024(), _LABEL))
_SNAKE: Final = Header(
    "snake",
    tuple((name, name) for name in (*(name for _, name in _IDENTITY), *IMPROVED_NAMES, "label")),
    unlabelled="",
    partial=True,
)

HEADERS: Final[dict[str, Header]] = {
    header.name: header
    for header in (
        Header("cic-2017", _blanked([("Destination Port", "dst_port"), *_columns_2017()])),
        Header("cic-2018", (*_IDENTITY[4:], *map(_title_2018, COMMON)), "cic-2018"),
        _V4,
        _IMPROVED,
        _IMPROVED_2024,
        _SNAKE,
    )
}
"""The headers `--header` chooses from, as the sets were published."""

_OWN: Final[dict[str, Header]] = {
    "improved": Header("improved", _IMPROVED.columns, partial=True),
    "improved-2024": Header("improved-2024", _IMPROVED_2024.columns, partial=True),
    "cic-v4": Header("cic-v4", _V4.columns, partial=True),
    "cic-2018": Header(
        "cic-2018",
        (*_IDENTITY, *map(_title_2018, COMMON), _LABEL),
        unlabelled="No Label",
        partial=True,
    ),
    "cic-2017": Header(
        "cic-2017", (*_IDENTITY_2017, *_columns_2017(), _LABEL), unlabelled="No Label", partial=True
    ),
}


def find_header(name: str) -> Header:
    """Return the published header of that name.

    Raises:
        ValueError: there is none; the message names those that are.
    """
    try:
        return HEADERS[name]
    except KeyError:
        raise ValueError(f"unknown header {name!r}: use one of {', '.join(HEADERS)}") from None


def own_header(dialect: str) -> Header:
    """Return the header of a dialect's own tool: identity, features, label; timestamps in microseconds."""
    return _OWN.get(dialect, _SNAKE)


@dataclass(frozen=True, slots=True)
class Recognised:
    """Which header a file has (None: a mixture) and the dialect it implies (None: it implies none)."""

    header: str | None
    dialect: str | None


def _folded(title: str) -> str:
    return title.strip("\ufeff \t\r\n").lower()


def _style(titles: Callable[[Feature], str]) -> frozenset[str]:
    return frozenset(_folded(titles(feature)) for feature in COMMON)


_STYLES: Final[dict[str, frozenset[str]]] = {
    "cic-2017": _style(lambda feature: feature.cic_2017),
    "cic-2018": _style(lambda feature: feature.cic_2018),
    "cic-v4": _style(lambda feature: feature.cic_v4),
    "snake": _style(lambda feature: feature.name),
    "python": _style(lambda feature: feature.python_key),
}
_ONLY_IMPROVED: Final = frozenset(
    _folded(feature.cic_v4) for feature in FEATURES if feature.name not in COMMON_NAMES
)
_ONLY_2024: Final = frozenset({"bwd act data pkts", "bwd seg size min", "total connection flow time"})


def recognise(titles: Sequence[str]) -> Recognised:
    """Say which header these titles are; blanks around them, case and a byte order mark do not matter."""
    folded = {_folded(title) for title in titles}
    style = next((name for name, spelled in _STYLES.items() if spelled <= folded), None)
    if style in ("snake", "python"):
        return Recognised("snake", None)
    if style == "cic-v4" and folded & _ONLY_2024:
        return Recognised("improved-2024", "improved-2024")
    if style == "cic-v4" and folded & _ONLY_IMPROVED:
        return Recognised("improved", "improved")
    return Recognised(style, style)
