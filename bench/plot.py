#!/usr/bin/env python3
"""Prints a Markdown table of what `questions` wrote for several numbers of tokens, and draws it.

usage: bench/plot.py FIGURES.json PLOT.svg
"""

import json
import statistics
import sys

import matplotlib

matplotlib.use("svg")
# The same figures make the same file, and text stays text.
matplotlib.rcParams.update({"svg.hashsalt": "tokenhouse", "svg.fonttype": "none", "font.size": 9})

import matplotlib.pyplot as plt  # noqa: E402

RATES = {
    "introspection": "introspection",
    "gate": "gate",
    "native verify": "native verify",
    "gate over gRPC": "gate over gRPC",
    "cold verify, 8 connections": "cold verify",
    "issue, 32 clients": "issue",
    "rotate, 32 clients": "rotate",
    "revoke, 32 clients": "revoke",
}
OTHERS = {
    "memory at rest": "memory at rest, MB",
    "memory, all in use remembered": "memory, all in use, MB",
    "exec to ready after SIGKILL": "exec to ready, ms",
}


def shown(figure):
    value = statistics.median(figure["values"])
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    if figure["ratios"]:
        text += f" ({statistics.median(figure['ratios']):.2f})"
    return text


def table(runs):
    print("| | " + " | ".join(f"{run['tokens']:,}" for run in runs) + " |")
    print("|---" * (len(runs) + 1) + "|")
    about = ""
    for at, first in enumerate(runs[0]["figures"]):
        name = first["name"]
        # Lines that belong to the one above are indented.
        about, name = (about, f"{about}: {name.strip()}") if name.startswith("  ") else (name, name)
        cells = " | ".join(shown(run["figures"][at]) for run in runs)
        print(f"| {name}{', ' + first['unit'] if first['unit'] else ''} | {cells} |")


def draw(runs, path):
    sizes = [run["tokens"] for run in runs]
    _, panels = plt.subplots(1, 2, figsize=(12, 4.2), layout="constrained")
    for panel, names, title in zip(panels, (RATES, OTHERS), ("per second", "memory and start")):
        for name, label in names.items():
            found = [next((f for f in run["figures"] if f["name"] == name), None) for run in runs]
            if all(found):
                values = [statistics.median(figure["values"]) for figure in found]
                panel.plot(sizes, values, marker="o", markersize=3, linewidth=1.2, label=label)
        panel.set(xscale="log", yscale="log", xlabel="stored tokens", title=title)
        panel.grid(True, which="major", alpha=0.3)
        # Beside it: on a logarithmic scale no corner is surely free.
        panel.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    panels[1].set_ylim(10, 1000)
    plt.savefig(path, metadata={"Date": None})


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        runs = json.load(file)
    table(runs)
    draw(runs, sys.argv[2])


main()
