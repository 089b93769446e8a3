"""Proves that code compiled for CPUs that have more than the compiler may assume stays apart.

An inline function compiled twice is linked once: were one of them compiled for AVX-512, it could end up in
code that every CPU runs. So the objects of such code may define nothing that other objects could share.

usage: cpu_code.py NM ARCHIVE
"""

import re
import subprocess
import sys

# Object -> the only symbols it may offer to others.
OBJECTS = {
    "backend_avx2.cc.o": {"psephos::crypto::vartime::kAvx2"},
    "backend_ifma.cc.o": {"psephos::crypto::vartime::kIfma"},
    "rsa_power_ifma.cc.o": {"psephos::crypto::vartime::power_65537_ifma"},
}


def main():
    nm, archive = sys.argv[1:]
    output = subprocess.run([nm, "-C", "--defined-only", archive], check=True, capture_output=True, text=True).stdout
    problems, seen = [], {}
    for member in re.split(r"\n(?=\S+\.o:\n)", output):
        name, _, symbols = member.strip().partition(":\n")
        if name not in OBJECTS:
            continue
        # Capital letters, and u, v, w: what the linker may bind from elsewhere.
        found = re.findall(r"^[0-9a-f]+ ([A-Zuvw]) (.+?)(?:\(.*)?$", symbols, re.MULTILINE)
        seen[name] = {symbol for _, symbol in found}
        problems += [f"{name} offers {symbol}" for symbol in sorted(seen[name] - OBJECTS[name])]
    for name, expected in OBJECTS.items():
        if seen.get(name, set()) & expected != expected:
            problems.append(f"{name}: {', '.join(sorted(expected))} was not found: is this check still right?")
    print("\n".join(problems) or f"{len(OBJECTS)} objects share nothing")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
