"""What the manual calls reload holds without a restart: each key is changed in the file, and
seen from outside. tls.ca_file, dns.trusted and delivery.private_targets: 47-tls-policy."""
import shutil
import signal
import smtplib
import socket
import socketserver
import ssl
import threading
import time

import check
from appliance import insecure_tls
from authority import Authority
from names import RESOLVER
from world import message

ANN = "ann@home.example"
SINK, SOURCE, DETOUR = "127.0.0.20", "127.0.0.77", ("127.0.0.55", 5355)
ZONE = f"""
@    IN MX 10 mx
mx   IN A {SINK}
"""


class Sink(socketserver.ThreadingTCPServer):
    """Takes all mail; who brought it, and its text."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, port):
        self.mails = []
        super().__init__((SINK, port), Talk)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def has(self, subject):
        return [client for client, text in self.mails if f"Subject: {subject}\r\n" in text]

    def stop(self):
        self.shutdown()
        self.server_close()


class Talk(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self):
        self.say("220 mx.peer.example")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.say("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.mails.append((self.client_address[0], text.decode()))
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            self.say("250 fine")


class Detour:
    """A name server on another port: the resolver behind it answers."""

    def __init__(self):
        self.count = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(DETOUR)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                question, client = self.socket.recvfrom(4096)
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.ask, args=(question, client), daemon=True).start()

    def ask(self, question, client):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            s.sendto(question, (RESOLVER, 53))
            self.socket.sendto(s.recv(4096), client)

    def stop(self):
        self.socket.close()


class Reloads:
    """The file as it was, with changes; each is taken, or refused with these words."""

    def __init__(self, home):
        self.home, self.good = home, home.config.read_text()

    def taken(self, *changes):
        text = self.good
        for old, new in changes:
            check.contains(text, old, "what is changed is there")
            text = text.replace(old, new)
        self.home.config.write_text(text)
        self.home.reread()

    def refused(self, text, *words):
        self.home.config.write_text(text)
        before = self.home.log().count("config.refused")
        self.home.process.child.send_signal(signal.SIGHUP)
        check.until(lambda: self.home.log().count("config.refused") > before, "it is refused")
        line = [x for x in self.home.log().splitlines() if "config.refused" in x][-1]
        for word in words:
            check.contains(line, word, "why it is refused")
        self.home.config.write_text(self.good)


def setup(world):
    dns = world.names()
    dns.zones["peer.example"] = ZONE
    dns.stop()
    dns.start()
    world.appliance(retry="1s 1s 2s", private="true")
    world.reloads = Reloads(world.home)
    world.sink, world.detour = Sink(25), Detour()


def submit(world, subject):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, ["pat@peer.example"], message(ANN, "pat@peer.example", subject))


def pids(world, role):
    return world.home.workers().get(role, [])


def sent(world, sink, subject):
    submit(world, subject)
    return check.until(lambda: sink.has(subject), f"{subject} is there")


def test_a_name_server_on_another_port(world):
    """Its port is one that the sandbox of who asks does not know: those processes start anew,
    and nobody else."""
    sent(world, world.sink, "before")
    before = {role: pids(world, role) for role in ("store", "dns", "queue", "smtp", "imap", "web")}
    world.reloads.taken(("127.0.0.53:53", f"{DETOUR[0]}:{DETOUR[1]}"))
    check.until(lambda: pids(world, "queue") not in ([], before["queue"]), "another queue")
    check.until(lambda: pids(world, "dns") not in ([], before["dns"]), "another dns")
    for role in ("store", "smtp", "imap", "web"):
        check.equal(pids(world, role), before[role], f"{role} lives on")
    check.true("role.kill" not in world.home.log(), "they ended when they were asked to")
    sent(world, world.sink, "over the detour")
    check.true(world.detour.count > 0, "it was asked")
    # And a worker's questions go there as well.
    count = world.detour.count
    with smtplib.SMTP(world.home.address, 25, "mx.peer.example", timeout=60) as s:
        s.sendmail("pat@peer.example", [ANN], message("pat@peer.example", ANN, "from outside"))
    check.true(world.detour.count > count, "for its sender's policies")
    kept = pids(world, "queue")
    world.reloads.taken((("127.0.0.53:53"), f"{DETOUR[0]}:{DETOUR[1]}"), ("level: debug", "level: info"))
    time.sleep(1)
    check.equal(pids(world, "queue"), kept, "the same port again is no reason")
    world.reloads.taken()
    check.until(lambda: pids(world, "queue") not in ([], kept), "and back")


def test_another_port_to_deliver_to(world):
    other = Sink(2525)
    world.reloads.taken(("port: 25,", "port: 2525,"))
    sent(world, other, "at another port")
    check.equal(world.sink.has("at another port"), [], "not at the old one")
    world.reloads.taken()
    sent(world, world.sink, "at the old port")
    other.stop()


def test_another_address_of_ours(world):
    world.reloads.taken(("private_targets: true", f'private_targets: true, source: ["{SOURCE}"]'))
    check.equal(sent(world, world.sink, "from another address"), [SOURCE], "who brought it")
    world.reloads.taken()
    check.equal(sent(world, world.sink, "from the usual one"), ["127.0.0.1"], "who brought it")


WRONG = {25: b"BOGUS", 993: b"a LOGIN nobody wrong", 995: b"USER nobody\r\nPASS wrong"}
HEADER = b"PROXY TCP4 203.0.113.9 192.0.2.1 4000 25\r\n"


def is_believed(world, port):
    """Does what goes wrong there count for whom a PROXY header names?"""
    count = world.home.log().count("ip=203.0.113.9")
    try:
        with socket.create_connection((world.home.address, port), timeout=20) as s:
            s.sendall(HEADER)
            if port != 25:
                s = insecure_tls().wrap_socket(s)
            lines = s.makefile("rb")
            lines.readline()
            s.sendall(WRONG[port] + b"\r\n")
            lines.readline()
            if port == 995:
                lines.readline()
    except OSError:
        return False
    time.sleep(0.1)
    return world.home.log().count("ip=203.0.113.9") > count


def greeted_after(world, port):
    begin = time.monotonic()
    with socket.create_connection((world.home.address, port), timeout=20) as s:
        s.makefile().readline()
    return time.monotonic() - begin


def test_proxies(world):
    many = 'proxies: ["127.0.0.0/8"]\nlimits: {auth_failure_delay: 0, '
    for port in WRONG:
        check.equal(is_believed(world, port), False, f"{port}: nobody may")
    world.reloads.taken(("proxies: []", many + "proxy_wait: 1s}"))
    for port in WRONG:
        check.until(lambda port=port: is_believed(world, port), f"{port}: believed")
    for port in (25, 143, 110):
        check.true(greeted_after(world, port) > 0.9, f"{port}: and waited for")
    world.reloads.taken(("proxies: []", many + "proxy_wait: 0}"))
    for port in (25, 143, 110):
        check.until(lambda port=port: greeted_after(world, port) < 0.9, f"{port}: no longer")
    world.reloads.taken()
    for port in WRONG:
        check.until(lambda port=port: not is_believed(world, port), f"{port}: nobody may")
    check.equal(world.home.imap(ANN).noop()[0], "OK", "and all is well")


def shown(world):
    """The certificates that IMAP, POP3, SMTP and HTTP show, as a set: one, if they agree."""
    found = set()
    for port in (993, 995, 465, 443):
        with socket.create_connection((world.home.address, port), timeout=20) as s:
            with insecure_tls().wrap_socket(s, server_hostname=world.home.hostname) as t:
                found.add(t.getpeercert(True))
    with smtplib.SMTP(world.home.address, 25, "mx.peer.example", timeout=20) as s:
        s.starttls(context=insecure_tls())
        found.add(s.sock.getpeercert(True))
    return found


def der(pem):
    return {ssl.PEM_cert_to_DER_cert(pem.read_text())}


def test_certificate(world):
    """Another file, another content of the same file, a pair that does not fit; who is there
    stays."""
    authority = Authority(world.out / "authority")
    one, two = authority.certificate("one", world.home.hostname), authority.certificate("two", world.home.hostname)
    live = world.out / "live.pem", world.out / "live.key"
    own = shown(world)
    check.equal(len(own), 1, "one certificate at all ports")
    session = world.home.imap(ANN)

    def use(pair):
        for source, target in zip(pair, live):
            shutil.copy(source, target)

    use(one)
    there = ("proxies: []", f"proxies: []\ntls: {{certificate: {live[0]}, key: {live[1]}}}")
    world.reloads.taken(there)
    check.until(lambda: shown(world) == der(one[0]), "the one of the file", 20)
    use(two)
    check.equal(shown(world), der(one[0]), "a file is read when it is asked for, not before")
    world.reloads.taken(there)
    check.until(lambda: shown(world) == der(two[0]), "what the file has now", 20)
    use((one[0], two[1]))
    world.reloads.refused(world.reloads.good.replace(*there), "tls.", "live.")
    live[0].write_text("nonsense")
    world.reloads.refused(world.reloads.good.replace(*there), "tls.certificate")
    time.sleep(0.5)
    check.equal(shown(world), der(two[0]), "the last good one stays")
    check.equal(session.noop()[0], "OK", "an older session lives on")
    world.reloads.taken()
    check.until(lambda: shown(world) == own, "and back to ours", 20)
    check.equal(session.noop()[0], "OK", "still")
    session.logout()


def test_stop_timeout(world):
    """How long a stop waits for who is in the middle of something."""
    for limit, least, most in (("1s", 0.5, 6), ("12s", 10, 20)):
        world.reloads.taken(("proxies: []", f"proxies: []\nlimits: {{stop_timeout: {limit}}}"))
        s = socket.create_connection((world.home.address, 25), timeout=60)
        lines = s.makefile("rb")
        for say in ("", "EHLO mx.peer.example", "MAIL FROM:<pat@peer.example>", f"RCPT TO:<{ANN}>", "DATA"):
            s.sendall(f"{say}\r\n".encode() if say else b"")
            while lines.readline()[3:4] == b"-":
                pass
        s.sendall(b"Subject: half of it\r\n")
        begin = time.monotonic()
        check.equal(world.home.stop(), 0, "it stops well")
        took = time.monotonic() - begin
        s.close()
        check.true(least < took < most, f"stop_timeout {limit}: it took {took:.1f} s")
        world.home.start()
    check.equal(world.home.log().count("half of it"), 0, "half a message is none")


def test_level(world):
    def debug():
        return len([x for x in world.home.log().splitlines() if " debug " in x or x.startswith("debug ")])
    world.reloads.taken(("level: debug", "level: info"))
    before = debug()
    sent(world, world.sink, "in silence")
    check.equal(debug(), before, "nothing is said")
    world.reloads.taken()
    sent(world, world.sink, "in many words")
    check.true(debug() > before, "and it is again")


def test_errors_have_a_place(world):
    good, reloads = world.reloads.good, world.reloads
    line = good.count("\n") + 1
    name = world.home.config
    reloads.refused(good + "tls: {ca_file: /nowhere/ca.pem}\n", f"{name}:{line}:16: tls.ca_file: /nowhere/ca.pem",
                    "No such file")
    reloads.refused(good + f"tls:\n  ca_file: {name}\n", f"{name}:{line + 1}:12: tls.ca_file", "no usable certificate")
    reloads.refused(good + "tls:\n  certificate: /nowhere/c.pem\n  key: /nowhere/k.pem\n",
                    f"{name}:{line + 1}:16: tls.certificate", "No such file")
    reloads.refused(good.replace("hostname: mail", "hostname: other"), f"{name}:1:11: hostname", "with a restart")
    for text, words in (("tls: {ca_file: /nowhere/ca.pem}\n", f":{line}:16: tls.ca_file"),):
        name.write_text(good + text)
        done = world.home.run("check", check=False)
        check.true(done.returncode != 0, "check says no")
        check.contains(done.stderr, words, "and where")
    name.write_text(good)
