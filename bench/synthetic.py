#!/usr/bin/env python3
"""Makes the manifest and the plaintext ballots of a large election of one question, for measurements:
what `psephos run OUT.json OUT.csv RECORD` needs.

usage: synthetic.py BALLOTS OUT [--options N]
"""
import argparse
import json
import random

parser = argparse.ArgumentParser()
parser.add_argument("ballots", type=int)
parser.add_argument("out")
parser.add_argument("--options", type=int, default=5)
args = parser.parse_args()

manifest = {
    "psephos": "manifest/v1",
    "title": f"Synthetic, {args.ballots} ballots",
    "origin": f"bench.example/{args.ballots}",
    "opens": "2031-01-01T08:00:00Z",
    "closes": "2031-01-01T20:00:00Z",
    "contests": [
        {
            "id": "q",
            "title": f"1 of {args.options}",
            "type": "choose",
            "options": [f"Option {i + 1}" for i in range(args.options)],
            "min": 1,
            "max": 1,
        }
    ],
    "styles": [{"id": "all", "contests": ["q"]}],
    "trustees": {"names": ["First", "Second", "Third"], "threshold": 2},
    "registrars": {"names": ["Office"], "rsa_bits": 3072},
    "box": {"shards": 2, "revote": "last", "challenges": 0},
    "tally": {"minimum": 1, "by": "election"},
    "voters": args.ballots,
}
with open(args.out + ".json", "w", encoding="utf-8") as f:
    json.dump(manifest, f, indent=2)
draw = random.Random(args.ballots)
with open(args.out + ".csv", "w", encoding="utf-8") as f:
    f.write("q\n")
    for _ in range(args.ballots):
        f.write(f"{draw.randint(1, args.options)}\n")
