"""A figure as inline SVG: it takes the page's text colour, keeps its text as text and refers to nothing outside."""

import io
import re
from typing import TYPE_CHECKING

from slam_ray.reporting.figures import INK

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure


def inline_svg(figure: "Figure", name: str, alt: str) -> "Markup":
    """Draw `figure` as an `<svg>` element.

    Args:
        figure: drawn in `INK` where it should follow the page's text colour.
        name: unique in the page; every id in the element starts with it.
        alt: describes the figure to people who cannot see it.
    """
    from markupsafe import Markup, escape
    from matplotlib import rc_context

    buffer = io.StringIO()
    # The salt makes ids, and so the page, the same every time.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<style.*?</style>|<metadata.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    # The size comes from the page; the box in which the figure was drawn stays.
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1))
