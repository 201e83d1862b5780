"""Mail servers that misbehave, each in its own way, and one that can be told to be good."""
import socket
import threading
import time

LINE = b"250 fine\r\n"


def greet(c):
    c.sendall(b"220 hostile.example ESMTP\r\n")


def read_line(c):
    """One line of the client, or b'' at its end."""
    line = b""
    while not line.endswith(b"\n"):
        byte = c.recv(1)
        if not byte:
            return b""
        line += byte
    return line


def silent(c):
    time.sleep(600)


def endless_greeting(c):
    while True:
        c.sendall(b"220-" + b"x" * 1000 + b"\r\n")


def endless_line(c):
    c.sendall(b"220 ")
    while True:
        c.sendall(b"x" * 65536)


def drip(c):
    while True:
        for byte in b"220-and so on\r\n":
            c.sendall(bytes([byte]))
            time.sleep(0.2)


def many_lines(c):
    greet(c)
    read_line(c)
    for n in range(100_000):
        c.sendall(b"250-X-EXTENSION-%d\r\n" % n)
    c.sendall(b"250 done\r\n")
    time.sleep(600)


def garbage_codes(c):
    c.sendall(b"\xff\xfe999 what\r\n7bit\r\n-1\r\n")
    time.sleep(600)


def nul_bytes(c):
    c.sendall(b"2\x0020 \x00\x00\r\n\x00\r\n")
    time.sleep(600)


def close_at_once(c):
    pass


def close_after_greeting(c):
    greet(c)


def close_after_each_step(c):
    """Closes one step later with each connection."""
    close_after_each_step.count += 1
    greet(c)
    for n in range(close_after_each_step.count % 6):
        line = read_line(c)
        c.sendall(b"354 go\r\n" if line.startswith(b"DATA") else LINE)


close_after_each_step.count = 0


def yes_to_everything(c):
    c.sendall(b"220 s\r\n" + LINE * 20)
    time.sleep(600)


def tls_garbage(c):
    greet(c)
    while line := read_line(c):
        if line.startswith(b"EHLO"):
            c.sendall(b"250-hostile\r\n250 STARTTLS\r\n")
        elif line.startswith(b"STARTTLS"):
            c.sendall(b"220 go\r\n")
            c.sendall(b"\x16\x03\x01\x40\x00" + b"\xff" * 20000)
            time.sleep(600)
        else:
            c.sendall(b"450 4.0.0 only inside TLS\r\n")


def never_reads(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.sendall(b"220 s\r\n")
    for _ in range(4):
        c.sendall(b"354 go\r\n" if read_line(c).startswith(b"DATA") else LINE)
    time.sleep(600)


def huge_refusal(c):
    greet(c)
    read_line(c)
    c.sendall(LINE)
    read_line(c)
    while True:
        c.sendall(b"550-5.7.1 " + b"no" * 500 + b"\r\n")


BEHAVIOURS = [silent, endless_greeting, endless_line, drip, many_lines, garbage_codes, nul_bytes,
              close_at_once, close_after_greeting, close_after_each_step, yes_to_everything,
              tls_garbage, never_reads, huge_refusal]


def good(c, keep):
    """Takes mail; `keep` gets each message's bytes."""
    greet(c)
    lines = c.makefile("rb")
    while line := lines.readline():
        if line.startswith(b"DATA"):
            c.sendall(b"354 go\r\n")
            text = []
            while (line := lines.readline()) not in (b".\r\n", b""):
                text.append(line)
            if line:
                keep.append(b"".join(text))
        elif line.startswith(b"QUIT"):
            c.sendall(b"221 bye\r\n")
            return
        c.sendall(LINE)


class Hostile:
    """Behaviour n listens at 127.0.40.n:25."""

    def __init__(self):
        self.is_good = False
        self.connections = [0] * len(BEHAVIOURS)
        self.kept = []
        self.listeners = []

    def address(self, n):
        return f"127.0.40.{n + 1}"

    def start(self):
        for n in range(len(BEHAVIOURS)):
            listener = socket.create_server((self.address(n), 25), backlog=100)
            self.listeners.append(listener)
            threading.Thread(target=self.accept, args=(n, listener), daemon=True).start()

    def accept(self, n, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            self.connections[n] += 1
            threading.Thread(target=self.serve, args=(n, c), daemon=True).start()

    def serve(self, n, c):
        try:
            with c:
                if self.is_good:
                    good(c, self.kept)
                else:
                    BEHAVIOURS[n](c)
        except OSError:
            pass

    def stop(self):
        for listener in self.listeners:
            listener.close()
