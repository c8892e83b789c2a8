"""Draws the dashboard for the README from a Prometheus' data: every panel of the dashboard's JSON, in
its grid, with its queries, units and legends. It stands in for Grafana, which is not at hand here.

    python3 picture.py DASHBOARD.json http://127.0.0.1:9090 JOB SECONDS OUT.png

Needs matplotlib. `cargo test --test monitoring picture -- --ignored` drives a session and calls it.
"""

import io
import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from PIL import Image

PAPER, PANEL, INK, FAINT, GRID = "#111217", "#181b1f", "#ccccdc", "#8e8e9c", "#2c3036"
# Grafana's classic palette.
COLOURS = ["#7EB26D", "#EAB839", "#6ED0E0", "#EF843C", "#E24D42", "#1F78C1", "#BA43A9", "#705DA0",
           "#508642", "#CCA300", "#447EBC", "#C15C17", "#890F02", "#0A437C", "#6D1F62", "#584477"]
NAMED = {"green": "#73BF69", "orange": "#FF9830", "red": "#F2495C"}
# A grid cell in inches.
WIDE, HIGH = 0.62, 0.31


def main(dashboard, url, job, seconds, out):
    with open(dashboard, encoding="utf-8") as file:
        board = json.load(file)
    end = time.time()
    source = Source(url, job, end - int(seconds), end)
    rows = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in board["panels"])
    figure = plt.figure(figsize=(24 * WIDE, rows * HIGH + 0.5), facecolor=PAPER)
    grid = Grid(figure, rows)
    figure.text(0.008, 1 - 0.25 / grid.height, board["title"], color=INK, fontsize=13, weight="bold", va="center")
    minutes = f"last {int(seconds) // 60} minutes"
    figure.text(0.992, 1 - 0.25 / grid.height, minutes, color=FAINT, fontsize=9, va="center", ha="right")
    empty = [panel["title"] for panel in board["panels"] if not draw(figure, grid, panel, source)]
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=100, facecolor=PAPER)
    # A palette is enough for lines, and a third of the bytes.
    Image.open(drawn).convert("RGB").quantize(160, dither=Image.Dither.NONE).save(out, optimize=True)
    if empty:
        sys.exit(f"panels without data: {empty}")


class Source:
    """The range queries of one Prometheus, with the dashboard's variables filled in."""

    def __init__(self, url, job, start, end):
        self.url, self.job, self.start, self.end = url, job, start, end
        self.step = max(1, round((end - start) / 300))

    def series(self, target):
        query = target["expr"].replace("$job", self.job).replace("$instance", ".*")
        query = query.replace("$__rate_interval", f"{max(15, 4 * self.step)}s")
        asked = {"query": query, "start": self.start, "end": self.end, "step": self.step}
        with urllib.request.urlopen(f"{self.url}/api/v1/query_range?{urllib.parse.urlencode(asked)}") as answer:
            result = json.load(answer)["data"]["result"]
        found = []
        for one in result:
            legend = re.sub(r"{{\s*(\w+)\s*}}", lambda m: one["metric"].get(m[1], ""), target["legendFormat"])
            samples = {round((at - self.start) / self.step): float(value) for at, value in one["values"]}
            count = int((self.end - self.start) / self.step) + 1
            # A missing sample is a gap in the line.
            found.append((legend.strip() or "none", [samples.get(n, math.nan) for n in range(count)]))
        return found

    def times(self, count):
        return [(n * self.step - (self.end - self.start)) / 60 for n in range(count)]


class Grid:
    """Places of the 24 columns in the figure."""

    def __init__(self, figure, rows):
        self.figure, self.rows = figure, rows
        self.height = rows * HIGH + 0.5

    def box(self, place, margins=(0, 0, 0, 0)):
        left, top, right, bottom = margins
        x, w = place["x"] * WIDE + left, place["w"] * WIDE - left - right
        y, h = 0.5 + place["y"] * HIGH + top, place["h"] * HIGH - top - bottom
        width = 24 * WIDE
        return [x / width, 1 - (y + h) / self.height, w / width, h / self.height]


def draw(figure, grid, panel, source):
    """Draws one panel; whether there was anything to draw."""
    place = panel["gridPos"]
    if panel["type"] == "row":
        box = grid.box(place)
        figure.text(box[0] + 0.008, box[1] + box[3] / 2, panel["title"], color=INK, fontsize=10, va="center")
        return True
    box = grid.box(place, (0.05, 0.04, 0.05, 0.04))
    figure.add_artist(plt.Rectangle(box[:2], box[2], box[3], facecolor=PANEL, edgecolor=GRID, lw=0.8, zorder=-1))
    title_at = box[1] + box[3] - 0.13 / grid.height
    figure.text(box[0] + 0.005, title_at, panel["title"], color=INK, fontsize=8, va="center")
    series = [one for target in panel["targets"] for one in source.series(target)]
    has_data = any(not math.isnan(value) for _, values in series for value in values)
    if panel["type"] == "stat":
        number(figure, grid, panel, series)
    else:
        lines(figure, grid, panel, series, source)
    return has_data


def number(figure, grid, panel, series):
    defaults = panel["fieldConfig"]["defaults"]
    place = panel["gridPos"]
    known = [(legend, value) for legend, values in series for value in values[-5:] if not math.isnan(value)]
    legend, value = known[-1] if known else ("", math.nan)
    if panel["options"]["textMode"] == "name":
        text = legend
    else:
        text = amount(value, defaults["unit"]) if known else "No data"
    steps = [s for s in defaults["thresholds"]["steps"] if s["value"] is None or value >= s["value"]]
    colour = NAMED[steps[-1]["color"]] if steps else INK
    box = grid.box(place, (0.05, 0.25, 0.05, 0.05))
    figure.text(box[0] + box[2] / 2, box[1] + box[3] * 0.62, text, color=colour, fontsize=17, ha="center", va="center")
    if panel["options"]["graphMode"] == "area" and series:
        axes = figure.add_axes([box[0], box[1], box[2], box[3] * 0.3])
        values = series[0][1]
        axes.plot(values, color=colour, lw=0.8)
        axes.fill_between(range(len(values)), values, color=colour, alpha=0.2, lw=0)
        axes.set_ylim(bottom=0)
        axes.axis("off")


def lines(figure, grid, panel, series, source):
    defaults = panel["fieldConfig"]["defaults"]
    legends = len({legend for legend, _ in series})
    per_line = max(1, int(panel["gridPos"]["w"] * WIDE / (0.35 + 0.068 * max([len(l) for l, _ in series] or [1]))))
    shown = min(3, math.ceil(legends / per_line))
    axes = figure.add_axes(grid.box(panel["gridPos"], (0.55, 0.3, 0.15, 0.28 + 0.17 * shown)), facecolor=PANEL)
    stacked = defaults["custom"]["stacking"]["mode"] == "normal"
    below = None
    for at, (legend, values) in enumerate(series):
        colour = COLOURS[at % len(COLOURS)]
        times = source.times(len(values))
        if stacked:
            values = [0 if math.isnan(value) else value for value in values]
            above = [a + b for a, b in zip(below, values)] if below else values
            axes.fill_between(times, below or [0] * len(values), above, color=colour, alpha=0.35, lw=0)
            axes.plot(times, above, color=colour, lw=0.9, label=legend)
            below = above
        else:
            axes.plot(times, values, color=colour, lw=1, label=legend)
            axes.fill_between(times, values, color=colour, alpha=0.07, lw=0)
    axes.set_xlim(source.times(1)[0], 0)
    top = max([value for _, values in series for value in values if not math.isnan(value)] or [1])
    axes.set_ylim(0, (axes.get_ylim()[1] if stacked else top * 1.1) or 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value, defaults["unit"])))
    axes.yaxis.set_major_locator(ticks(defaults["unit"], axes.get_ylim()[1]))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} min" if value else "now"))
    axes.tick_params(colors=FAINT, labelsize=6.5, length=0)
    axes.grid(color=GRID, lw=0.6)
    for side in axes.spines.values():
        side.set_visible(False)
    if series:
        axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.11), ncols=per_line, fontsize=6.5, frameon=False,
                    labelcolor=INK, handlelength=1.2, columnspacing=1.2, handletextpad=0.5, borderpad=0,
                    labelspacing=0.3)


def ticks(unit, top):
    """Round numbers of the unit: powers of two for bytes, whole ones for what is counted."""
    if unit == "bytes":
        step = 2 ** max(0, math.ceil(math.log2(top / 4)))
        return FixedLocator([step * n for n in range(6)])
    if unit == "s" and top > 120:
        minutes = next(n for n in (1, 2, 5, 10, 30, 60, 1440) if top / 60 <= 4 * n)
        return FixedLocator([60 * minutes * n for n in range(6)])
    whole = unit == "short" and top > 1
    return MaxNLocator(4, integer=whole, min_n_ticks=1 if whole else 2)


def amount(value, unit):
    """The value as Grafana writes it in this unit."""
    if math.isnan(value):
        return ""
    if value == 0:
        return "0"
    if unit == "s":
        for limit, factor, name in [(1e-3, 1e6, "µs"), (1, 1e3, "ms"), (60, 1, "s"), (math.inf, 1 / 60, "min")]:
            if value < limit:
                return f"{value * factor:.3g} {name}"
    if unit == "bytes":
        for factor, name in [(2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")]:
            if value >= factor:
                return f"{value / factor:.3g} {name}"
        return f"{value:.0f} B"
    short = f"{value / 1000:.3g} K" if value >= 10000 else f"{value:.3g}" if value < 1000 else f"{value:.0f}"
    return short + {"ops": " ops/s", "reqps": " req/s"}.get(unit, "")


if __name__ == "__main__":
    main(*sys.argv[1:])
