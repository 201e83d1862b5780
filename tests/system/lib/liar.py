"""A name server that misbehaves for some names, each in its own way, and asks the right one
for all others."""
import socket
import socketserver
import struct
import threading
import time

A, NS, CNAME, MX, TXT = 1, 2, 5, 15, 16


def wire_name(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.rstrip(".").split(".")) + b"\0"


def question_of(message):
    """-> (name, lower case; type; the question as it was)"""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]])
        at += message[at] + 1
    return b".".join(labels).decode(errors="replace").lower(), \
        struct.unpack(">H", message[at + 1:at + 3])[0], message[12:at + 5]


def text(string):
    """As the strings of one TXT record."""
    pieces = [string[i:i + 255].encode() for i in range(0, len(string), 255)]
    return b"".join(bytes([len(s)]) + s for s in pieces)


def answer(message, records, code=0, ident=None, question=None, flags=0x8180):
    """records: [(type, data)], of the name that was asked for."""
    ident = struct.unpack(">H", message[:2])[0] if ident is None else ident
    body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data for kind, data in records)
    return struct.pack(">HHHHHH", ident, flags | code, 1, len(records), 0, 0) + \
        (question or question_of(message)[2]) + body


class Liar:
    """manners: {zone: what(message, name, type) -> [datagrams]}; asked: every question, with
    the port that it came from."""

    def __init__(self, address, right, manners):
        self.address, self.right, self.manners, self.asked = address, right, manners, []

    def start(self):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((self.address, 53))
        threading.Thread(target=self.serve, daemon=True).start()
        liar = self

        class Mute(socketserver.BaseRequestHandler):
            def handle(self):
                message = self.request.recv(4096)[2:]
                if message and not liar.manner_of(question_of(message)[0]):
                    with socket.create_connection((liar.right, 53), timeout=10) as s:
                        s.sendall(struct.pack(">H", len(message)) + message)
                        self.request.sendall(s.recv(65537))
                else:
                    time.sleep(60)
        self.tcp = socketserver.ThreadingTCPServer((self.address, 53), Mute)
        self.tcp.daemon_threads = True
        threading.Thread(target=self.tcp.serve_forever, daemon=True).start()

    def manner_of(self, name):
        for zone, manner in self.manners.items():
            if name == zone or name.endswith("." + zone):
                return manner
        return None

    def serve(self):
        while True:
            try:
                message, client = self.udp.recvfrom(4096)
            except OSError:
                return
            threading.Thread(target=self.ask, args=(message, client), daemon=True).start()

    def ask(self, message, client):
        try:
            self.answer(message, client)
        except OSError:
            pass  # too late: we are stopped, or the right one is

    def answer(self, message, client):
        name, kind, question = question_of(message)
        self.asked.append((name, kind, question, client[1], message[:2]))
        manner = self.manner_of(name)
        if manner:
            for datagram in manner(message, name, kind):
                self.udp.sendto(datagram, client)
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            s.sendto(message, (self.right, 53))
            self.udp.sendto(s.recv(4096), client)

    def count(self, zone):
        return len([a for a in self.asked if a[0] == zone or a[0].endswith("." + zone)])

    def stop(self):
        self.udp.close()
        self.tcp.shutdown()
        self.tcp.server_close()
