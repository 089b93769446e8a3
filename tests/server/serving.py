"""A ballot box run by psephosd, and box_load beside it: for tests that treat the server badly."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PATIENCE = 60  # seconds for what should take one; the machine may be busy


class Failed(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failed(message)


class Box:
    """A directory that `box_load prepare` made, or a copy of one, and the server on it."""

    def __init__(self, psephosd, box_load, prepared, directory, uid=None):
        self.psephosd, self.box_load, self.uid = psephosd, box_load, uid
        self.ballots = os.path.join(prepared, "ballots")
        self.directory = directory
        shutil.copytree(prepared, directory, ignore=shutil.ignore_patterns("ballots"))
        self.election = open(self.path("election")).read().strip()
        self.receipts = self.path("receipts")
        self.process = None
        if uid is not None:
            self.give_away()

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def give_away(self):
        for root, _, files in os.walk(self.directory):
            os.chown(root, self.uid, self.uid)
            for name in files:
                os.chown(os.path.join(root, name), self.uid, self.uid)

    def configure(self, text):
        with open(self.path("psephosd.toml")) as file:
            old = file.read()
        with open(self.path("psephosd.toml"), "w") as file:
            file.write(text(old))

    # --- the server

    def spawn(self, limit=None, environment=None):
        def prepare():
            if limit is not None:
                import resource
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as a full disk: an error, no signal

        with open(self.path("out"), "wb") as out, open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(
                [self.psephosd, "--config", self.path("psephosd.toml")], stdout=out, stderr=log, preexec_fn=prepare,
                restore_signals=limit is None, env={**os.environ, **(environment or {})}, user=self.uid)

    def start(self, **how):
        self.spawn(**how)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = re.search(r", port (\d+), admin port (\d+)", open(self.path("out")).read())
            if found:
                self.url = "http://127.0.0.1:" + found[1]
                self.admin = "http://127.0.0.1:" + found[2]
                return self
            if self.process.poll() is not None:
                raise Failed("psephosd did not start: " + self.log())
            time.sleep(0.01)
        raise Failed("psephosd does not start")

    def log(self):
        return open(self.path("log"), errors="replace").read()[-2000:]

    def send(self, which):
        self.process.send_signal(which)

    def end(self, which=signal.SIGTERM):
        """Ends the server, and returns its exit code."""
        self.send(which)
        code = self.process.wait(PATIENCE)
        self.process = None
        return code

    def stop(self):
        code = self.end()
        expect(code == 0, f"psephosd ended with {code} after SIGTERM: {self.log()}")

    def refuses(self, *words):
        """The server does not start, and says why."""
        open(self.path("log"), "w").close()
        self.spawn()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.end(signal.SIGKILL)
            raise Failed(f"psephosd serves, instead of saying {words}")
        self.process = None
        said = self.log()
        expect(code in (1, 2, 3), f"psephosd ended with {code}: {said}")
        for word in words:
            expect(word in said, f"psephosd does not say {word!r}: {said}")
        return said

    def command(self, *arguments, directory=None):
        config = os.path.join(directory or self.directory, "psephosd.toml")
        return subprocess.run([self.psephosd, "--config", config, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE * 5, user=self.uid)

    def fsck(self, directory=None):
        done = self.command("fsck", directory=directory)
        expect(done.returncode == 0, f"fsck: {done.returncode}: {done.stdout}{done.stderr}")

    # --- ballots

    def load(self, *arguments):
        """box_load run, in the background."""
        return subprocess.Popen(
            [self.box_load, "run", self.url, "--ballots", self.ballots, "--election", self.election, "--receipts",
             self.receipts, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self, load):
        out, _ = load.communicate(timeout=PATIENCE * 3)
        expect(load.returncode == 0, "box_load: " + out)
        return out

    def cast(self, first, count, *arguments):
        return self.finish(self.load("--from", first, "--count", count, "--connections", 16, *arguments))

    def check(self, *arguments):
        """Everything acknowledged is in the published files."""
        done = subprocess.run([self.box_load, "check", self.path("record"), "--ballots", self.ballots, "--receipts",
                               self.receipts, "--wait", str(PATIENCE), *arguments], capture_output=True, text=True)
        expect(done.returncode == 0, "box_load check: " + done.stdout + done.stderr)
        return done.stdout

    def get(self, path, url=None, headers=None):
        """Status and body."""
        request = urllib.request.Request((url or self.url) + path, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def post_ballot(self, ballot):
        request = urllib.request.Request(f"{self.url}/v1/elections/{self.election}/ballots", data=ballot,
                                         headers={"Content-Type": "application/octet-stream"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def ballot(self, number):
        with open(self.ballots, "rb") as file:
            for _ in range(number):
                file.seek(int.from_bytes(file.read(4), "big"), os.SEEK_CUR)
            return file.read(int.from_bytes(file.read(4), "big"))


def counts(out):
    """What box_load run printed: {status: count}, with "next" for the next ballot."""
    found = {int(status): int(count) for status, count in re.findall(r"^status (\d+): (\d+)$", out, re.M)}
    found["next"] = int(re.search(r"^next ballot (\d+)$", out, re.M)[1])
    return found


def prepare(box_load, manifest, directory, ballots):
    subprocess.run([box_load, "prepare", directory, str(ballots), "--manifest", manifest, "--rsa-bits", "2048"],
                   check=True, stderr=subprocess.DEVNULL)


def until(condition, message):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise Failed(message)
