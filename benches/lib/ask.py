"""A small DNS client: makes a query, and reads as much of the answer as a load test needs."""
import socket
import struct

from lib.common import HOST, Failed

A, SOA, RRSIG = 1, 6, 46


def wire(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def query(name: str, rtype: int, dnssec_ok: bool = False, number: int = 1) -> bytes:
    head = struct.pack(">6H", number, 0, 1, 0, 0, int(dnssec_ok))
    opt = b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 0) if dnssec_ok else b""
    return head + wire(name) + struct.pack(">2H", rtype, 1) + opt


def records(message: bytes) -> list[tuple[int, bytes]]:
    """Type and data of each record of the answer section; nothing for an error or for what is no answer."""
    if len(message) < 12 or message[3] & 15 != 0 or not message[2] & 0x80:
        return []
    found, at = [], 12
    try:
        for _ in range(struct.unpack_from(">H", message, 4)[0]):
            at = after_name(message, at) + 4
        for _ in range(struct.unpack_from(">H", message, 6)[0]):
            at = after_name(message, at)
            rtype, _, _, length = struct.unpack_from(">HHIH", message, at)
            found.append((rtype, message[at + 10:at + 10 + length]))
            at += 10 + length
    except (struct.error, IndexError) as fault:
        raise Failed(f"an answer cannot be read: {message.hex()}") from fault
    return found


def after_name(message: bytes, at: int) -> int:
    while message[at]:
        if message[at] >= 0xC0:
            return at + 2
        at += message[at] + 1
    return at + 1


def has_address(message: bytes, address: str) -> bool:
    return (A, socket.inet_aton(address)) in records(message)


def has_signature(message: bytes) -> bool:
    return any(rtype == RRSIG for rtype, _ in records(message))


def udp(port: int, timeout: float) -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(timeout)
    client.connect((HOST, port))
    return client
