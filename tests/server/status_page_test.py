"""Looks at the status page in headless Chromium, served with canned answers.

usage: status_page_test.py STATUS_PAGE_HTML [--keep FOLDER]    FOLDER gets screenshots and DOMs

Exit status 77 (skipped) if there is no chromium.
"""

import base64
import fcntl
import hashlib
import http.server
import json
import os
import queue
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ID = "73dfd67e1fcad1c1253c3da7bd167e16b4f6391821e93272fe7035ca2d2db7e8"
OTHER = "00" * 32
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> & <b>Town</b>"
DEADLINE = 30  # seconds, for anything at all
MORNING = 1_772_434_800  # 2026-03-02 07:00 UTC
ROOT = "HJTbZypoZM1NceuiWfHd8rp5cXU2gSccl0DqRg8o7xg="


def turnout(both, island, at):
    return {
        "election": both + island,
        "styles": {"both": both, "island": island},
        "districts": {"Harbour " + HOSTILE: island, "Old Town": both},
        "time": at,
    }


def day():
    """A day of voting, in samples of ten minutes: slow, a morning peak, a lull, an evening peak."""
    samples, total = [], 0
    for i in range(72):
        hour = 7 + i / 6
        rate = 40 + 160 * max(0, 1 - abs(hour - 9.5) / 2) + 220 * max(0, 1 - abs(hour - 17.3) / 1.6)
        total += int(rate) // 10 * 10
        samples.append([MORNING + 600 * i, total])
    return samples


def checkpoint(log, size, witnesses=()):
    return {"log": log, "size": size, "root": ROOT, "witnesses": list(witnesses)}


def live(phase, history, **more):
    last = history[-1] if history else None
    return {
        "election": ID,
        "step": 10,
        "interval": 5,
        "phase": phase,
        "stopped": False,
        "turnout": turnout(last[1] - 120, 120, last[0]) if last else None,
        "history": history,
        "checkpoints": [
            checkpoint("main", 24, ["witness.example/north", "witness.example/" + HOSTILE]),
            checkpoint("box/0", 8123),
            checkpoint("roll/0", 9001, ["witness.example/north"]),
        ],
        "result": False,
        "conflicts": [],
        **more,
    }


def result():
    def unit(styles, ballots, totals):
        return {
            "styles": styles,
            "ballots": ballots,
            "totals": [
                {"option": i + 1, "name": name, "votes": votes} for i, (name, votes) in enumerate(totals)
            ],
        }

    return {
        "psephos": "result/v1",
        "election": ID,
        "title": HOSTILE,
        "contests": [
            {
                "id": "mayor",
                "title": "Mayor " + HOSTILE,
                "units": [
                    unit(["both", "island"], 8040, [("Ann " + HOSTILE, 4021), ("Bo", 3019), ("Cy", 1000), ("Di", 0)])
                ],
            },
            {"id": "board", "title": "Board", "units": []},
            {
                "id": "pool",
                "title": "A new swimming pool",
                "units": [
                    unit(["both"], 7920, [("Yes", 5000), ("No", 2920)]),
                    unit(["island"], 120, [("Yes", 20), ("No", 100)]),
                ],
            },
        ],
    }


class Canned:
    """What the server answers, and what it was asked for."""

    def __init__(self, elections, snapshot, results=None):
        self.elections, self.snapshot, self.results = elections, snapshot, results
        self.refuse_events = 0
        self.policy = None
        self.asked = []
        self.streams = []  # a queue of each listener; None ends it
        self.lock = threading.Lock()

    def listen(self):
        with self.lock:
            self.streams.append(queue.SimpleQueue())
            return self.streams[-1]

    def send(self, name, data):
        with self.lock:
            for stream in self.streams:
                stream.put(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    def drop(self):
        with self.lock:
            for stream in self.streams:
                stream.put(None)
            self.streams = []

    finish = drop


def policy(page):
    """As src/server/status_page.cc makes it, but by other means."""

    def sources(name):
        contents = re.findall(rf"<{name}>(.*?)</{name}>", page.decode(), re.DOTALL)
        return " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(c.encode()).digest()).decode()}'" for c in contents
        )

    return (
        f"default-src 'none'; script-src {sources('script')}; style-src {sources('style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def make_handler(page, canned):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, content, kind, status=200, extra=()):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            for name, value in extra:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def json(self, value):
            self.answer(json.dumps(value).encode(), "application/json")

        def do_GET(self):
            path = self.path.split("?")[0]
            canned.asked.append(path)
            base = f"/v1/elections/{ID}/"
            if path == "/":
                extra = [("Content-Security-Policy", canned.policy or policy(page)), ("X-Content-Type-Options", "nosniff")]
                self.answer(page, "text/html; charset=utf-8", extra=extra)
            elif path == "/v1/elections":
                self.json(canned.elections)
            elif path == base + "live":
                self.json(canned.snapshot)
            elif path == base + "record/result.json" and canned.results:
                self.json(canned.results)
            elif path == base + "events":
                self.stream()
            else:
                self.answer(b"", "text/plain", 404)

        def stream(self):
            if canned.refuse_events > 0:
                canned.refuse_events -= 1
                self.answer(b"", "text/plain", 503)
                return
            events = canned.listen()
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"retry: 200\n\n")
            while (event := events.get()) is not None:
                self.wfile.write(event)
                self.wfile.flush()
            self.close_connection = True

    return Handler


class Browser:
    """Headless Chromium, steered through its debugging pipe. It has a new profile, and reaches this machine only."""

    def __init__(self, chromium):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        # The browser reads at descriptor 3 and writes at 4; ours lie above, so that none is overwritten.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (*os.pipe(), *os.pipe())]
        theirs_in, self.out, self.inward, theirs_out = ends
        command = [
            "bash",
            "-c",
            f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}',
            "bash",
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            f"--user-data-dir={self.profile.name}",
            "--remote-debugging-pipe",
        ]
        home = self.profile.name
        environment = {**os.environ, "TZ": "UTC", "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
        self.process = subprocess.Popen(
            command, pass_fds=(theirs_in, theirs_out), env=environment, stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.received, self.number, self.session, self.target, self.complaints = b"", 0, None, None, []

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def receive(self):
        while b"\0" not in self.received:
            ready, _, _ = select.select([self.inward], [], [], DEADLINE)
            data = os.read(self.inward, 1 << 16) if ready else b""
            if not data:
                raise RuntimeError("chromium does not answer")
            self.received += data
        message, self.received = self.received.split(b"\0", 1)
        message = json.loads(message)
        if message.get("sessionId") != self.session:
            return message  # of a page that was left
        if message.get("method") == "Log.entryAdded":
            entry = message["params"]["entry"]
            self.complaints.append(f"{entry['source']}: {entry['text']}")
        elif message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(message["params"]["exceptionDetails"]))
        return message

    def open(self, address, width=1000, height=1400, dark=False, now=MORNING + 43_000):
        self.session = None
        if self.target:
            self.call("Target.closeTarget", targetId=self.target)
        self.target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        self.complaints = []
        self.call("Page.enable")
        self.call("Runtime.enable")
        self.call("Log.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        # The page's clock stands.
        self.call("Page.addScriptToEvaluateOnNewDocument", source=f"Date.now = () => {now * 1000};")
        self.call("Page.navigate", url=address)

    def script(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def text(self, identity):
        return " ".join((self.script(f"document.getElementById('{identity}').textContent") or "").split())

    def shows(self, identity):
        return self.script(f"document.getElementById('{identity}').checkVisibility()")

    def wait(self, expression):
        """Returns whether the expression became true before the deadline."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            try:
                if self.script(f"Boolean({expression})"):
                    return True
            except RuntimeError:
                pass  # the page is not there yet
            time.sleep(0.05)
        return False

    def shot(self, path):
        self.call("Emulation.setDefaultBackgroundColorOverride")
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
        except (RuntimeError, OSError):
            self.process.kill()
        self.process.wait(DEADLINE)
        self.profile.cleanup()


class Server:
    """The page with canned answers, on a port of its own."""

    def __init__(self, page, canned):
        self.canned = canned
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make_handler(page, canned))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.canned.finish()
        self.server.shutdown()
        self.server.server_close()


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


# The ratio of contrast (WCAG 2) of an element's text and the background it stands on.
CONTRAST = """(() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[0-9.]+/g).map(Number).map((c) => c / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$/.test(color)) return color;
    }
    return "rgb(255, 255, 255)";
  };
  let worst = [99, ""];
  for (const element of document.body.querySelectorAll("*")) {
    if (!element.checkVisibility() || element.tagName === "SCRIPT") continue;
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(element.namespaceURI.endsWith("svg") ? style.fill : style.color), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, element.outerHTML.slice(0, 80)];
  }
  return worst;
})()"""


def check_frame(check, browser, what):
    """What holds for every view."""
    check.same(browser.complaints, [], f"{what}: complaints of the browser")
    check.same(browser.script("document.querySelectorAll('img, b, iframe').length"), 0, f"{what}: markup of hostile texts")
    overflow = browser.script("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    check(overflow <= 0, f"{what}: wider than the window by {overflow}")
    worst = browser.script(CONTRAST)
    check(worst[0] >= 4.5, f"{what}: contrast {worst}")


def table(browser, identity):
    return browser.script(
        f"[...document.getElementById('{identity}').rows].map((row) => [...row.cells].map((cell) => cell.textContent))"
    )


def voting(check, browser, page, folder):
    samples = day()
    canned = Canned([{"id": ID, "title": "Town council 2026 " + HOSTILE, "phase": "voting"}], live("voting", samples))
    with Server(page, canned) as server:
        browser.open(server.address)
        check(browser.wait("document.getElementById('connection').dataset.state === 'live'"), "voting: live")
        check.same(browser.text("connection"), "● Live", "voting: connection")
        check.same(browser.text("title"), "Town council 2026 " + HOSTILE, "voting: title as text")
        check.same(browser.script("document.title"), "Town council 2026 " + HOSTILE, "voting: title of the window")
        check.same(browser.text("phase"), "Voting is open", "voting: phase")
        total = samples[-1][1]
        check.same(browser.text("turnout"), f"{total:,}", "voting: turnout")
        check("rounded down to a multiple of 10), as of 18:50" in browser.text("turnout-note"), "voting: note on rounding")
        check.same(table(browser, "styles"), [["both", f"{total - 120:,}"], ["island", "120"]], "voting: styles")
        check.same(table(browser, "districts")[0], ["Harbour " + HOSTILE, "120"], "voting: districts")
        logs = table(browser, "logs")
        check.same([row[0] for row in logs], ["main", "box/0", "roll/0"], "voting: logs")
        check.same(logs[0][1:], ["24", ROOT, "witness.example/north, witness.example/" + HOSTILE], "voting: witnesses")
        check.same(logs[1][3], "none yet", "voting: a log without witnesses")
        check(not browser.shows("results"), "voting: no results")
        check(not browser.shows("elections"), "voting: one election needs no list")

        line = "document.querySelector('#drawing .line')"
        check.same(browser.script(f"{line}.dataset.points"), str(len(samples)), "voting: points of the chart")
        steps = browser.script(f"{line}.getAttribute('d').match(/V/g).length")
        check.same(steps, len(samples) - 1, "voting: steps of the chart")
        labels = browser.script("[...document.querySelectorAll('#drawing .axis')].map((label) => label.textContent)")
        check(labels[:3] == ["0", "2,000", "4,000"] and "12:00" in labels and "18:00" in labels, f"voting: labels of the axes: {labels}")
        described = browser.text("chart-text")
        check(described.startswith("From 07:00 to ") and f"rose from {samples[0][1]} to {total:,}." in described,
              f"voting: the chart in words: {described}")
        lines = table(browser, "samples")
        check(24 <= len(lines) <= 49 and lines[0][0] == "07:00" and lines[-1] == ["18:50", f"{total:,}"], "voting: table")
        check_frame(check, browser, "voting")
        browser.shot(folder / "voting.png")

        # Events change what is shown.
        at = samples[-1][0] + 120
        canned.send("turnout", turnout(total, 130, at))
        check(browser.wait(f"document.getElementById('turnout').textContent === '{total + 130:,}'"), "event: turnout")
        check.same(browser.script(f"{line}.dataset.points"), str(len(samples) + 1), "event: a point more")
        check.same(table(browser, "styles")[1], ["island", "130"], "event: style")
        canned.send("checkpoint", checkpoint("box/0", 9999, ["late.example"]))
        check(browser.wait("document.getElementById('logs').textContent.includes('9,999')"), "event: checkpoint")
        check.same(table(browser, "logs")[1][3], "late.example", "event: witness")
        canned.send("checkpoint", checkpoint("roll/1", 5))
        check(browser.wait("document.getElementById('logs').rows.length === 4"), "event: another log")
        check(not browser.script("document.getElementById('conflicts').checkVisibility()"), "no conflicts")
        for log in ("box/0", "roll/0", "box/0"):
            canned.send("conflict", {"log": log})
        check(browser.wait("document.getElementById('conflicts').checkVisibility()"
                           " && document.getElementById('conflicts').textContent.includes('key of box/0, roll/0.')"), "event: conflict")
        canned.send("state", {"phase": "voting", "stopped": True})
        check(browser.wait("document.getElementById('phase').textContent === 'Voting is paused'"), "event: paused")
        canned.send("state", {"phase": "closed", "stopped": True})
        check(browser.wait("document.getElementById('phase').textContent === 'Voting is closed'"), "event: closed")
        canned.results = result()
        canned.send("result", {"files": ["result.json", "result.csv"]})
        check(browser.wait("document.getElementById('results').checkVisibility()"), "event: results")
        check_frame(check, browser, "after events")


def complete(check, browser, page, folder):
    history = day()
    canned = Canned(
        [{"id": ID, "title": HOSTILE, "phase": "complete"}, {"id": OTHER, "title": "The other one", "phase": "voting"}],
        live("complete", history, result=True),
        result(),
    )
    with Server(page, canned) as server:
        for name, options in {
            "complete": {},
            "complete-dark": {"dark": True},
            "complete-phone": {"width": 360, "height": 740},
        }.items():
            browser.open(server.address, **options)
            check(browser.wait("document.getElementById('results').checkVisibility()"), f"{name}: results are shown")
            check(browser.wait("document.getElementById('connection').dataset.state === 'live'"), f"{name}: live")
            check.same(browser.text("phase"), "Results are published", f"{name}: phase")
            command = f"psephos verify {server.address}v1/elections/{ID}/record"
            check.same(browser.text("verify"), command, f"{name}: command")
            headings = browser.script("[...document.querySelectorAll('#contests h3')].map((h) => h.textContent)")
            check.same(headings, ["Mayor " + HOSTILE, "Board", "A new swimming pool"], f"{name}: contests")
            check("Withheld" in browser.text("contests"), f"{name}: a contest without result")
            cells = browser.script("[...document.querySelectorAll('#contests tbody tr')].map((row) => "
                                   "[row.cells[0].textContent, row.cells[2].textContent, "
                                   "Number(row.querySelector('rect').getAttribute('width')).toFixed(1)])")
            check.same(cells, [["Ann " + HOSTILE, "4,021", "100.0"], ["Bo", "3,019", "75.1"], ["Cy", "1,000", "24.9"],
                               ["Di", "0", "0.3"], ["Yes", "5,000", "100.0"], ["No", "2,920", "58.4"],
                               ["Yes", "20", "20.0"], ["No", "100", "100.0"]], f"{name}: totals")
            captions = browser.script("[...document.querySelectorAll('#contests caption')].map((c) => c.textContent)")
            check.same(captions, ["8,040 ballots", "Ballot styles both: 7,920 ballots",
                                  "Ballot styles island: 120 ballots"], f"{name}: units")
            check(browser.shows("elections"), f"{name}: a list of elections")
            check_frame(check, browser, name)
            browser.shot(folder / f"{name}.png")
        check.same(canned.asked.count(f"/v1/elections/{OTHER}/live"), 0, "the other election was not asked for")
        browser.script("document.querySelectorAll('#elections a')[1].click()")
        check(browser.wait("document.getElementById('title').textContent === 'The other one'"), "the other election")
        check(not browser.shows("results"), "the results of the first one are gone")


def trouble(check, browser, page, folder):
    """Before the first number; without connection, and with it again."""
    canned = Canned([{"id": ID, "title": "Early", "phase": "opened"}], live("opened", []))
    canned.refuse_events = 2
    with Server(page, canned) as server:
        browser.open(server.address)
        check(browser.wait("document.getElementById('connection').dataset.state === 'lost'"), "trouble: lost")
        check("trying again" in browser.text("connection"), "trouble: says so")
        check(browser.wait("document.getElementById('phase').textContent === 'Not open yet'"), "trouble: phase")
        check.same(browser.text("turnout"), "–", "trouble: no turnout yet")
        check(not browser.shows("curve") and not browser.shows("styles-card"), "trouble: no chart yet")
        check(browser.wait("document.getElementById('connection').dataset.state === 'live'"), "trouble: comes back")
        browser.shot(folder / "early.png")
        canned.snapshot = live("voting", day()[:1])
        canned.drop()
        check(browser.wait("document.getElementById('phase').textContent === 'Voting is open'"),
              "trouble: what came while the connection was lost")
        check.same(browser.script("document.querySelectorAll('#drawing .line').length"), 1, "trouble: a chart of one point")
    check(browser.wait("document.getElementById('connection').dataset.state === 'lost'"), "trouble: server gone")
    check(browser.shows("main"), "trouble: what is known stays")


def refused(check, browser, page, folder):
    """A script that was put into the page does not run under its policy."""
    canned = Canned([{"id": ID, "title": "T", "phase": "voting"}], live("voting", day()))
    injected = page.replace(b"<main", b"<script>document.title = 'owned';</script><main", 1)
    with Server(injected, canned) as server:
        canned.policy = policy(page)
        browser.open(server.address)
        check(browser.wait("document.getElementById('connection').dataset.state === 'live'"), "refused: the page works")
        check.same(browser.script("document.title"), "T", "refused: the script did not run")
        check(any("Content Security Policy" in c for c in browser.complaints), "refused: the browser says so")


def without_script(check, page):
    text = page.decode()
    noscript = re.search("<noscript>(.*?)</noscript>", text, re.DOTALL).group(1)
    check('href="v1/elections"' in noscript and 'href="openapi.json"' in noscript, "noscript: links")
    check(not re.search(r"(?:src|href)=\"(?:https?:)?//", text), "nothing is loaded from elsewhere")
    check(not re.search(r"\son\w+=|\sstyle=|innerHTML|insertAdjacentHTML|document\.write|eval\(", text), "no markup from data")


def main():
    page = Path(sys.argv[1]).read_bytes()
    check = Checks()
    without_script(check, page)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("skipped: there is no chromium; Debian: apt-get install chromium")
        return 77 if check.failures == 0 else 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[3] if sys.argv[2:3] == ["--keep"] else temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        browser = Browser(chromium)
        try:
            for view in (voting, complete, trouble, refused):
                view(check, browser, page, folder)
        finally:
            browser.close()
    print(f"{check.count} checks, {check.failures} failed")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
