#!/usr/bin/env python3
"""Times `psephos verify` over records of random ballots, 1 of 5, of growing size, and prints a Markdown table. Makes the
records that are not there yet: a million ballots take a quarter of an hour and 1.5 GB.

usage: verify_sizes.py PSEPHOS DIRECTORY [--sizes 1000,10000,100000,1000000] [--runs 3] [--options="--curve avx2"]
"""
import argparse
import os
import statistics
import subprocess
import time

MANIFEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "one_of_five.json")


def measure(command):
    """Wall-clock seconds, processor seconds and most memory in MiB of a command that must succeed."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if status != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("psephos")
    parser.add_argument("directory")
    parser.add_argument("--sizes", default="1000,10000,100000,1000000")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--options", default="", help="of verify")
    args = parser.parse_args()
    print("| ballots | time | ballots a second | processor time per ballot | most memory |")
    print("|---|---|---|---|---|")
    for size in (int(text) for text in args.sizes.split(",")):
        record = os.path.join(args.directory, f"one-of-five-{size}")
        if not os.path.exists(record):
            made = measure([args.psephos, "run", MANIFEST, "--synthetic", str(size), record])
            print(f"<!-- made in {made[0]:.0f} s, {made[2]:.0f} MiB -->")
        runs = [measure([args.psephos, "verify", record, *args.options.split()]) for _ in range(args.runs)]
        wall = statistics.median(run[0] for run in runs)
        processor = min(run[1] for run in runs)
        memory = max(run[2] for run in runs)
        print(f"| {size:,} | {wall:.2f} s | {size / wall:,.0f} | {1e6 * processor / size:.0f} µs | {memory:.0f} MiB |",
              flush=True)


if __name__ == "__main__":
    main()
