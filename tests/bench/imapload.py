"""A bare IMAP client that only counts bytes: it must cost less than what it measures."""
import os
import random
import socket
import ssl
import time


class Imap:
    def __init__(self, host, port=143, tls=None, room=1 << 20):
        """room: of its buffer; to make a large one costs as much as a login."""
        self.s = socket.create_connection((host, port), 60)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.s = tls.wrap_socket(self.s)
        self.n = 0
        self.buffer = bytearray(room)
        self.s.recv(4096)

    def command(self, text):
        """-> (seconds, bytes); raises unless the answer is OK."""
        self.n += 1
        tag = b"t%d" % self.n
        begin = time.perf_counter()
        self.s.sendall(tag + b" " + text.encode() + b"\r\n")
        count = self.read_until(tag)
        return time.perf_counter() - begin, count

    def read_until(self, tag):
        total, tail = 0, b""
        mark = b"\r\n" + tag + b" "
        while True:
            n = self.s.recv_into(self.buffer)
            if n == 0:
                raise EOFError("closed")
            total += n
            tail = (tail + self.buffer[max(0, n - 1024):n])[-2048:]
            at = (b"\r\n" + tail).rfind(mark) if total < 2048 else tail.rfind(mark)
            if at >= 0 and tail.endswith(b"\r\n"):
                words = (b"\r\n" + tail if total < 2048 else tail)[at + len(mark):]
                if not words.startswith(b"OK"):
                    raise RuntimeError(words.decode(errors="replace"))
                return total

    def login(self, user, password):
        self.command(f'LOGIN "{user}" "{password}"')

    def append_many(self, mailbox, make, count, batch=200):
        """APPENDs with non-synchronising literals, a batch of commands under way."""
        done = 0
        while done < count:
            chunk = bytearray()
            n = min(batch, count - done)
            for i in range(n):
                text = make(done + i)
                self.n += 1
                chunk += b"t%d APPEND %s {%d+}\r\n" % (self.n, mailbox.encode(), len(text))
                chunk += text + b"\r\n"
            self.s.sendall(chunk)
            self.read_until(b"t%d" % self.n)
            done += n

    def append_multi(self, mailbox, texts, batch=500):
        """MULTIAPPEND (RFC 3502): a batch is one command, all of it or nothing."""
        for at in range(0, len(texts), batch):
            self.n += 1
            chunk = bytearray(b"t%d APPEND %s" % (self.n, mailbox.encode()))
            for text in texts[at:at + batch]:
                chunk += b" {%d+}\r\n" % len(text)
                chunk += text
            self.s.sendall(chunk + b"\r\n")
            self.read_until(b"t%d" % self.n)

    def close(self):
        self.s.close()


def login_loop(host, port, tls, user, password, count):
    """Connects, logs in, leaves; one at a time."""
    for _ in range(count):
        m = Imap(host, port, tls, room=4096)
        m.login(user, password)
        m.close()


def append_loop(host, user, password, mailbox, text, count):
    """One APPEND after the other, each waits for its OK. -> seconds without the login"""
    m = Imap(host)
    m.login(user, password)
    line = b"APPEND %s {%d+}\r\n" % (mailbox.encode(), len(text))
    begin = time.perf_counter()
    for _ in range(count):
        m.n += 1
        tag = b"t%d" % m.n
        m.s.sendall(tag + b" " + line + text + b"\r\n")
        m.read_until(tag)
    seconds = time.perf_counter() - begin
    m.close()
    return seconds


def mixed_loop(host, user, password, mailbox, text, count):
    """So many commands, drawn as a mail program's day has them."""
    random.seed(os.getpid())
    m = Imap(host)
    m.login(user, password)
    m.command(f"SELECT {mailbox}")
    asks = {"FETCH 1:20 (FLAGS)": 20, "FETCH 1:5 (FLAGS ENVELOPE BODYSTRUCTURE)": 20,
            "FETCH 1 (BODY.PEEK[])": 15, "STORE 2:3 +FLAGS (\\Seen)": 10,
            "STORE 2:3 -FLAGS (\\Seen)": 10, "SEARCH UNSEEN": 5, "NOOP": 10,
            f"SELECT {mailbox}": 5, "APPEND": 5, 'LIST "" *': 5}
    for ask in random.choices(list(asks), asks.values(), k=count):
        if ask == "APPEND":
            m.append_many(mailbox, lambda n: text, 1)
        else:
            m.command(ask)
    m.close()


def in_processes(workers, work, *args):
    """work(*args) in so many processes at once. -> seconds until the last one ends"""
    pids, begin = [], time.perf_counter()
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                work(*args)
                status = 0
            finally:
                os._exit(status)
        pids.append(pid)
    bad = [pid for pid in pids if os.waitpid(pid, 0)[1]]
    if bad:
        raise RuntimeError("a load process failed")
    return time.perf_counter() - begin


def tls_context():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
