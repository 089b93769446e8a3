#!/usr/bin/env python3
"""Runs a real election from the folder of election data and compares its decrypted totals with a recount.

usage: election_data.py PSEPHOS SET [--limit N] [--rsa-bits B]

SET is a folder of PSEPHOS_DATA (default: ../shared/data beside the source tree). Without --limit the whole
set is run and compared with its results.json as well. Exit code 77: the set is not there, nothing was run.
"""
import argparse
import collections
import csv
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What each set's contests allow: (type, range, min, max).
RULES = {
    "gdynia2024": ("choose", 1, 1, 3),
    "poznan2025_large": ("choose", 1, 1, 1),
    "czestochowa2025": ("score", 10, 1, 10),
    "wroclaw2015": ("choose", 1, 0, 1),
}


def option_name(text, index):
    """A manifest's option: without control characters, at most 256 bytes, distinct."""
    clean = "".join(c if c >= " " and c != "\x7f" else " " for c in text)
    while len(clean.encode()) > 240:
        clean = clean[:-1]
    return f"{index} {clean}"


def make_manifest(folder, name, voters, rsa_bits):
    kind, top, least, most = RULES[name]
    options = collections.defaultdict(list)
    with open(folder / "options.csv", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            options[row["contest"]].append(option_name(row["name"], int(row["index"])))
            assert len(options[row["contest"]]) == int(row["index"])
    contests = []
    for contest, names in options.items():
        entry = {"id": contest, "title": contest, "type": kind, "options": names}
        if kind == "score":
            entry["range"] = top
        entry.update(min=least, max=most)
        contests.append(entry)
    return {
        "psephos": "manifest/v1",
        "title": name,
        "origin": f"data.example/{name.replace('_', '-')}",
        "opens": "2026-01-01T08:00:00Z",
        "closes": "2026-01-01T20:00:00Z",
        "contests": contests,
        "styles": [{"id": "all", "contests": list(options)}],
        "trustees": {"names": ["A", "B", "C"], "threshold": 2},
        "registrars": {"names": ["Registrar"], "rsa_bits": rsa_bits},
        "box": {"shards": 2, "revote": "last", "challenges": 3},
        "tally": {"minimum": 1, "by": "election"},
        "voters": voters,
    }


def recount(rows, contests):
    """Totals per contest and option, from the cells alone."""
    totals = {c["id"]: [0] * len(c["options"]) for c in contests}
    for row in rows:
        for contest in totals:
            for part in filter(None, row[contest].split("|")):
                option, _, points = part.partition(":")
                totals[contest][int(option) - 1] += int(points or 1)
    return totals


def official(folder, contests):
    """The totals of results.json: points where the set has them, votes else."""
    result = json.load(open(folder / "results.json", encoding="utf-8"))
    totals = {}
    for contest in result["contests"]:
        values = [0] * len(contest["totals"])
        for t in contest["totals"]:
            values[t["index"] - 1] = t["score"] if "score" in t else t["votes"]
        totals[contest["contest"]] = values
    assert set(totals) == {c["id"] for c in contests}
    return totals


def run(command):
    """The finished process and what it used, in words."""
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # The largest of the processes so far.
    return done, f"{seconds:.1f} s ({cpu:.1f} s of CPU, at most {after.ru_maxrss // 1024} MiB)"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("psephos")
    parser.add_argument("set", choices=RULES)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--rsa-bits", type=int, default=3072)
    args = parser.parse_args()
    data = pathlib.Path(os.environ.get("PSEPHOS_DATA") or ROOT.parent / "shared" / "data")
    folder = data / args.set
    if not folder.is_dir():
        print(f"skipped: no election data {args.set} in {data}; set PSEPHOS_DATA")
        return 77
    rows = list(csv.DictReader(open(folder / "ballots.csv", encoding="utf-8")))
    whole = args.limit is None
    rows = rows[: args.limit]
    with tempfile.TemporaryDirectory(prefix="psephos-data.") as work:
        work = pathlib.Path(work)
        manifest = make_manifest(folder, args.set, len(rows), args.rsa_bits)
        (work / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
        limit = [] if whole else ["--limit", str(args.limit)]
        done, run_cost = run([args.psephos, "--json", "run", *limit, str(work / "manifest.json"),
                                 str(folder / "ballots.csv"), str(work / "record")])
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        assert summary["ballots"] == len(rows)
        decrypted = {
            c["id"]: [t["votes"] for t in c["units"][0]["totals"]] for c in summary["result"]["contests"]
        }
        assert decrypted == recount(rows, manifest["contests"]), "totals differ from a recount"
        if whole:
            assert decrypted == official(folder, manifest["contests"]), "totals differ from results.json"

        done, verify_cost = run([args.psephos, "--json", "verify", str(work / "record")])
        report = json.loads(done.stdout)
        assert done.returncode == 0 and report["accepted"], done.stdout
        assert report["counted"] == len(rows)
        assert [c["status"] for c in report["checks"]] == ["passed"] * 15

        # One bit of one ballot: rejected, by the log and by the check of whatever the bit belongs to.
        # A few ballots may leave a shard empty.
        bundle = sorted(p for p in (work / "record" / "box").glob("*/tile/entries/**/*") if p.is_file())[-1]
        content = bytearray(bundle.read_bytes())
        content[-40] ^= 4  # inside the last ballot's last scalars
        bundle.write_bytes(content)
        done, _ = run([args.psephos, "--json", "verify", str(work / "record")])
        report = json.loads(done.stdout)
        failed = [c["id"] for c in report["checks"] if c["status"] == "failed"]
        assert done.returncode == 1 and not report["accepted"] and "V4" in failed and "V8" in failed, failed
    size = "all" if whole else "the first"
    print(f"{args.set}: {size} {len(rows)} ballots, totals equal; run {run_cost}, verify {verify_cost}; "
          f"seconds of run's phases: {json.dumps(summary['seconds'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
