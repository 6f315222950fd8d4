#!/usr/bin/env python3
"""Writes the .xz files beside this script with the xz tool; the tests make the same plain bytes again (XzSample)."""
import pathlib, subprocess

here = pathlib.Path(__file__).parent
state = 1
plain = bytearray()
while len(plain) < 20000:
    state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
    top = state >> 33
    # Mostly the bytes the branch filter looks at: opcodes and sign bytes, close together.
    plain.append((0xE8, 0xE9, 0x00, 0xFF, 0x00, 0xFF, 0x01, top >> 8 & 0xFF)[top & 7])

cases = {
    "branch.xz": ["--check=crc32", "--x86", "--lzma2=dict=1MiB"],
    "branch-offset.xz": ["--check=crc32", "--x86=start=4096", "--lzma2=dict=1MiB"],
    "crc64.xz": ["--check=crc64"],
    "sha256-blocks.xz": ["--check=sha256", "--block-size=6000"],
    "none.xz": ["--check=none"],
    "sizes.xz": ["--check=crc32", "--threads=2", "--block-size=9000"],
    "delta.xz": ["--check=crc32", "--delta=dist=1", "--lzma2"],
}
for name, options in cases.items():
    packed = subprocess.run(["xz", "-c", "-T1", *options], input=plain, stdout=subprocess.PIPE, check=True).stdout
    (here / name).write_bytes(packed)
