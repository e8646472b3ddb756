"""What the two plots of the figures show: calls by duration, tokens over time."""

from collections.abc import Sequence
from datetime import tzinfo

from textual.app import RenderResult
from textual_plotext import PlotextPlot

from flightlog_viewer.analysis import units
from flightlog_viewer.store.queries.screens import BINS_PER_DECADE
from flightlog_viewer.tui.text import content

_BAR = (86, 180, 233)
"""Okabe-Ito sky blue; the height says the same."""
_DAY_US = 86_400_000_000
_LONG_US = 60 * _DAY_US
_LEAST = (16, 4)
"""Columns and rows below which nothing could be read, and plotext fails on some sizes."""


class Plot(PlotextPlot):
    """A plot, where there is room for one."""

    def render(self) -> RenderResult:
        return super().render() if self.size.width >= _LEAST[0] and self.size.height >= _LEAST[1] else content()


def draw_latencies(plot: Plot, bins: Sequence[tuple[int, int]], title: str) -> None:
    """Bins as the query ``latency_bins`` gives them; those without a call are drawn empty."""
    _begin(plot, title)
    if bins:
        first, last = bins[0][0], bins[-1][0]
        counts = dict(bins)
        numbers = range(first, last + 1)
        labels = [units.duration(10 ** (n / BINS_PER_DECADE)) for n in numbers]
        _bars(plot, labels, [counts.get(n, 0) for n in numbers])
    plot.refresh()


def draw_tokens(plot: Plot, bins: Sequence[tuple[int, int | None]], tz: tzinfo) -> None:
    """Bins as the query ``token_bins`` gives them, with wall times of ``tz``, and dates where it took days."""
    _begin(plot, "tokens over time")
    if bins:
        took = bins[-1][0] - bins[0][0]
        part = slice(10) if took > _LONG_US else slice(5, 16) if took > _DAY_US else slice(11, None)
        labels = [units.clock(at, tz, date=True)[part] for at, _ in bins]
        _bars(plot, list(range(len(bins))), [tokens or 0 for _, tokens in bins])
        marks = sorted({0, len(bins) // 2, len(bins) - 1})
        plot.plt.xticks([float(i) for i in marks], [labels[i] for i in marks])
    plot.refresh()


def _begin(plot: Plot, title: str) -> None:
    plot.plt.clear_data()
    plot.plt.clear_figure()
    plot.plt.title(title)


def _bars(plot: Plot, places: Sequence[str] | Sequence[int], heights: Sequence[int]) -> None:
    top = max(heights, default=0)
    plot.plt.bar(places, heights, color=_BAR if plot.theme == "auto" else "blue+")
    plot.plt.ylim(0, top or 1)
    plot.plt.yticks([0.0, float(top)], ["0", units.count(top)])
