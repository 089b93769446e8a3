#!/usr/bin/env python3
"""Calls every route of a running psephosd as its OpenAPI document says, and judges the answers by the document.

usage: openapi_test.py URL ADMIN_URL TOKEN ELECTION

Each operation is called with nothing, with wrong things and with wrong access: no answer may have a status or a media
type that the document does not name, every error must be a problem detail (RFC 9457), and nothing may be accepted.
"""
import http.client
import json
import sys
import urllib.parse

URL, ADMIN, TOKEN, ELECTION = sys.argv[1:5]
failures = []
calls = 0


def call(base, method, path, body=None, headers=None):
    parts = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request(method, path, body=body, headers=headers or {})
    answer = connection.getresponse()
    stream = (answer.getheader("Content-Type") or "").startswith("text/event-stream")
    content = b"" if stream else answer.read()
    connection.close()
    return answer.status, answer.getheader("Content-Type") or "", content, answer


def judge(what, operation, answer, allowed=None):
    global calls
    calls += 1
    status, kind, content, _ = answer
    documented = operation["responses"].get(str(status))
    if documented is None:
        failures.append(f"{what}: status {status} is not documented: {content[:200]!r}")
        return
    kinds = documented.get("content", {})
    if kinds and kind not in kinds:
        failures.append(f"{what}: {status} with media type {kind!r}, documented: {list(kinds)}")
    if status >= 400:
        problem = json.loads(content)
        if problem.get("status") != status or not problem.get("title"):
            failures.append(f"{what}: no problem detail: {problem}")
    if allowed is not None and status not in allowed:
        failures.append(f"{what}: answered {status}, must be one of {allowed}: {content[:200]!r}")


document = json.loads(call(URL, "GET", "/openapi.json")[2])
assert document["openapi"] == "3.1.0"


def resolve(reference):
    value = document
    for key in reference.removeprefix("#/").split("/"):
        value = value[key]
    return value


def walk(value):
    """Every reference leads somewhere."""
    if isinstance(value, dict):
        if "$ref" in value:
            resolve(value["$ref"])
        for inner in value.values():
            walk(inner)
    elif isinstance(value, list):
        for inner in value:
            walk(inner)


walk(document)

GOOD = {"id": ELECTION, "n": "0", "file": "main/checkpoint", "code": "-".join(["aaaa"] * 13)}
WRONG = {
    "id": ["0" * 64, "x", ELECTION.upper() + "0", "%00", "..%2f"],
    "n": ["99", "-1", "00", "x", "4294967296"],
    "file": ["../box.sqlite", "box.sqlite", "main/.checkpoint", "main/tile/../checkpoint", "box/0/tile/entries/x", ".", "psephosd.toml"],
    "code": ["x", "", "aaaa", "%ff"],
}


def fill(template, values):
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


WRONG_STATUSES = {400, 401, 403, 404, 405, 409, 413, 415, 422}
for template, item in document["paths"].items():
    for method in ("get", "post"):
        operation = item.get(method)
        if operation is None:
            continue
        admin = "servers" in operation
        base = ADMIN if admin else URL
        access = {"Authorization": f"Bearer {TOKEN}"} if admin else {}
        name = operation["operationId"]
        verb = method.upper()
        path = fill(template, GOOD)

        if admin:
            for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": "Bearer "}):
                judge(f"{name} without access", operation, call(base, verb, path, b"" if verb == "POST" else None, given), {401})
            # What is the administration's is nowhere else.
            status = call(URL, verb, path, b"" if verb == "POST" else None, access)[0]
            if status not in (404, 405):
                failures.append(f"{name}: the public address answers {status}")
        if verb == "GET":
            judge(name, operation, call(base, verb, path, headers=access), {200, 404} if "code" in template else {200})
        elif name not in ("stop", "resume"):
            kinds = list(operation["requestBody"]["content"])
            bodies = [b"", b"\0", b"{}", b"[]", b'{"first":0}', b"voter,style\nx,nowhere\n", b"\xff" * 3000, bytes(range(256)) * 10]
            for body in bodies:
                for kind in (*kinds, "text/html", None):
                    headers = dict(access)
                    if kind is not None:
                        headers["Content-Type"] = kind
                    judge(f"{name} with {body[:20]!r} as {kind}", operation, call(base, verb, path, body, headers), WRONG_STATUSES)
        # Parameters that name nothing, one at a time.
        for parameter, values in WRONG.items():
            if "{" + parameter + "}" not in template:
                continue
            for value in values:
                wrong = fill(template, {**GOOD, parameter: value})
                status, kind, content, _ = call(base, verb, wrong, b"" if verb == "POST" else None, access)
                calls += 1
                if status not in WRONG_STATUSES:
                    failures.append(f"{verb} {wrong}: answered {status}: {content[:100]!r}")
                elif kind != "application/problem+json":
                    failures.append(f"{verb} {wrong}: {status} with media type {kind!r}")
        # Other methods.
        for other in ("PUT", "DELETE", "PATCH", "GET" if verb == "POST" else "POST"):
            if other.lower() in item:
                continue
            status, _, _, answer = call(base, other, path, b"", access)
            calls += 1
            if status != 405 or verb not in (answer.getheader("Allow") or ""):
                failures.append(f"{other} {path}: answered {status}, Allow: {answer.getheader('Allow')}")

# A file of the record, again by its tag.
path = f"/v1/elections/{ELECTION}/record/manifest.json"
tag = call(URL, "GET", path)[3].getheader("ETag")
if call(URL, "GET", path, headers={"If-None-Match": tag})[0] != 304:
    failures.append("manifest.json is sent again to who has it")
if not call(URL, "GET", f"/v1/elections/{ELECTION}/record/main/checkpoint")[3].getheader("Cache-Control") == "no-cache":
    failures.append("a checkpoint may be cached")

print("\n".join(failures) or f"{calls} calls answered as documented")
sys.exit(1 if failures else 0)
