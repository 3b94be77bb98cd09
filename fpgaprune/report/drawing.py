"""What all pictures have in common: colours, titles, frames, and foreign names as matplotlib shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib import font_manager, patheffects
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fpgaprune.report import wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which are told apart with every kind of colour vision; the green is darker than theirs.
BLUE, VERMILION, RUST, GREEN, GREY = "#0072B2", "#D55E00", "#A84900", "#00785A", "#8A9299"
INK, SOFT, LINE = "#1C2226", "#5C666E", "#DDE1E4"
SHADES = LinearSegmentedColormap.from_list("fpgaprune", ["#FFFFFF", "#0B4F8A"])

HALO = [patheffects.withStroke(linewidth=3, foreground="white")]

_LONGEST = 26

NO_LAYERS = "These designs have no layers with weights."


def new_figure(width: float, height: float, title: str) -> Figure:
    """Return an empty figure that draws to memory and knows nothing of pyplot's state."""
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.02, ha="left", fontsize=13, fontweight="bold", color=INK)
    return figure


def empty(figure: Figure, sentence: str) -> Figure:
    """Return a figure in which there is nothing but a sentence."""
    panel = figure.subplots()
    panel.set_axis_off()
    note(panel, sentence)
    return figure


def note(panel: Axes, sentence: str) -> None:
    """Write a sentence where there is nothing to draw."""
    frame(panel, "bottom")
    panel.set_yticks([])
    panel.text(0.5, 0.5, sentence, transform=panel.transAxes, ha="center", va="center", color=SOFT, fontsize=10)


def write_title(panel: Axes, title: str) -> None:
    """Write the title of a panel."""
    panel.set_title(title, loc="left", fontsize=10, color=INK)


def frame(panel: Axes, *sides: str) -> None:
    """Draw the given sides of the frame of a panel, and no others."""
    for side, spine in panel.spines.items():
        spine.set_visible(side in sides)
        spine.set_color(LINE)
    panel.tick_params(length=0, colors=SOFT, labelsize=9)


def shown(name: str, longest: int = _LONGEST) -> str:
    """Return a foreign name as matplotlib shows it: short, no formula, and '?' for a sign that the font lacks."""
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    text = "".join(sign if font.get_char_index(ord(sign)) else "?" for sign in wording.short(name, longest))
    return text.replace("$", r"\$")
