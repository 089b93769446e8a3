"""Tries deploy/nginx.conf: nginx in front of a stand-in for psephosd, both on this machine.

usage: nginx_test.py DEPLOY_FOLDER

Exit status 77 (skipped) if there is no nginx or no openssl.
"""

import contextlib
import email.utils
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

DEADLINE = 30
WRITTEN = 1_700_000_000  # when tiles on the disk were
ID = "73dfd67e1fcad1c1253c3da7bd167e16b4f6391821e93272fe7035ca2d2db7e8"
BASE = f"/v1/elections/{ID}/"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class StandIn:
    """Answers as psephosd does, as far as a proxy can tell, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.release = threading.Event()
        self.gone = False  # closes connections without an answer
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def parse_request(self):
                self.close_connection = True
                return not stand_in.gone and super().parse_request()

            def answer(self, status, content, headers=()):
                self.send_response(status)
                for name, value in (*headers, ("Content-Length", len(content))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stand_in.asked.append((self.path, dict(self.headers), body))
                if body == b"shed":
                    problem = [("Content-Type", "application/problem+json"), ("Retry-After", "7")]
                    self.answer(503, b'{"title":"psephosd says so"}', problem)
                else:
                    self.answer(200, b"receipt", [("Content-Type", "text/plain")])

            def do_GET(self):
                stand_in.asked.append((self.path, dict(self.headers), b""))
                if self.path.endswith("/events"):
                    self.send_response(200)
                    self.send_header("Content-Type", "text/event-stream")
                    self.send_header("Cache-Control", "no-store")
                    self.send_header("Connection", "close")
                    self.end_headers()
                    self.wfile.write(b"event: turnout\ndata: 1\n\n")
                    self.wfile.flush()
                    stand_in.release.wait(DEADLINE)
                    self.wfile.write(b"event: turnout\ndata: 2\n\n")
                    self.close_connection = True
                elif "/tile/" in self.path:
                    self.answer(200, b"tile", [("Cache-Control", "public, max-age=31536000, immutable"), ("ETag", '"t"')])
                elif "/record/" in self.path:
                    known = self.headers.get("If-None-Match") == '"c"'
                    self.answer(304 if known else 200, b"" if known else b"checkpoint",
                                [("Cache-Control", "no-cache"), ("ETag", '"c"')])
                else:
                    self.answer(200, b'{"page":1}' * 500, [("Content-Type", "application/json")])

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def count(self, path):
        return sum(1 for asked, _, _ in self.asked if asked == path)

    def stop(self):
        self.gone = True
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


class Nginx:
    """nginx.conf in a folder of its own: paths, ports and user are changed, and nothing else."""

    def __init__(self, deploy, folder, upstream, static):
        self.folder, self.plain, self.tls = folder, free_port(), free_port()
        for name in ("logs", "cache", "srv", "temp"):
            (folder / name).mkdir()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
             "-subj", "/CN=vote.example", "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
            check=True, capture_output=True)
        text = (deploy / "nginx.conf").read_text(encoding="utf-8")
        replaced = {
            "user www-data;": "user root;" if os.getuid() == 0 else "",
            "worker_rlimit_nofile 65536;": "",
            "worker_connections 20000;": "worker_connections 200;",
            "/run/nginx.pid": f"{folder}/nginx.pid",
            "/var/log/nginx": f"{folder}/logs",
            "/var/cache/nginx/psephos": f"{folder}/cache",
            "/etc/ssl/vote.example": str(folder),
            "/etc/nginx/psephos-static.conf": f"{folder}/static.conf",
            "listen 80;": f"listen 127.0.0.1:{self.plain};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.tls} ssl http2;",
            "listen [::]:80;": "",
            "listen [::]:443 ssl http2;": "",
            "server 127.0.0.1:8080;": f"server 127.0.0.1:{upstream};",
            "http {\n": "http {\n" + "".join(
                f"  {kind}_temp_path {folder}/temp/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")),
        }
        if static:
            replaced["#include"] = "include"
        for old, new in replaced.items():
            if old not in text:
                raise RuntimeError(f"nginx.conf has no {old!r} any more: adapt this test")
            text = text.replace(old, new)
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        include = (deploy / "nginx-static.conf").read_text(encoding="utf-8").replace("/srv/psephos", f"{folder}/srv")
        (folder / "static.conf").write_text(include, encoding="utf-8")
        self.command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "logs/start.log")]
        self.process = None

    def check(self):
        run = subprocess.run([*self.command, "-t"], capture_output=True, text=True, check=False)
        return run.returncode == 0 and "[warn]" not in run.stderr, run.stderr

    def start(self):
        self.process = subprocess.Popen([*self.command, "-g", "daemon off;"])
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.tls), 1):
                return
            time.sleep(0.05)
        raise RuntimeError("nginx does not listen")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(DEADLINE)

    def connect(self, version=None):
        context = ssl.create_default_context(cafile=self.folder / "fullchain.pem")
        context.check_hostname = False
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return http.client.HTTPSConnection("127.0.0.1", self.tls, timeout=DEADLINE, context=context)

    def ask(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()


class Checks:
    def __init__(self):
        self.count, self.failures = 0, 0

    def __call__(self, condition, what):
        self.count += 1
        if not condition:
            self.failures += 1
            print(f"FAILED: {what}")

    def same(self, found, expected, what):
        self(found == expected, f"{what}: {found!r}, not {expected!r}")


def is_problem(answer, status):
    return answer[0] == status and answer[1].get("content-type") == "application/problem+json" and (
        json.loads(answer[2])["status"] == status)


def try_routes(check, nginx, upstream):
    status, headers, body = nginx.ask("GET", "/", headers={"X-Forwarded-For": "6.6.6.6", "Accept-Encoding": "gzip"})
    check.same(status, 200, "status page")
    check("strict-transport-security" in headers and headers.get("x-content-type-options") == "nosniff", "headers")
    check.same(headers.get("content-encoding"), "gzip", "compressed")
    seen = {name.lower(): value for name, value in upstream.asked[-1][1].items()}
    check.same(seen.get("x-forwarded-for"), "127.0.0.1", "the client's own X-Forwarded-For is not believed")
    check.same(seen.get("x-forwarded-proto"), "https", "X-Forwarded-Proto")

    plain = http.client.HTTPConnection("127.0.0.1", nginx.plain, timeout=DEADLINE)
    plain.request("GET", "/v1/elections?x=1")
    answer = plain.getresponse()
    check.same((answer.status, answer.getheader("Location")), (308, "https://127.0.0.1/v1/elections?x=1"), "to https")
    plain.close()
    try:
        nginx.connect(ssl.TLSVersion.TLSv1_2).connect()
        check(False, "TLS 1.2 is refused")
    except (ssl.SSLError, OSError):
        check(True, "TLS 1.2 is refused")

    for method, path in [("GET", "/metrics"), ("POST", BASE + "main"), ("POST", BASE + "stop"), ("POST", BASE + "resume"),
                         ("POST", BASE + "registrars/0/roll")]:
        before = len(upstream.asked)
        check.same(nginx.ask(method, path, b"x" if method == "POST" else None)[0], 404, f"{path} is not there")
        check.same(len(upstream.asked), before, f"{path} is not passed on")


def try_record(check, nginx, upstream, static):
    tile = BASE + "record/box/0/tile/0/000"
    answers = [nginx.ask("GET", tile) for _ in range(3)]
    check.same([answer[0] for answer in answers], [200] * 3, "tiles")
    check("immutable" in answers[0][1]["cache-control"], "tiles are immutable")
    if static:
        check.same([answer[2] for answer in answers], [b"from the disk"] * 3, "tiles from the disk")
        check.same(upstream.count(tile), 0, "tiles do not need psephosd")
        for path in ("main/tile/../../../secret", "main/tile/..%2f..%2f..%2fsecret", "main/tile/%2e%2e/%2e%2e/%2e%2e/secret",
                     "main/tile//../../../secret"):
            answer = nginx.ask("GET", BASE + "record/" + path)
            check(b"top secret" not in answer[2], f"{path} stays within the record")
        check.same(nginx.ask("GET", BASE + "record/box/0/tile/0/001")[0], 404, "a tile that is not there")
        # Nothing tells when a tile was written, which was WRITTEN.
        check.same([name for name in answers[0][1] if name in ("last-modified", "etag")], [], "no times")
        for header in ("If-Modified-Since", "If-Unmodified-Since"):
            seen = {nginx.ask("GET", tile, headers={header: email.utils.formatdate(WRITTEN + d, usegmt=True)})[0] for d in (-1, 0, 1)}
            check.same(len(seen), 1, f"{header} tells nothing")
        seen = {nginx.ask("GET", tile, headers={"Range": "bytes=0-1", "If-Range": email.utils.formatdate(WRITTEN + d, usegmt=True)})[0]
                for d in (-1, 0, 1)}
        check.same(seen, {200}, "If-Range tells nothing")
    else:
        check.same([answer[1].get("x-cache") for answer in answers], ["MISS", "HIT", "HIT"], "tiles are cached")
        check.same(upstream.count(tile), 1, "tiles are asked for once")
    checkpoint = BASE + "record/box/0/checkpoint"
    answers = [nginx.ask("GET", checkpoint) for _ in range(3)]
    check.same([answer[2] for answer in answers], [b"checkpoint"] * 3, "checkpoints")
    check.same(upstream.count(checkpoint), 3, "checkpoints are asked for each time")
    check.same(nginx.ask("GET", checkpoint, headers={"If-None-Match": '"c"'})[0], 304, "checkpoints are compared")


def try_events(check, nginx, upstream):
    connection = nginx.connect()
    connection.request("GET", BASE + "events")
    answer = connection.getresponse()
    check.same(answer.getheader("Content-Type"), "text/event-stream", "events")
    # Blocks until the time limit if nginx holds the event back.
    check.same(answer.readline(), b"event: turnout\n", "the first event comes before the second was sent")
    upstream.release.set()
    check(b"data: 2" in answer.read(), "the second event")
    connection.close()


def try_ballots(check, nginx, upstream):
    ballot = bytes(65_000)
    check.same(nginx.ask("POST", BASE + "ballots", ballot)[2], b"receipt", "a large ballot")
    check.same(upstream.asked[-1][2], ballot, "the ballot arrives as it was")
    check(is_problem(nginx.ask("POST", BASE + "ballots", bytes(66_000)), 413), "too large")
    status, headers, body = nginx.ask("POST", BASE + "ballots", b"shed")
    check.same((status, headers.get("retry-after"), body), (503, "7", b'{"title":"psephosd says so"}'),
               "psephosd's own refusal goes through")
    before = len(upstream.asked)
    answers = [nginx.ask("POST", BASE + "ballots", b"ballot") for _ in range(150)]
    limited = [answer for answer in answers if answer[0] == 429]
    check(len(limited) > 20, f"a flood is limited: {len(limited)} of 150")
    check(all(is_problem(answer, 429) and answer[1].get("retry-after") == "1" for answer in limited), "how a flood is answered")
    check.same(len(upstream.asked) - before, 150 - len(limited), "what is limited does not reach psephosd")
    check.same(nginx.ask("GET", "/")[0], 200, "the status page has a limit of its own")
    answers = [nginx.ask("POST", BASE + "registrars/0/credentials", b"request")[0] for _ in range(60)]
    check(answers.count(429) > 10 and answers.count(200) >= 20, f"enrolments are limited: {answers.count(429)} of 60")


def check_logs(check, nginx):
    text = {path.name: path.read_text(encoding="utf-8") for path in (nginx.folder / "logs").iterdir()}
    lines = text["access.log"].splitlines()
    check(len(lines) > 5, "there is an access log")
    for line in lines:
        check(re.fullmatch(r"\S+ (GET|POST) (page|tile|record|events|live|election|other) \d{3} \d+ [\d.]+ \S+", line),
              f"a line of the access log: {line}")
    for name, content in text.items():
        check("127.0.0.1" not in content and ID not in content and "ballots" not in content, f"{name} names nobody: {content[:300]}")
    check.same(sum(1 for line in lines if " 429 " in line), 0, "ballots and enrolments are not logged")


def main():
    deploy = Path(sys.argv[1]).resolve()
    for tool in ("nginx", "openssl"):
        if shutil.which(tool) is None:
            print(f"skipped: there is no {tool}; Debian: apt-get install nginx-light openssl")
            return 77
    check = Checks()
    for static in (False, True):
        with tempfile.TemporaryDirectory() as temporary:
            upstream = StandIn()
            nginx = Nginx(deploy, Path(temporary).resolve(), upstream.port, static)
            try:
                good, said = nginx.check()
                check(good, f"nginx -t: {said}")
                if not good:
                    continue
                tile = nginx.folder / "srv" / ID / "box/0/tile/0/000"
                tile.parent.mkdir(parents=True)
                tile.write_bytes(b"from the disk")
                os.utime(tile, (WRITTEN, WRITTEN))
                (nginx.folder / "srv/secret").write_bytes(b"top secret")
                nginx.start()
                try_routes(check, nginx, upstream)
                try_record(check, nginx, upstream, static)
                if not static:
                    try_events(check, nginx, upstream)
                    try_ballots(check, nginx, upstream)
                upstream.stop()
                # Ballots may be limited still.
                for path, statuses in {"/": {503}, BASE + "ballots": {429, 503}}.items():
                    answer = nginx.ask("GET", path)
                    check(answer[0] in statuses and is_problem(answer, answer[0]), f"without psephosd: {answer[:2]}")
                check_logs(check, nginx)
            finally:
                nginx.stop()
                upstream.stop()
    print(f"{check.count} checks, {check.failures} failed")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
