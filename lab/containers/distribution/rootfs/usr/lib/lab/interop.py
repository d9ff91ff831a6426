#!/usr/bin/python3 -ISB
"""Lab stand-in of what /init does with a Windows program: hand it, with input and output, to the simulated Windows.

Each program below /mnt/c names this file in its first line, as binfmt_misc names /init for files that begin with "MZ".
"""

import errno
import json
import os
import re
import socket
import struct
import sys
import threading

HEAD = struct.Struct(">cI")
MNT = os.environ.get("LAB_MNT", "/mnt")
SOCKETS = "/run/WSL"


def distribution():
    """The name of this distribution."""
    try:
        with open("/etc/lab-distribution", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return os.environ.get("WSL_DISTRO_NAME", "")


def windows_path(path):
    """A path as Windows sees it."""
    if found := re.fullmatch(re.escape(MNT) + r"/([a-z])((?:/.*)?)", path):
        return f"{found[1].upper()}:" + (found[2].replace("/", "\\") or "\\")
    return f"\\\\wsl.localhost\\{distribution()}" + path.replace("/", "\\")


def crossing():
    """The variables that WSLENV lets cross over: NAME, NAME/p (a path), NAME/l (paths), NAME/w (this way only)."""
    out = {}
    for item in os.environ.get("WSLENV", "").split(":"):
        name, _, flags = item.partition("/")
        if not name or name not in os.environ or "u" in flags:
            continue
        value = os.environ[name]
        if "l" in flags:
            value = ";".join(windows_path(part) for part in value.split(":"))
        elif "p" in flags:
            value = windows_path(value)
        out[name] = value
    return out


def socket_path():
    """The server of this session: $WSL_INTEROP, or that of the nearest parent, or init's own."""
    if path := os.environ.get("WSL_INTEROP"):
        return path
    pid = os.getpid()
    while pid > 1:
        path = f"{SOCKETS}/{pid}_interop"
        if os.path.exists(path):
            return path
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            pid = int(file.read().rpartition(")")[2].split()[1])
    return f"{SOCKETS}/1_interop"


def connect(path):
    """Connect to a server; the path of a socket has 107 bytes at most, so the folder gets a short name."""
    folder = os.open(os.path.dirname(path) or ".", os.O_PATH)
    try:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        return connection
    finally:
        os.close(folder)


def send(connection, kind, data):
    """Send one message."""
    connection.sendall(HEAD.pack(kind, len(data)) + data)


def exactly(connection, length):
    """Receive as many bytes; fewer at the end."""
    data = b""
    while len(data) < length and (piece := connection.recv(length - len(data))):
        data += piece
    return data


def feed(connection):
    """Hand the input on."""
    try:
        while data := os.read(0, 65536):
            send(connection, b"I", data)
        send(connection, b"C", b"")
    except OSError:
        pass


def write(descriptor, data):
    """Write all of it."""
    while data:
        data = data[os.write(descriptor, data) :]


def run(connection, request):
    """Start a program in Windows and attend it; return its exit code, or the name of the error."""
    send(connection, b"R", json.dumps(request).encode())
    threading.Thread(target=feed, args=(connection,), daemon=True).start()
    while len(head := exactly(connection, HEAD.size)) == HEAD.size:
        kind, length = HEAD.unpack(head)
        data = exactly(connection, length)
        if kind == b"X":
            answer = json.loads(data)
            return answer.get("error") or answer["code"]
        try:
            write({b"O": 1, b"E": 2}[kind], data)
        except BrokenPipeError:
            return 1
    return 1  # the session has ended


def main():
    """Be the program that was called."""
    program = os.path.abspath(sys.argv[1])
    try:
        connection = connect(socket_path())
    except OSError as error:
        line = f"<3>WSL ({os.getpid()} - ) ERROR: UtilConnectToInteropServer:300: connect failed {error.errno}\n"
        write(2, line.encode())
        os._exit(1)
    argv = [windows_path(program), *sys.argv[2:]]
    code = run(connection, {"argv": argv, "cwd": windows_path(os.getcwd()), "environment": crossing()})
    if isinstance(code, str):
        write(2, f"{program}: {os.strerror(getattr(errno, code))}\n".encode())
        code = 1
    os._exit(code % 256)


if __name__ == "__main__":
    main()
