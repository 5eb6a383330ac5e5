"""Ask the server at HOST PORT for its Milvus version, with nothing but Python's standard library.

usage: probe.py HOST PORT [--tls]

Sends one gRPC call, milvus.proto.milvus.MilvusService/GetVersion, over a bare HTTP/2 connection.
Exit code: 0 Milvus answered, its version is on stdout; 1 nothing listens there; 2 something answers
that is not Milvus; 3 a gRPC server answered, but refused the call (no Milvus, or one that wants a login).
"""

import base64
import socket
import ssl
import struct
import sys

TIMEOUT_S = 3
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS, PADDED = 1, 4, 8
STATIC_POST, STATIC_HTTP, STATIC_HTTPS = b"\x83", b"\x86", b"\x87"
MAX_FRAME = 16384


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value):
    """An HPACK string without Huffman coding; all of ours are shorter than 127 bytes."""
    value = value.encode()
    assert len(value) < 127
    return bytes([len(value)]) + value


def header(name, value):
    return b"\x00" + text(name) + text(value)


def request(host, port, tls):
    login = base64.b64encode(b"root:Milvus").decode()  # Milvus's first login; ignored where none is needed
    headers = (
        STATIC_POST
        + (STATIC_HTTPS if tls else STATIC_HTTP)
        + header(":path", "/milvus.proto.milvus.MilvusService/GetVersion")
        + header(":authority", "%s:%d" % (host, port))
        + header("te", "trailers")
        + header("content-type", "application/grpc")
        + header("authorization", login)
    )
    empty_message = b"\x00" * 5
    return (
        PREFACE
        + frame(SETTINGS, 0, 0, b"")
        + frame(HEADERS, END_HEADERS, 1, headers)
        + frame(DATA, END_STREAM, 1, empty_message)
    )


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def version(message):
    """Field 2 (a string) of GetVersionResponse; field 1 is the status."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        if key & 7 != 2:
            return None
        size, at = varint(message, at)
        if key >> 3 == 2:
            return message[at : at + size].decode()
        at += size
    return None


def read(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def answer(connection):
    """The exit code and the version, from the frames that come back."""
    first = True
    while True:
        head = read(connection, 9)
        size = int.from_bytes(head[:3], "big")
        kind, flags = head[3], head[4]
        if first and kind != SETTINGS or size > MAX_FRAME:
            return 2, None  # an HTTP/2 server always speaks first, and with SETTINGS
        first = False
        payload = read(connection, size)
        if kind == DATA and not flags & PADDED and len(payload) > 5:
            found = version(payload[5:])
            return (0, found) if found else (2, None)
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            return 3, None


def main():
    host, port, tls = sys.argv[1], int(sys.argv[2]), "--tls" in sys.argv[3:]
    try:
        connection = socket.create_connection((host, port), TIMEOUT_S)
    except OSError:
        return 1
    try:
        if tls:
            # Only whether it answers matters here; the certificate is for the real clients to check.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            connection = context.wrap_socket(connection, server_hostname=host)
        connection.sendall(request(host, port, tls))
        code, found = answer(connection)
    except (OSError, EOFError, ValueError, IndexError):
        return 2
    finally:
        connection.close()
    if found:
        print(found)
    return code


if __name__ == "__main__":
    sys.exit(main())
