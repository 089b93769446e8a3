"""Checks deploy/grafana-dashboard.json: valid, no panel on another, and every metric exists.

usage: dashboard_test.py DASHBOARD_JSON METRICS_H
"""

import itertools
import json
import re
import sys
from pathlib import Path

HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def metric_names(header):
    block = re.search(r"kMetricNames\{(.*?)\};", header, re.DOTALL).group(1)
    return set(re.findall(r'"(\w+)"', block))


def problems_of(dashboard, names):
    panels = dashboard["panels"]
    for key in ("title", "uid", "schemaVersion", "templating"):
        if key not in dashboard:
            yield f"no {key}"
    ids = [panel["id"] for panel in panels]
    if len(set(ids)) != len(ids):
        yield "two panels have one id"
    used = set()
    for panel in panels:
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > 24:
            yield f"{panel['title']}: outside of the grid"
        if panel["type"] != "row" and not panel["targets"]:
            yield f"{panel['title']}: shows nothing"
        for target in panel.get("targets", []):
            if target["datasource"]["uid"] != "${datasource}":
                yield f"{panel['title']}: a data source of somebody's own"
            found = re.findall(r"\bpsephosd_\w+", target["expr"])
            if not found:
                yield f"{panel['title']}: asks for no metric of psephosd"
            for name in found:
                base = name if name in names else HISTOGRAM.sub("", name)
                used.add(base)
                if base not in names:
                    yield f"{panel['title']}: there is no metric {name}"
            if any(target["expr"].count(a) != target["expr"].count(b) for a, b in ("()", "[]", "{}")):
                yield f"{panel['title']}: brackets do not match"
    for a, b in itertools.combinations(panels, 2):
        p, q = a["gridPos"], b["gridPos"]
        if (p["x"] < q["x"] + q["w"] and q["x"] < p["x"] + p["w"]
                and p["y"] < q["y"] + q["h"] and q["y"] < p["y"] + p["h"]):
            yield f"{a['title']} lies on {b['title']}"
    for name in sorted(names - used):
        yield f"{name} is shown nowhere"


def main():
    dashboard = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    names = metric_names(Path(sys.argv[2]).read_text(encoding="utf-8"))
    problems = list(problems_of(dashboard, names))
    # The check itself finds a name that does not exist.
    if not any("no metric" in p for p in problems_of(dashboard, names - {"psephosd_ballots_total"})):
        problems.append("this test does not notice an unknown metric")
    print("\n".join(problems) or f"{len(dashboard['panels'])} panels, {len(names)} metrics")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
