"""Makes the known answer of key_file_test.cc with other code than ours: Argon2id and ChaCha20-Poly1305
of Python's `cryptography` (44 or newer), HChaCha20 written out from draft-irtf-cfrg-xchacha-03 §2.2.

The random bytes are those the test hands to seal_file: 0, 1, 2, ... for the salt, then the nonce.
"""

import struct

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id


def hchacha20(key, nonce16):
    state = list(struct.unpack("<4I8I4I", b"expand 32-byte k" + key + nonce16))

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            mixed = state[z] ^ state[x]
            state[z] = (mixed << turn | mixed >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for first in range(4):
            quarter(
                first, 4 + (first + 1) % 4, 8 + (first + 2) % 4, 12 + (first + 3) % 4
            )
    return struct.pack("<8I", *state[:4], *state[12:])


def self_test():
    """draft-irtf-cfrg-xchacha-03 §2.2.1"""
    out = hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927"))
    assert out.hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"


def seal(kind, content, password, passes, memory_bytes, salt, nonce):
    header = b"psephos/v1/sealed-file" + bytes([len(kind)]) + kind
    header += struct.pack(">IQ", passes, memory_bytes) + salt + nonce
    kdf = Argon2id(
        salt=salt, length=32, iterations=passes, lanes=1, memory_cost=memory_bytes // 1024
    )
    subkey = hchacha20(kdf.derive(password), nonce[:16])
    return header + ChaCha20Poly1305(subkey).encrypt(bytes(4) + nonce[16:], content, header)


if __name__ == "__main__":
    self_test()
    stream = bytes(range(40))
    file = seal(
        b"wallet",
        b"a secret of the owner",
        b"correct horse battery staple",
        1,
        8 << 20,
        stream[:16],
        stream[16:],
    )
    print(file.hex())
