#!/usr/bin/env python3
"""Prints every event of a KprobeTrace trace, one line of name=value pairs each.

A second implementation of docs/trace-format.md that shares no code with KprobeTrace: it needs only a MessagePack
reader and a zstd decompressor (Debian: python3-msgpack, python3-zstandard). It stops at the first damage; the format
allows more (see "Damage").
"""
import sys
import zlib

import msgpack
import zstandard

REGISTERS = ["ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
             "ip", "flags", "cr3"]
FIELDS = REGISTERS + ["address", "caller", "cr2", "back", "duration", "idle", "task", "stack", "cpu", "vector", "error"]
HAS_REGISTERS, HAS_TASK, HAS_ARGUMENTS = 1, 2, 16
WORD = (1 << 64) - 1


def frames(data):
    """Yields (kind, first, count, payload) of each frame, checksums verified."""
    start = 0
    unpacker = msgpack.Unpacker(raw=False, max_buffer_size=0, strict_map_key=False)
    unpacker.feed(data)
    for frame in unpacker:
        marker, kind, codec, _, first, count, raw_length, length, checksum, head_checksum, payload = frame
        assert marker == b"KPTRACE\x01", "no frame of version 1"
        assert zlib.crc32(data[start:start + 49]) == head_checksum, "damaged head"
        assert len(payload) == length and zlib.crc32(payload) == checksum, "damaged payload"
        if codec == 1:
            payload = zstandard.ZstdDecompressor().decompress(payload, max_output_size=raw_length)
        assert len(payload) == raw_length
        start += 59 + length
        yield kind, first, count, payload


def slot(value):
    return ((value * 0x9E3779B97F4A7C15 & WORD) >> 32) * 254 >> 32


def events(first, count, payload):
    """Yields the events of one chunk as dictionaries."""
    chunk = msgpack.unpackb(payload, raw=False, strict_map_key=False, unicode_errors="surrogateescape")
    codes = [iter(chunk["fields"].get(name, (b"", []))[0]) for name in FIELDS]
    differences = [iter(chunk["fields"].get(name, (b"", []))[1]) for name in FIELDS]
    recent = [[0] * 254 for _ in FIELDS]
    arguments = iter(chunk["args"])
    references = {}
    before = [0] * len(FIELDS)
    instructions = 0
    for index in range(count):
        stream = chunk["stream"][index]
        mask = chunk["mask"][index]
        instructions = instructions + chunk["insn"][index] & WORD
        values = list(references.get(stream, before))
        for field in range(len(FIELDS)):
            if mask >> field & 1:
                code = next(codes[field])
                if code < 254:
                    values[field] = recent[field][code]
                elif code == 254:
                    values[field] = before[field]
                else:
                    values[field] = values[field] + next(differences[field]) & WORD
                    recent[field][slot(values[field])] = values[field]
        references[stream] = before = values
        probe, kind, parts = chunk["streams"][stream]
        event = dict(zip(FIELDS, values))
        seq = first + index
        time = instructions + event["idle"] & WORD
        event.update(
            seq=seq, insn=instructions, time=time, probe=probe, kind=kind, parts=parts,
            entry=seq - event["back"] if event["back"] else 0,
            entry_time=time - event["duration"] + 1 & WORD if event["duration"] else 0,
            pid=0, comm=b"",
            args=next(arguments) if parts & HAS_ARGUMENTS else None,
            stack=chunk["stacks"][event["stack"] - 1] if event["stack"] else [])
        if parts & HAS_TASK:
            event["pid"], event["comm"] = chunk["tasks"][event["task"]]
        if not parts & HAS_REGISTERS:
            event.update((name, 0) for name in REGISTERS)
        yield event


def text(value):
    """Writes an argument so that no two different values look alike."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return "str:" + value.encode("utf-8", "surrogateescape").hex()
    if isinstance(value, bytes):
        return "bin:" + value.hex()
    return "[" + ",".join(text(item) for item in value) + "]"


def main(path):
    with open(path, "rb") as file:
        data = file.read()
    for kind, first, count, payload in frames(data):
        if kind != 1:
            continue
        for e in events(first, count, payload):
            print(*(f"{name}={e[name]:x}" for name in REGISTERS + ["address", "caller", "cr2", "error"]),
                  *(f"{name}={e[name]}" for name in ("seq", "time", "insn", "entry", "entry_time", "pid", "probe", "cpu",
                                                     "kind", "vector", "parts")),
                  f"comm={e['comm'].hex()}", f"args={'' if e['args'] is None else text(e['args'])}",
                  "stack=" + ",".join(f"{address:x}" for address in e["stack"]))


if __name__ == "__main__":
    main(sys.argv[1])
