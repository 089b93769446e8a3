"""Proves that the verifying libraries neither define nor use code that handles secrets.

usage: symbols.py NM --free-of-secrets ARCHIVE... --full-of-secrets ARCHIVE

The last archive is the control: nearly every pattern must be found there, else the pattern (or nm) no
longer works and the check proves nothing.
"""

import argparse
import re
import subprocess
import sys

# What must not appear. The second member says whether psephos_crypto must have it. Randomness is no
# secret: a verifier draws the weights of its sums.
FORBIDDEN = {
    r"\bSecret(Scalar|Bytes|Buffer|Votes|Polynomial)\b": True,
    r"\bHedgedNonces\b": True,
    r"::crypto::ct::|\bTableMultiplier\b": True,
    r"\bcrypto_sign(_ed25519)?(_detached|_(seed_)?keypair)?$": True,
    r"\bcrypto_pwhash": True,
    r"\bEVP_PKEY_sign|\bEVP_DigestSign": False,
    r"\bEVP_PKEY_decrypt|\bEVP_PKEY_keygen|\bEVP_PKEY_generate|\bRSA_generate": False,
    r"\bRAND_": False,
}


def symbols(nm, archive):
    output = subprocess.run([nm, "-C", archive], check=True, capture_output=True, text=True).stdout
    # "0000 T name" or "     U name"; the archive's members stand on lines of their own.
    names = re.findall(r"^[0-9a-f ]{16} [a-zA-Z?] (.+)$", output, re.MULTILINE)
    if not names:
        sys.exit(f"{archive}: nm shows no symbols")
    return names


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("nm")
    parser.add_argument("--free-of-secrets", nargs="+", required=True)
    parser.add_argument("--full-of-secrets", required=True)
    args = parser.parse_args()

    problems = []
    for archive in args.free_of_secrets:
        for name in symbols(args.nm, archive):
            problems += [f"{archive}: {name} matches {p}" for p in FORBIDDEN if re.search(p, name)]
    control = symbols(args.nm, args.full_of_secrets)
    # What computes in variable time is for the verifying half.
    problems += [f"{args.full_of_secrets}: uses {name}" for name in control if "::vartime::" in name]
    for pattern, expected in FORBIDDEN.items():
        if expected and not any(re.search(pattern, name) for name in control):
            problems.append(f"{args.full_of_secrets}: nothing matches {pattern}: is it still right?")
    print("\n".join(problems) or "the verifying libraries are free of secrets")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
