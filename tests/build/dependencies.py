"""Checks the direction of dependencies: what each file includes and what each target links.

usage: dependencies.py ROOT TARGETS_JSON     check the tree
       dependencies.py --self-test           check the checker on trees with one violation each

Each rule has a name, printed with every violation. docs/architecture.md explains the layers.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

# A layer owns folders, sees the public headers of the layers below, and perhaps their private ones.
# folder -> folders it may include from, besides itself
LAYERS = {
    "include/psephos": [],
    "include/psephos/crypto": ["include/psephos"],
    "include/psephos/protocol": ["include/psephos", "include/psephos/crypto"],
    "include/psephos/runtime": [
        "include/psephos",
        "include/psephos/crypto",
        "include/psephos/protocol",
    ],
    "include/psephos/network": [
        "include/psephos",
        "include/psephos/crypto",
        "include/psephos/protocol",
        "include/psephos/runtime",
    ],
    "include/psephos/sign_in": [
        "include/psephos",
        "include/psephos/crypto",
        "include/psephos/network",
    ],
    "crypto": ["include/psephos", "include/psephos/crypto"],
    "protocol": ["include/psephos", "include/psephos/crypto", "include/psephos/protocol"],
    "src": [
        "src/csv",
        "src/json",
        "include/psephos",
        "include/psephos/crypto",
        "include/psephos/protocol",
        "include/psephos/runtime",
        "include/psephos/network",
        "include/psephos/sign_in",
    ],
    "src/csv": ["include/psephos"],
    "src/json": ["include/psephos"],
    "cli": [
        "src/csv",
        "src/json",
        "include/psephos",
        "include/psephos/crypto",
        "include/psephos/protocol",
        "include/psephos/runtime",
        "include/psephos/network",
        "include/psephos/sign_in",
    ],
}

# The libraries of this project each target may link.
LINKS = {
    "psephos_crypto_verify": set(),
    "psephos_verify": {"psephos_crypto_verify"},
    "psephos_crypto": {"psephos_crypto_verify"},
    "psephos_protocol": {"psephos_crypto_verify", "psephos_verify", "psephos_crypto"},
    "psephos_runtime": {"psephos_crypto_verify", "psephos_verify"},
    "psephos_csv": {"psephos_crypto_verify"},
    "psephos_network": {"psephos_crypto_verify", "psephos_verify", "psephos_runtime"},
    "psephos_http": {"psephos_crypto_verify"},
    "psephos_store": {
        "psephos_crypto_verify",
        "psephos_verify",
        "psephos_crypto",
        "psephos_protocol",
        "psephos_runtime",
    },
    "psephos_sign_in": {"psephos_crypto_verify", "psephos_crypto", "psephos_network"},
    "psephos_server": {
        "psephos_crypto_verify",
        "psephos_verify",
        "psephos_crypto",
        "psephos_protocol",
        "psephos_runtime",
        "psephos_network",
        "psephos_http",
        "psephos_store",
        "psephos_sign_in",
        "psephos_csv",
    },
    "psephosd": {"psephos_server"},
    "psephos_tool": {
        "psephos_crypto_verify",
        "psephos_verify",
        "psephos_crypto",
        "psephos_protocol",
        "psephos_runtime",
        "psephos_network",
        "psephos_sign_in",
        "psephos_csv",
    },
    "psephos": {"psephos_tool"},
}
VERIFYING = ("psephos_crypto_verify", "psephos_verify")
SECRET = ("psephos_crypto", "psephos_protocol")
ALWAYS_SECRET = ("include/psephos/secret.h",)

# Third-party headers, and the only files that may include them ("folder/" stands for all below).
WRAPPERS = {
    r"openssl/.*": ["crypto/openssl.h", "crypto/hash.cc", "crypto/transcript.cc", "src/http/tls.cc"],
    r"boost/.*": [
        "src/http/loop.cc",
        "src/http/loop.h",
        "src/http/request_parser.cc",
        "src/http/session.cc",
        "src/http/session.h",
        "src/network/beast_client.cc",
        "src/network/wire.h",
    ],
    r"sodium\.h": ["crypto/sodium.h"],
    r"valgrind/.*": ["crypto/declassify.h"],
    r"immintrin\.h": ["crypto/vartime/"],
    r"nlohmann/.*": [
        "protocol/manifest.cc",
        "src/http/problem.cc",
        "src/json/parse.h",
        "src/sign_in/json.h",
        "src/server/",
        "cli/",
    ],
    r"CLI/.*": ["cli/", "src/server/main.cc"],
    r"csv\.h": ["src/csv/csv.cc"],
    r"prometheus/.*": ["src/server/metrics.cc"],
    r"spdlog/.*": ["src/server/log.cc"],
    r"sqlite3\.h": ["src/store/sqlite.cc"],
    r"toml\+\+/.*": ["src/server/config.cc"],
}

# Folders that belong to one file: nothing else includes from them.
OWNED = {"crypto/ct/": "crypto/table_multiplier.cc"}

# Standard headers that bring input and output, clocks, threads or global state into a pure library.
PURE = ("include/psephos", "include/psephos/crypto", "include/psephos/protocol", "crypto", "protocol")
IMPURE = set(
    "barrier chrono condition_variable cstdio ctime filesystem format fstream future iostream istream "
    "latch locale mutex ostream random semaphore shared_mutex sstream stop_token syncstream thread "
    "csignal clocale".split()
)
IMPURE_ALLOWED = {
    ("crypto/error.cc", "cstdio"),  # the message of a broken invariant
    ("crypto/openssl.h", "mutex"),  # guards a pool of OpenSSL contexts inside one key
    ("protocol/manifest.cc", "chrono"),  # the calendar, no clock
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def in_folder(path, folders):
    return any(path.startswith(f) if f.endswith("/") else path == f for f in folders)


def layer_of(path):
    """The most specific folder of LAYERS that holds the path."""
    return max((f for f in LAYERS if path.startswith(f + "/")), key=len, default=None)


def read_tree(root):
    """path -> (project headers it includes, resolved; angle-bracket headers; unresolved)."""
    tree = {}
    for top in sorted({folder.split("/")[0] for folder in LAYERS}):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".cc", ".h"):
                continue
            path = file.relative_to(root).as_posix()
            project, system, unresolved = [], [], []
            for quoted, angled in INCLUDE.findall(file.read_text(encoding="utf-8")):
                if angled and not angled.startswith("psephos/"):
                    system.append(angled)
                    continue
                name = quoted or angled
                hits = [c for c in (f"include/{name}", name) if (root / c).is_file()]
                (project if hits else unresolved).append(hits[0] if hits else name)
            tree[path] = (project, system, unresolved)
    return tree


def check_includes(tree):
    used = set()
    for path, (project, system, unresolved) in tree.items():
        layer = layer_of(path)
        allowed = [layer, *LAYERS[layer]]
        for name in unresolved:
            yield f'unresolved: {path} includes "{name}", which is neither below include/ nor the root'
        for header in project:
            if layer_of(header) not in allowed:
                yield f"layer: {path} must not include {header}"
            for folder, file in OWNED.items():
                if header.startswith(folder) and path != file and not path.startswith(folder):
                    yield f"owned: {path} must not include {header}, which is {file}'s"
        for header in system:
            pattern = next((p for p in WRAPPERS if re.fullmatch(p, header)), None)
            if pattern is not None:
                files = [f for f in WRAPPERS[pattern] if in_folder(path, [f])]
                used.update((pattern, f) for f in files)
                if not files:
                    yield f"third-party: {path} must not include <{header}>"
            elif layer in PURE:
                if not re.fullmatch(r"[a-z0-9_]+", header):
                    yield f"third-party: {path} must not include <{header}>"
                elif header in IMPURE and (path, header) not in IMPURE_ALLOWED:
                    yield f"impure: {path} must not include <{header}>"
    for pattern, files in WRAPPERS.items():
        for file in files:
            if (pattern, file) not in used:
                yield f"stale: {file} is allowed to include {pattern} and does not"
    for path, header in sorted(IMPURE_ALLOWED):
        if header not in tree.get(path, ([], [], []))[1]:
            yield f"stale: {path} is allowed to include <{header}> and does not"


def check_targets(root, tree, targets):
    owner = {}
    for name, target in targets.items():
        folder = Path(target["SOURCE_DIR"])
        for field in ("SOURCES", "HEADER_SET"):
            for file in filter(None, target[field].split(";")):
                path = (folder / file).resolve()
                if path.is_relative_to(root.resolve()):
                    owner[path.relative_to(root.resolve()).as_posix()] = name
        for library in filter(None, target["LINK_LIBRARIES"].split(";")):
            library = library.replace("psephos::", "psephos_")
            if library.startswith("psephos_") and library not in LINKS[name] | {
                "psephos_warnings",
                "psephos_hardening",
            }:
                yield f"link: {name} must not link {library}"
    for path in tree:
        if path not in owner and not path.startswith("cli/"):
            yield f"unlisted: {path} belongs to no target"
    for path, name in owner.items():
        if name not in VERIFYING:
            continue
        # Depth first through everything the file includes, remembering the way there.
        stack, seen = [(path,)], {path}
        while stack:
            way = stack.pop()
            for header in tree.get(way[-1], ([], [], []))[0]:
                if owner.get(header) in SECRET or header in ALWAYS_SECRET:
                    yield f"secret: {name} reaches {' -> '.join((*way, header))}"
                elif header not in seen:
                    seen.add(header)
                    stack.append((*way, header))


def check(root, targets):
    tree = read_tree(root)
    return [*check_includes(tree), *check_targets(root, tree, targets)]


# --- self-test ----------------------------------------------------------------------------------

CLEAN = {
    "include/psephos/error.h": "#include <string>\n",
    "include/psephos/random.h": "",
    "include/psephos/secret.h": '#include "psephos/error.h"\n',
    "include/psephos/crypto/point.h": '#include "psephos/error.h"\n',
    "include/psephos/crypto/key.h": '#include "psephos/crypto/point.h"\n#include "psephos/secret.h"\n',
    "include/psephos/protocol/record.h": '#include "psephos/crypto/point.h"\n',
    "include/psephos/protocol/trustee.h": '#include "psephos/crypto/key.h"\n',
    "include/psephos/runtime/directory.h": '#include "psephos/protocol/record.h"\n#include <thread>\n',
    "crypto/sodium.h": "#include <sodium.h>\n",
    "crypto/openssl.h": "#include <openssl/evp.h>\n#include <mutex>\n",
    "crypto/declassify.h": "#include <valgrind/memcheck.h>\n",
    "crypto/hash.cc": "#include <openssl/evp.h>\n",
    "crypto/transcript.cc": "#include <openssl/evp.h>\n",
    "crypto/error.cc": '#include "psephos/error.h"\n#include <cstdio>\n',
    "crypto/vartime/ifma.cc": "#include <immintrin.h>\n",
    "crypto/point.cc": '#include "psephos/crypto/point.h"\n#include "crypto/sodium.h"\n',
    "crypto/key.cc": '#include "psephos/crypto/key.h"\n',
    "crypto/ct/field.h": "",
    "crypto/ct/edwards.h": '#include "crypto/ct/field.h"\n',
    "crypto/table_multiplier.cc": '#include "crypto/ct/edwards.h"\n',
    "protocol/manifest.cc": '#include "psephos/protocol/record.h"\n#include <chrono>\n'
    "#include <nlohmann/json.hpp>\n",
    "protocol/trustee.cc": '#include "psephos/protocol/trustee.h"\n',
    "src/runtime/directory.cc": '#include "psephos/runtime/directory.h"\n#include <unistd.h>\n',
    "src/sign_in/token.cc": "",
    "cli/main.cc": '#include "psephos/runtime/directory.h"\n',
}
CLEAN_TARGETS = {
    "psephos_crypto_verify": [
        "crypto/error.cc crypto/hash.cc crypto/point.cc crypto/sodium.h crypto/openssl.h "
        "crypto/transcript.cc crypto/vartime/ifma.cc",
        "error.h random.h crypto/point.h",
        "",
    ],
    "psephos_crypto": [
        "crypto/key.cc crypto/declassify.h crypto/ct/field.h crypto/ct/edwards.h crypto/table_multiplier.cc",
        "secret.h crypto/key.h",
        "psephos_crypto_verify",
    ],
    "psephos_verify": ["protocol/manifest.cc", "protocol/record.h", "psephos_crypto_verify"],
    "psephos_protocol": [
        "protocol/trustee.cc",
        "protocol/trustee.h",
        "psephos_verify psephos_crypto",
    ],
    "psephos_runtime": ["src/runtime/directory.cc", "runtime/directory.h", "psephos_verify"],
    "psephos_sign_in": ["src/sign_in/token.cc", "", "psephos_crypto"],
    "psephos_tool": ["cli/main.cc", "", "psephos_protocol psephos_runtime"],
}
# What a wrapper may include, it includes: a sample header for each pattern of WRAPPERS. Files of the
# server's parts that are in CLEAN for that reason alone belong to one target.
for pattern, files in WRAPPERS.items():
    header = pattern.replace(".*", "sample.h").replace("\\", "")
    for file in files:
        path = file + "sample.cc" if file.endswith("/") else file
        if not any(
            re.fullmatch(pattern, angled)
            for known, text in CLEAN.items()
            if in_folder(known, [file])
            for _, angled in INCLUDE.findall(text)
        ):
            new = path not in CLEAN
            CLEAN[path] = CLEAN.get(path, "") + f"#include <{header}>\n"
            if new and path.startswith("src/"):
                CLEAN_TARGETS.setdefault("psephos_server", ["", "", ""])[0] += path + " "
# (rule, file, line added to it): each must be caught, under this name.
BAD_INCLUDES = [
    ("layer", "crypto/point.cc", '#include "psephos/protocol/record.h"'),
    ("layer", "include/psephos/error.h", '#include "psephos/crypto/point.h"'),
    ("layer", "include/psephos/crypto/point.h", '#include <psephos/protocol/record.h>'),
    ("layer", "crypto/key.cc", '#include "psephos/runtime/directory.h"'),
    ("layer", "protocol/trustee.cc", '#include "psephos/runtime/directory.h"'),
    ("layer", "protocol/trustee.cc", '  #  include "crypto/sodium.h"'),
    ("layer", "src/runtime/directory.cc", '#include "crypto/sodium.h"'),
    ("layer", "cli/main.cc", '#include "crypto/sodium.h"'),
    ("owned", "crypto/key.cc", '#include "crypto/ct/field.h"'),
    ("unresolved", "protocol/trustee.cc", '#include "labels.h"'),
    ("secret", "crypto/point.cc", '#include "psephos/secret.h"'),
    ("secret", "crypto/error.cc", '#include "psephos/crypto/key.h"'),
    ("third-party", "crypto/point.cc", "#include <immintrin.h>"),
    ("secret", "protocol/manifest.cc", '#include "psephos/crypto/key.h"'),
    ("secret", "include/psephos/protocol/record.h", '#include "psephos/protocol/trustee.h"'),
    ("third-party", "include/psephos/crypto/point.h", "#include <sodium.h>"),
    ("third-party", "crypto/point.cc", "#include <sodium.h>"),
    ("third-party", "protocol/trustee.cc", "#include <openssl/rand.h>"),
    ("third-party", "protocol/trustee.cc", "#include <nlohmann/json.hpp>"),
    ("third-party", "src/runtime/directory.cc", "#include <csv.h>"),
    ("third-party", "src/http/tls.cc", "#include <boost/asio/ssl.hpp>"),
    ("third-party", "src/server/config.cc", "#include <sqlite3.h>"),
    ("third-party", "src/sign_in/token.cc", "#include <nlohmann/json.hpp>"),
    ("third-party", "src/sign_in/token.cc", "#include <openssl/evp.h>"),
    ("third-party", "protocol/trustee.cc", "#include <unistd.h>"),
    ("third-party", "crypto/point.cc", "#include <sys/stat.h>"),
    ("impure", "crypto/point.cc", "#include <chrono>"),
    ("impure", "protocol/manifest.cc", "#include <fstream>"),
    ("impure", "include/psephos/error.h", "#include <iostream>"),
    ("impure", "protocol/trustee.cc", "#include <thread>"),
    ("impure", "crypto/point.cc", "#include <cstdio>"),
]
BAD_LINKS = [
    ("psephos_verify", "psephos_crypto"),
    ("psephos_crypto_verify", "psephos_crypto"),
    ("psephos_crypto", "psephos::verify"),
    ("psephos_runtime", "psephos_protocol"),
    ("psephos_sign_in", "psephos_protocol"),
]


def fabricate(root, files, links):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return {
        name: {
            "SOURCE_DIR": str(root),
            "SOURCES": ";".join(sources.split()),
            "HEADER_SET": ";".join(f"{root}/include/psephos/{h}" for h in headers.split()),
            "LINK_LIBRARIES": ";".join([*libraries.split(), *links.get(name, [])]),
        }
        for name, (sources, headers, libraries) in CLEAN_TARGETS.items()
    }


def run_on(files, links):
    with tempfile.TemporaryDirectory() as folder:
        return check(Path(folder), fabricate(Path(folder), files, links))


def self_test():
    failures = [f"clean tree: {problem}" for problem in run_on(CLEAN, {})]

    def expect(rule, what, problems):
        if not any(problem.startswith(rule + ":") for problem in problems):
            failures.append(f"not caught as {rule}: {what} (found: {problems})")

    for rule, path, line in BAD_INCLUDES:
        expect(rule, f"{path}: {line}", run_on({**CLEAN, path: CLEAN[path] + line + "\n"}, {}))
    for target, library in BAD_LINKS:
        expect("link", f"{target} -> {library}", run_on(CLEAN, {target: [library]}))
    expect("unlisted", "crypto/stray.cc", run_on({**CLEAN, "crypto/stray.cc": ""}, {}))
    expect("stale", "crypto/sodium.h", run_on({**CLEAN, "crypto/sodium.h": ""}, {}))
    expect("stale", "crypto/error.cc", run_on({**CLEAN, "crypto/error.cc": ""}, {}))
    print("\n".join(failures) or f"{len(BAD_INCLUDES) + len(BAD_LINKS) + 3} violations caught")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root, targets = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    problems = check(root, targets)
    print("\n".join(problems) or "dependencies point down")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
