"""Charts: Vega-Lite specifications, rendered to SVG without a network."""

import base64
import copy
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import vl_convert

from report.answers import Answer

WIDTHS = {"wide": 620, "narrow": 330}  # pixels
INKS = {"light": ("#1f2328", "#d0d7de"), "dark": ("#e6edf3", "#3d444d")}  # text, lines
# The first comes with vl_convert, which measures texts with it; the second is as wide.
FONTS = "Liberation Sans, Arial, Helvetica, sans-serif"
# Each stands out from a white and from a dark page by 3:1 at least.
COLORS = ["#a67c00", "#3b82c4", "#2f8f5b", "#c2557a", "#8a6fd1", "#7d8590"]


def images(answer: Answer) -> dict[str, str]:
    """The chart of an answer as data URLs, by width and color scheme, as in `narrow_dark`."""
    records = [
        {name: as_json(value) for name, value in record.items()}
        for record in answer.table.records()
    ]
    return {
        f"{width}_{scheme}": data_url(svg(answer.chart or {}, records, width, scheme))
        for width in WIDTHS
        for scheme in INKS
    }


def svg(chart: dict[str, Any], records: list[dict], width: str, scheme: str) -> str:
    """A chart of records."""
    spec = copy.deepcopy(chart) | {"data": {"values": records}}
    if "vconcat" in spec:  # whose parts can only be given a width without their axes
        for part in spec["vconcat"]:
            part["width"] = WIDTHS[width] - 60
    else:
        spec |= {"width": WIDTHS[width], "autosize": {"type": "fit-x", "contains": "padding"}}
    text, line = INKS[scheme]
    return vl_convert.vegalite_to_svg(
        spec, config=config(text, line, WIDTHS[width] * 0.45), allowed_base_urls=[]
    )


def config(text: str, line: str, label_limit: float) -> dict[str, Any]:
    """The look of all charts."""
    label = {"labelColor": text, "labelFontSize": 12}
    title = {"titleColor": text, "titleFontSize": 12, "titleFontWeight": "normal"}
    return {
        "background": "transparent",
        "font": FONTS,
        "axis": label | title | {"domainColor": line, "tickColor": line, "gridColor": line},
        "axisX": {"labelOverlap": True, "labelSeparation": 4},
        "axisY": {"labelLimit": label_limit},
        "legend": label | title | {"orient": "top"},
        "range": {"category": COLORS},
        "mark": {"color": COLORS[0]},
        "point": {"filled": True, "size": 60},
        "text": {"color": text},
        "view": {"stroke": None, "continuousHeight": 220},
    }


def as_json(value: Any) -> Any:
    """A value as Vega takes it; times are UTC."""
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def data_url(image: str) -> str:
    """An SVG as the address of an image, which runs no script and fetches nothing."""
    return f"data:image/svg+xml;base64,{base64.b64encode(image.encode()).decode()}"
