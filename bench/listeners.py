#!/usr/bin/env python3
"""Holds many listeners on a psephosd's server-sent events and says how late each event comes to the last of them.

usage: listeners.py URL ELECTION [--listeners 5000] [--seconds 30]

URL is http://ADDRESS:PORT; ELECTION the election's id. Something must happen meanwhile (box_load run at a low rate), so
that there are events. One thread; give the server another core (taskset).
"""
import argparse
import collections
import selectors
import socket
import time
import urllib.parse


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("election")
    parser.add_argument("--listeners", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    url = urllib.parse.urlsplit(options.url)
    request = (f"GET /v1/elections/{options.election}/events HTTP/1.1\r\nHost: {url.netloc}\r\n"
               "Accept: text/event-stream\r\n\r\n").encode()

    selector = selectors.DefaultSelector()
    begin = time.monotonic()
    unfinished = {}
    for _ in range(options.listeners):
        connection = socket.create_connection((url.hostname, url.port))
        connection.sendall(request)
        connection.setblocking(False)
        unfinished[connection] = b""
        selector.register(connection, selectors.EVENT_READ)
    connected = time.monotonic() - begin

    arrivals = collections.defaultdict(list)  # of an event's id, after the first second
    answers = collections.Counter()
    lost = 0
    settled = time.monotonic() + 2
    end = settled + options.seconds
    while (now := time.monotonic()) < end:
        for key, _ in selector.select(timeout=end - now):
            connection = key.fileobj
            data = connection.recv(1 << 16)
            if not data:
                lost += 1
                selector.unregister(connection)
                continue
            now = time.monotonic()
            whole = unfinished[connection] + data
            *blocks, unfinished[connection] = whole.split(b"\n\n")
            for block in blocks:
                if block.startswith(b"HTTP/1.1"):
                    answers[block.split(b" ", 2)[1].decode()] += 1
                if now > settled:
                    for line in block.split(b"\n"):
                        if line.startswith(b"id: "):
                            arrivals[line].append(now)
    # What came in the last second may still be on its way to others.
    complete = [times for times in arrivals.values() if times[0] < end - 1]
    missed = sum(options.listeners - lost - len(times) for times in complete)
    spreads = sorted(times[-1] - times[0] for times in complete)
    print(f"{options.listeners} listeners in {connected:.1f} s, answers {dict(answers)}, {lost} lost")
    if not spreads:
        raise SystemExit("listeners.py: no event came; send ballots meanwhile")
    print(f"{len(spreads)} events, {sum(map(len, complete))} received, {missed} missed; from the first listener to the "
          f"last: median {spreads[len(spreads) // 2] * 1000:.0f} ms, at most {spreads[-1] * 1000:.0f} ms")
    if lost or missed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
