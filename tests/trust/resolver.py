"""A name server that can be told to misbehave: one function decides each answer."""
import socket
import struct
import threading
import time

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA = 1, 2, 5, 6, 12, 15, 16, 28
NXDOMAIN, SERVFAIL = 3, 2


def wire_name(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.strip(".").split(".") if p) + b"\0"


def text(value):
    value = value.encode()
    return b"".join(bytes([len(value[n:n + 255])]) + value[n:n + 255] for n in range(0, len(value), 255)) or b"\0"


def mx(preference, host):
    return struct.pack(">H", preference) + wire_name(host)


def ipv4(address):
    return socket.inet_aton(address)


class Question:
    def __init__(self, message):
        self.message = message
        self.id = message[:2]
        at, labels = 12, []
        while message[at]:
            labels.append(message[at + 1:at + 1 + message[at]])
            at += 1 + message[at]
        self.asked = b".".join(labels).decode("latin-1")
        self.name = self.asked.lower()
        self.kind = struct.unpack(">H", message[at + 1:at + 3])[0]
        self.section = message[12:at + 5]

    def reply(self, records=(), code=0, truncated=False, ident=None, section=None):
        """records: (name or None for the question's, kind, bytes)."""
        flags = 0x8580 | code | (0x0200 if truncated else 0)
        head = (ident or self.id) + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
        out = head + (section or self.section)
        for name, kind, data in records:
            out += (b"\xc0\x0c" if name is None else wire_name(name)) + struct.pack(">HHIH", kind, 1, 30, len(data)) + data
        return out


class Resolver:
    """decide(question, is_tcp) -> bytes, a list of datagrams, or None for silence."""

    def __init__(self, decide, address="127.0.0.53"):
        self.decide, self.address = decide, address
        self.seen, self.ports, self.lock = [], [], threading.Lock()

    def start(self):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.udp.bind((self.address, 53))
        self.tcp = socket.create_server((self.address, 53), backlog=100)
        threading.Thread(target=self.serve_udp, daemon=True).start()
        threading.Thread(target=self.serve_tcp, daemon=True).start()

    def stop(self):
        self.udp.close()
        self.tcp.close()

    def take(self, message, port, is_tcp):
        question = Question(message)
        with self.lock:
            self.seen.append((question.name, question.kind))
            if not is_tcp:
                self.ports.append((port, question.id))
        answer = self.decide(question, is_tcp)
        if answer is None:
            return []
        return answer if isinstance(answer, list) else [answer]

    def serve_udp(self):
        def one(message, peer):
            try:
                for datagram in self.take(message, peer[1], False):
                    if isinstance(datagram, float):
                        time.sleep(datagram)
                    else:
                        self.udp.sendto(datagram[:65000], peer)
            except (OSError, IndexError):
                pass
        while True:
            try:
                message, peer = self.udp.recvfrom(65535)
            except OSError:
                return
            threading.Thread(target=one, args=(message, peer), daemon=True).start()

    def serve_tcp(self):
        def one(c):
            try:
                with c:
                    while True:
                        head = c.recv(2)
                        if len(head) < 2:
                            return
                        for answer in self.take(c.recv(struct.unpack(">H", head)[0]), 0, True):
                            if isinstance(answer, float):
                                time.sleep(answer)
                            else:
                                c.sendall(struct.pack(">H", len(answer)) + answer)
            except (OSError, IndexError):
                pass
        while True:
            try:
                c, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(c,), daemon=True).start()

    def asked_for(self, part):
        with self.lock:
            return [(n, k) for n, k in self.seen if part in n]
