#!/usr/bin/env python3
"""Runs batch_bench once and prints the table of bench/README.md, "The batch verifier's arithmetic", in Markdown:
microseconds of processor time, the least of the repetitions. Then, for each ballot and back end, how many times faster
than one by one it is, and how many times its floor it takes.

usage: table.py BATCH_BENCH [--repetitions N] [--filter REGEX]
"""
import argparse
import json
import subprocess

COLUMNS = {"portable": "portable", "avx2": "AVX2", "ifma": "AVX-512 IFMA"}
ONE_BY_ONE = ("libsodium", "individually")
# The shapes of bench/shapes.h, as the table calls them.
SHAPES = {
    "1-of-2": "1 of 2",
    "1-of-5": "1 of 5",
    "1-of-18": "1 of 18",
    "3-of-12": "3 of 12",
    "approval-40": "approval of 40",
    "score-0..10-x10": "0 to 10 points for 10",
    "1-of-545": "545 options",
}


def measure(args):
    """The best run of each benchmark: name -> (microseconds for one thing, counters)."""
    command = [args.batch_bench, "--benchmark_format=json", f"--benchmark_repetitions={args.repetitions}"]
    if args.filter:
        command.append(f"--benchmark_filter={args.filter}")
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    best = {}
    for run in json.loads(output)["benchmarks"]:
        if run["run_type"] != "iteration" or run.get("error_occurred"):
            continue
        # The rate counts processor time: things in a second.
        time = 1e6 / run["items_per_second"]
        name = run["run_name"]
        if name not in best or time < best[name][0]:
            best[name] = (time, run)
    return best


def number(value):
    """Two or three figures that mean something."""
    if value is None:
        return "—"
    if value < 0.1:
        return f"{value:.4f}"
    if value < 10:
        return f"{value:.2f}"
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def find(best, names):
    return next((best[name] for name in names if name in best), None)


def rows(best):
    """(title, one by one, {back end: run}) for each line of the table."""
    def backends(prefix, suffix=""):
        return {key: best.get(f"{prefix}/{key}{suffix}") for key in COLUMNS}

    yield "product in the field, per lane", None, backends("field_product")
    yield "point decoded", find(best, ["point_decode/libsodium"]), backends("point_decode")
    for power in range(4, 21, 2):
        size = 1 << power
        yield f"term of a sum of {size:,}", find(best, ["sum/libsodium"]), backends("sum", f"/{size}")
    for shape, title in SHAPES.items():
        alone = find(best, [f"ballots/{shape}/{name}" for name in ONE_BY_ONE])
        yield f"ballot, {title}", alone, backends(f"ballots/{shape}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("batch_bench")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--filter", help="only benchmarks that match")
    best = measure(parser.parse_args())

    lines = [row for row in rows(best) if any(row[2].values())]
    print("| | one by one | " + " | ".join(COLUMNS.values()) + " |")
    print("|---|---|" + "---|" * len(COLUMNS))
    for title, alone, backends in lines:
        cells = [alone, *backends.values()]
        print(f"| {title} | " + " | ".join(number(run and run[0]) for run in cells) + " |")

    print("\n| times faster than one by one; times the floor (µs) | " + " | ".join(COLUMNS.values()) + " |")
    print("|---|" + "---|" * len(COLUMNS))
    for title, alone, backends in lines:
        if not title.startswith("ballot"):
            continue
        cells = []
        for run in backends.values():
            if run is None:
                cells.append("—")
                continue
            floor = run[1]["floor_us"]
            faster = f"{alone[0] / run[0]:.1f}; " if alone else ""
            cells.append(f"{faster}{run[0] / floor:.2f} ({number(floor)})")
        print(f"| {title} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
