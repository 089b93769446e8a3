"""Has systemd check the units of deploy/: no unknown setting, little exposure.

usage: units_test.py DEPLOY_FOLDER

Exit status 77 (skipped) if there is no systemd-analyze. What it cannot do without a running system
(--offline is of version 250) is not done.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROLES = ("all", "registrar", "box", "board")
MAX_EXPOSURE = 15  # tenths, of 100


def analyze(folder, *arguments):
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:", "LC_ALL": "C", "SYSTEMD_EMOJI": "0"}
    run = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, env=environment,
                         cwd=folder, check=False)
    return run.returncode, run.stdout + run.stderr


def problems_of(deploy, folder):
    for kind in ("service", "socket"):
        text = (deploy / f"psephosd@.{kind}").read_text(encoding="utf-8")
        if kind == "service" and "/usr/bin/psephosd " not in text:
            yield "psephosd@.service does not start /usr/bin/psephosd"
        # There need be no psephosd on this machine.
        (folder / f"psephosd@.{kind}").write_text(text.replace("/usr/bin/psephosd ", "/bin/true "), encoding="utf-8")
    for role in ROLES:
        for kind in ("service", "socket"):
            status, said = analyze(folder, "verify", "--man=no", "--recursive-errors=yes", f"./psephosd@{role}.{kind}")
            if status != 0 or said.strip():
                yield f"psephosd@{role}.{kind}: {said}"
    status, said = analyze(folder, "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", "./psephosd@.service")
    if status != 0:
        yield f"psephosd@.service is more exposed than {MAX_EXPOSURE / 10}: {said[-300:]}"
    users = re.findall(r"^u psephosd-(\w+) ", (deploy / "psephosd.sysusers.conf").read_text(encoding="utf-8"), re.MULTILINE)
    if sorted(users) != sorted(ROLES):
        yield f"psephosd.sysusers.conf has users for {users}"


def main():
    deploy = Path(sys.argv[1]).resolve()
    if shutil.which("systemd-analyze") is None:
        print("skipped: there is no systemd-analyze")
        return 77
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        status, said = analyze(folder, "--version")
        version = re.match(r"systemd (\d+)", said)
        if status != 0 or version is None or int(version.group(1)) < 250:
            print("skipped: systemd-analyze is older than 250")
            return 77
        problems = list(problems_of(deploy, folder))
        # systemd-analyze notices what is wrong.
        with (folder / "psephosd@.service").open("a", encoding="utf-8") as unit:
            unit.write("\n[Service]\nProtectHouse=yes\n")
        if analyze(folder, "verify", "--man=no", "--recursive-errors=yes", "./psephosd@box.service")[0] == 0:
            problems.append("an unknown setting is not noticed")
    print("\n".join(problems) or f"units of {len(ROLES)} roles")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
