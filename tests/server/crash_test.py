#!/usr/bin/env python3
"""crash_test.py PSEPHOSD BOX_LOAD MANIFEST KILLS [SEED]

Kills the server with SIGKILL at random moments under load and starts it again. After each kill the store is sound
(fsck, on a copy, so that the server itself recovers); ballots that were acknowledged, and those on their way, are
sent again and get the receipts they had; at the end every acknowledged ballot is in the log, nothing stands twice,
receipts verify, and the log continues every checkpoint that was ever published.
"""
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

from serving import Box, Failed, counts, expect, prepare

RATE = 400
LONGEST = 0.6  # seconds of load before a kill
AGAIN = 60  # ballots sent again after a kill


class Watcher(threading.Thread):
    """Fetches checkpoints as long as the server answers, and keeps all it has seen."""

    def __init__(self, box, seen):
        super().__init__(daemon=True)
        self.box, self.seen, self.over = box, seen, False

    def run(self):
        while not self.over:
            for shard in (0, 1):
                try:
                    status, note = self.box.get(f"/v1/elections/{self.box.election}/record/box/{shard}/checkpoint")
                except OSError:
                    return  # killed
                if status == 200:
                    self.seen.add(note)
            time.sleep(0.02)


def main():
    psephosd, box_load, manifest, kills = *sys.argv[1:4], int(sys.argv[4])
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as work:
        prepared = os.path.join(work, "prepared")
        prepare(box_load, manifest, prepared, int(kills * RATE * LONGEST * 0.6) + 1000)
        box = Box(psephosd, box_load, prepared, os.path.join(work, "box"))
        box.configure(lambda text: text.replace("[election.box]", '[election.box]\nexport_interval = "100ms"'))
        try:
            crash(box, draw, kills, work)
        finally:
            if box.process is not None:
                box.process.kill()


def crash(box, draw, kills, work):
    seen = set()
    following = 0
    in_start = 0
    published = os.path.join(work, "published")
    for kill in range(kills):
        if draw.random() < 0.1:  # while it starts
            box.spawn()
            time.sleep(draw.uniform(0, 0.15))
            in_start += 1
        else:
            box.start()
            watcher = Watcher(box, seen)
            watcher.start()
            load = box.load("--rate", RATE, "--connections", 64, "--from", max(0, following - AGAIN), "--seconds", 60,
                            "--until-lost")
            time.sleep(draw.uniform(0.02, LONGEST))
            if draw.random() < 0.1:
                box.send(signal.SIGTERM)  # while it ends
                time.sleep(draw.uniform(0, 0.05))
        expect(box.process.poll() in (None, 0), "psephosd ended by itself: " + box.log())
        box.end(signal.SIGKILL)
        if "load" in locals() and load is not None:
            following = max(following, counts(box.finish(load))["next"])
            watcher.over = True
            watcher.join()
            load = None
        copy = os.path.join(work, "copy")
        shutil.copytree(box.directory, copy)
        box.fsck(copy)
        shutil.rmtree(copy)
    with open(published, "wb") as file:
        file.write(b"".join(seen))
    box.start()
    # All of them once more: every receipt is what it was.
    print(counts(box.cast(0, following, "--seconds", 600)))
    print(box.check("--checkpoints", published), end="")
    box.stop()
    box.fsck()
    print(f"{kills} kills, {in_start} of them in the start, {following} ballots, {len(seen)} checkpoints seen")
    expect(len(seen) > 2, "no checkpoints were seen")


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")
