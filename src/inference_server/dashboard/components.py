"""Elements with a script of their own."""

from __future__ import annotations

from collections.abc import Callable

from nicegui.element import Element
from nicegui.elements.echart import EChart
from orjson import Fragment

from inference_server.dashboard.panels import packed


class CaptureDrop(Element, component="capture_drop.js"):
    """A place to drop a capture on; sends it to the service over HTTP, as large as it is."""

    def __init__(self, target: str, limit: str, taken: Callable[[str], object]) -> None:
        """Make the place.

        Args:
            target: the path that takes the file.
            limit: how large it may be, for the reader.
            taken: called with the upload's id.
        """
        super().__init__()
        self._props["target"] = target
        self._props["limit"] = limit
        self.on("taken", lambda event: taken(str(event.args)))


class AlertList(Element, component="alert_list.js"):
    """Alerts, newest first; a row opens the details."""

    def __init__(self, opened: Callable[[str], object]) -> None:
        """Make an empty list.

        Args:
            opened: called with the id of an alert whose row was chosen.
        """
        super().__init__()
        self._props["rows"] = packed([])
        self._props["empty"] = ""
        self.on("open", lambda event: opened(str(event.args)))

    def show(self, alerts: Fragment, empty: str) -> None:
        """Show a list of alerts, or say why there are none."""
        if self._props["rows"] is not alerts or self._props["empty"] != empty:
            self._props["rows"] = alerts
            self._props["empty"] = empty
            self.update()


class Chart(EChart):
    """A chart by ECharts."""

    def __init__(self, options: Fragment) -> None:
        """Make it of packed options."""
        super().__init__({}, renderer="svg")
        self._props["options"] = options
        self.classes("chart")

    def show(self, options: Fragment) -> None:
        """Draw it again when these are other options."""
        if self._props["options"] is not options:
            self._props["options"] = options
            self.update()
