#!/usr/bin/env python3
"""faults_test.py PSEPHOSD BOX_LOAD MANIFEST CLOCK_JUMP [CASE...]

What a server does when the machine, its operator or its files fail it: it serves nothing that it cannot explain, and
loses nothing that it has acknowledged.
"""
import os
import random
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from serving import Box, Failed, counts, expect, prepare, until

NOBODY = 65534
BALLOTS = 2500


def disk_full(fresh):
    """No file may grow beyond a size, as if the disk were full; later it may."""
    box = fresh()
    box.start(limit=600_000)
    out = box.cast(0, BALLOTS, "--seconds", 6)
    got = counts(out)
    expect(got.get(200, 0) > 0 and got.get(503, 0) > 0, f"the disk did not fill: {out}")
    expect(set(got) <= {200, 503, "next"}, f"other answers: {out}")
    expect(box.process.poll() is None, "the server ended")
    status, _ = box.get("/healthz")
    expect(status == 503, f"/healthz: {status}")
    resource.prlimit(box.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    until(lambda: box.get("/healthz")[0] == 200, "the server does not recover")
    got = counts(box.cast(0, BALLOTS, "--seconds", 60))
    expect(got[200] == BALLOTS, f"after the disk has space again: {got}")
    box.check()
    box.stop()
    box.fsck()


def directory_read_only(fresh):
    """While it serves: ballots are kept in the store, and published once there is a place again. At the start: refused."""
    box = fresh(uid=NOBODY if os.geteuid() == 0 else None)
    box.start()
    box.cast(0, 100)
    box.check()
    places = [root for root, _, _ in os.walk(box.path("record", "box"))]
    for place in places:
        os.chmod(place, 0o555)
    got = counts(box.cast(100, 100))
    expect(got[200] == 100, f"the record cannot be written: {got}")
    for place in places:
        os.chmod(place, 0o755)
    box.check()
    box.stop()
    os.chmod(box.directory, 0o555)
    box.refuses("box.store")
    os.chmod(box.directory, 0o755)
    box.start()
    expect(counts(box.cast(0, 200))[200] == 200, "after the directory can be written again")
    box.stop()


def filled(fresh, count=600):
    box = fresh()
    box.start()
    box.cast(0, count)
    box.stop()
    return box


def store_truncated(fresh):
    box = filled(fresh)
    store = box.path("box.sqlite")
    whole = open(store, "rb").read()
    for size in (0, 1, 100, 4096, len(whole) // 3, len(whole) - 8192, len(whole) - 1):
        with open(store, "wb") as file:
            file.write(whole[:size])
        box.refuses("box.sqlite")
        expect(box.command("fsck").returncode != 0, f"fsck passes a store cut to {size} bytes")
    with open(store, "wb") as file:
        file.write(whole)
    box.start()
    expect(counts(box.cast(0, 600))[200] == 600, "the store is whole again")
    box.stop()


def store_bit_flipped(fresh, draw):
    """A flipped bit is refused at the start, or named by fsck, or changes nothing that anybody is told."""
    box = filled(fresh, 150)
    store = box.path("box.sqlite")
    whole = open(store, "rb").read()
    refused = named = harmless = 0
    for _ in range(40):
        bit = draw.randrange(len(whole) * 8)
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        with open(store, "wb") as file:
            file.write(damaged)
        if box.command("fsck").returncode != 0:
            named += 1
        box.spawn()
        end = time.monotonic() + 60
        while box.process.poll() is None and "admin port" not in open(box.path("out")).read():
            expect(time.monotonic() < end, "neither starts nor ends")
            time.sleep(0.01)
        if box.process.poll() is not None:
            expect(box.process.poll() > 0, f"bit {bit}: ended with {box.process.poll()}: {box.log()}")
            refused += 1
            continue
        found = re.search(r", port (\d+), admin port (\d+)", open(box.path("out")).read())
        box.url = "http://127.0.0.1:" + found[1]
        # Whoever sends again gets the receipt they had, or none: box_load refuses another one.
        got = counts(box.cast(0, 150, "--seconds", 3))
        if got.get(200, 0) == 150:
            box.check()
            harmless += 1
        box.end()
    print(f"  {refused} refused at the start, {named} named by fsck, {harmless} changed nothing")
    expect(refused > 0, "no flipped bit was noticed")
    with open(store, "wb") as file:
        file.write(whole)
    box.fsck()


def store_is_older(fresh):
    box = filled(fresh, 100)
    copies = box.path("copies")
    expect(box.command("backup", "--out", copies).returncode == 0, "backup")
    box.start()
    box.cast(100, 100)
    box.stop()
    shutil.move(box.path("box.sqlite"), box.path("newer"))
    shutil.copy(os.path.join(copies, os.listdir(copies)[0]), box.path("box.sqlite"))
    box.refuses("older copy")
    expect("older copy" in box.command("fsck").stderr, "fsck passes an older copy")
    expect("older copy" in box.command("export").stderr, "export takes an older copy for the truth")
    shutil.move(box.path("newer"), box.path("box.sqlite"))
    box.start()
    box.check()
    box.stop()


def store_is_gone(fresh):
    box = filled(fresh, 50)
    shutil.move(box.path("box.sqlite"), box.path("kept"))
    box.refuses("the store is missing")
    expect(not os.path.exists(box.path("box.sqlite")), "a second history was begun")
    shutil.move(box.path("kept"), box.path("box.sqlite"))
    box.start()
    box.check()
    box.stop()


def store_is_gone_before_an_export(fresh):
    """Receipts have left, and no file says so."""
    box = fresh()
    box.configure(lambda text: text.replace("[election.box]", '[election.box]\nexport_interval = "1h"'))
    box.start()
    box.cast(0, 20)
    box.end(signal.SIGKILL)
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(box.path("box.sqlite" + suffix)):
            shutil.move(box.path("box.sqlite" + suffix), box.path("kept" + suffix))
    box.refuses("the store is missing")
    expect(not os.path.exists(box.path("box.sqlite")), "a second history was begun")
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(box.path("kept" + suffix)):
            shutil.move(box.path("kept" + suffix), box.path("box.sqlite" + suffix))
    box.start()
    expect(counts(box.cast(0, 20))[200] == 20, "the store is there again")
    box.stop()
    box.check()
    box.fsck()


def store_of_another(fresh):
    box, other = filled(fresh, 20), fresh()
    other.start()
    other.stop()
    with open(box.path("box.sqlite"), "r+b") as file:
        header = bytearray(file.read(100))
        header[68:72] = b"abcd"  # the application's id
        file.seek(0)
        file.write(header)
    box.refuses("box.sqlite")


def tile_damaged(fresh):
    box = filled(fresh)
    tiles = [os.path.join(root, name) for root, _, names in os.walk(box.path("record", "box"))
             for name in names if name != "checkpoint"]
    expect(len(tiles) > 4, "too few tiles")
    for tile in sorted(tiles):
        with open(tile, "rb") as file:
            whole = file.read()
        with open(tile, "wb") as file:
            file.write(whole[:40] + bytes([whole[40] ^ 4]) + whole[41:] if len(whole) > 40 else whole[:-1])
        box.refuses("box/")
        expect(box.command("fsck").returncode != 0, f"fsck passes {tile}")
        done = box.command("export")
        expect(done.returncode == 0, f"export: {done.stderr}")
        with open(tile, "rb") as file:
            expect(file.read() == whole, f"{tile} is not what it was")
    os.remove(tiles[0])
    box.refuses("box/")
    expect(box.command("export").returncode == 0, "export")
    box.fsck()
    box.start()
    box.check()
    box.stop()


def clock_jumps(fresh, clock_jump):
    box = fresh()
    jump = box.path("jump")
    box.start(environment={"LD_PRELOAD": clock_jump, "CLOCK_JUMP": jump})
    load = box.load("--rate", 150, "--from", 0, "--count", 300, "--connections", 16)
    time.sleep(0.7)
    open(jump, "w").close()
    got = counts(box.finish(load))
    expect(got.get(200) == 300, f"the clock went back: {got}")
    box.check()
    box.stop()
    box.start()
    expect(counts(box.cast(0, 320))[200] == 320, "after the clock went back")
    box.stop()
    box.fsck()


def stopped_and_continued(fresh):
    box = fresh()
    box.start()
    load = box.load("--rate", 200, "--from", 0, "--count", 500, "--connections", 64, "--seconds", 30)
    for _ in range(3):
        time.sleep(0.3)
        box.send(signal.SIGSTOP)
        time.sleep(0.4)
        box.send(signal.SIGCONT)
    got = counts(box.finish(load))
    expect(got.get(200, 0) == 500, f"after SIGCONT: {got}")
    box.check()
    box.stop()


def terminated_under_load(fresh):
    box = fresh()
    for round_number in range(3):
        box.start()
        load = box.load("--from", 700 * round_number, "--count", 700, "--connections", 64, "--until-lost")
        time.sleep(0.25)
        box.stop()
        box.finish(load)
        # Nothing waits for a next start: the files hold all that was acknowledged.
        box.check()
        box.fsck()


def certificate(box, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", f"/CN={name}", "-keyout", box.path("tls.key"), "-out", box.path("tls.pem")],
                   check=True, stderr=subprocess.DEVNULL)
    os.chmod(box.path("tls.key"), 0o600)


def reloaded(fresh):
    """SIGHUP: other certificates and another log file, and no ballot is lost meanwhile."""
    box = fresh()
    certificate(box, "first")
    box.configure(lambda text: text.replace("[http]", '[http]\ncertificate = "tls.pem"\nkey = "tls.key"')
                  .replace("[admin]", '[log]\nfile = "server.log"\n[admin]'))
    box.start()
    port = int(box.url.rsplit(":", 1)[1])

    def shown():
        return ssl.get_server_certificate(("127.0.0.1", port))

    def file():
        return open(box.path("tls.pem")).read()

    first = file()
    expect(shown().split() == first.split(), "the first certificate")
    context = ssl.create_default_context(cafile=box.path("tls.pem"))
    context.check_hostname = False
    with socket.create_connection(("127.0.0.1", port)) as raw, context.wrap_socket(raw) as held:
        certificate(box, "second")
        os.rename(box.path("server.log"), box.path("server.log.1"))
        box.send(signal.SIGHUP)
        until(lambda: shown().split() == file().split(), "the second certificate is not shown")
        until(lambda: os.path.exists(box.path("server.log")), "the log file is not made anew")
        # A connection that was there goes on.
        held.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        expect(b" 200 " in held.recv(4096).split(b"\r\n")[0], "an open connection was lost")
    second = file()
    with open(box.path("tls.pem"), "w") as out:
        out.write("no certificate\n")
    box.send(signal.SIGHUP)
    until(lambda: "certificates_kept" in open(box.path("server.log")).read(), "a bad certificate is not reported")
    expect(shown().split() == second.split(), "a bad certificate was taken")
    box.stop()


def reloaded_under_load(fresh):
    box = fresh()
    box.start()
    load = box.load("--rate", 200, "--from", 0, "--count", 200, "--connections", 32, "--seconds", 30)
    for _ in range(5):
        time.sleep(0.1)
        box.send(signal.SIGHUP)
    expect(counts(box.finish(load)).get(200) == 200, "ballots were lost in a reload")
    box.check()
    box.stop()


def main():
    psephosd, box_load, manifest, clock_jump = sys.argv[1:5]
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"SEED={seed}", flush=True)
    draw = random.Random(seed)
    cases = {
        "disk_full": disk_full,
        "directory_read_only": directory_read_only,
        "store_truncated": store_truncated,
        "store_bit_flipped": lambda fresh: store_bit_flipped(fresh, draw),
        "store_is_older": store_is_older,
        "store_is_gone": store_is_gone,
        "store_is_gone_before_an_export": store_is_gone_before_an_export,
        "store_of_another": store_of_another,
        "tile_damaged": tile_damaged,
        "clock_jumps": lambda fresh: clock_jumps(fresh, clock_jump),
        "stopped_and_continued": stopped_and_continued,
        "terminated_under_load": terminated_under_load,
        "reloaded": reloaded,
        "reloaded_under_load": reloaded_under_load,
    }
    failures = []
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)
        prepared = os.path.join(work, "prepared")
        prepare(box_load, manifest, prepared, BALLOTS)
        for name in sys.argv[5:] or cases:
            boxes = []

            def fresh(uid=None):
                boxes.append(Box(psephosd, box_load, prepared, os.path.join(work, f"{name}{len(boxes)}"), uid))
                return boxes[-1]

            started = time.monotonic()
            try:
                cases[name](fresh)
                print(f"{name}: passed, {time.monotonic() - started:.1f} s", flush=True)
            except (Failed, subprocess.TimeoutExpired, OSError, KeyError) as failure:
                failures.append(name)
                print(f"{name}: FAILED: {failure}", flush=True)
            for box in boxes:
                if box.process is not None:
                    box.process.kill()
                    box.process.wait()
    sys.exit(f"failed: {' '.join(failures)}" if failures else 0)


if __name__ == "__main__":
    main()
