"""R29-R36: passwords, secrets and TLS."""
import base64
import http.client
import json
import pathlib
import re
import socket
import statistics
import subprocess
import time

import check
import rig
from appliance import insecure_tls
from rig import ANN, BOB, Attack, at_once, row
from wire import Wire

ATTACKER = "127.0.0.66"
TLS_PORTS = (465, 993, 995, 443)


def setup(world):
    rig.home(world, plaintext="[]")
    world.home.add_admin("owner")


def again(world, name, **options):
    """Another appliance in the place of the first: counters begin anew."""
    rig.another(world, name, **{"plaintext": "[]", **options}).add_admin("owner")
    return world.home


class Door:
    """One port that takes passwords: knock() -> "ok", "no" (words), "shut"."""

    def __init__(self, home, port, source=None):
        self.home, self.port, self.source, self.w, self.n = home, port, source, None, 0

    def open(self):
        h, p = self.home, self.port
        if p == 443:
            return
        self.w = Wire(h.address, p, tls=p in TLS_PORTS, source=self.source)
        if p in (465, 587):
            self.w.reply()
            self.w.ask(b"EHLO x")
            if p == 587:
                self.w.ask(b"STARTTLS")
                self.w.starttls()
                self.w.ask(b"EHLO x")
        else:
            self.w.line()
            if p in (143, 110):
                self.w.send(b"a STARTTLS\r\n" if p == 143 else b"STLS\r\n")
                self.w.line()
                self.w.starttls()

    def knock(self, user, password):
        try:
            if self.w is None:
                self.open()
            line = self.ask(user, password)
        except OSError:
            line = None
        if line is None:
            self.w = None
            return "shut", b""
        ok = line.startswith((b"235", b"z%d OK" % self.n, b"+OK", b"201"))
        return ("ok" if ok else "no"), line

    def ask(self, user, password):
        self.n += 1
        w, p = self.w, self.port
        if p == 443:
            c = http.client.HTTPSConnection(self.home.address, 443, context=insecure_tls(), timeout=30,
                                            source_address=(self.source, 0) if self.source else None)
            c.request("POST", "/api/v1/session", json.dumps({"name": user, "password": password}),
                      {"Content-Type": "application/json"})
            r = c.getresponse()
            body = r.read()
            c.close()
            return b"%d " % r.status + re.sub(rb"req_\w+", b"", body)
        if p in (465, 587):
            code, text = w.ask(b"AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()), 40)
            return text.encode() if code else None
        if p in (143, 993):
            w.send(b"z%d LOGIN %s %s\r\n" % (self.n, user.encode(), password.encode()))
            lines = w.tagged(b"z%d" % self.n, 40)
            return lines[-1] if lines and lines[-1].startswith(b"z%d" % self.n) else None
        w.send(b"USER %s\r\n" % user.encode())
        if w.line(40) is None:
            return None
        w.send(b"PASS %s\r\n" % password.encode())
        return w.line(40)


PORTS = (465, 587, 143, 993, 110, 995, 443)
GUESSES_IP = 30  # limits.auth_failures_ip: then it is shut


@row("R29", "password guessing on each port, 20 connections at a time")
def guessing(world):
    figures = []
    for port in PORTS:
        home = again(world, f"guess-{port}")
        user = "owner" if port == 443 else ANN
        tries, end = [0], time.monotonic() + 6

        def guess(k, home=home, user=user, tries=tries, end=end, port=port):
            door = Door(home, port, ATTACKER)
            # A busy machine hashes fewer than would shut the door in six seconds.
            while time.monotonic() < end + (60 if tries[0] < GUESSES_IP else 0):
                said, line = door.knock(user, f"wrong-{k}")
                looked = not re.search(rb"LIMIT|again later|429|SYS/TEMP|UNAVAILABLE", line)
                tries[0] += said == "no" and looked
                if said == "shut":
                    time.sleep(0.05)

        begin = time.monotonic()
        at_once(guess, [(k,) for k in range(20)])
        # In the long run: what was looked at within the ten minutes that are counted.
        figures.append(f"{port}: {tries[0]}")
        check.true(tries[0] <= 60, f"{port}: {tries[0]} guesses were looked at in {time.monotonic() - begin:.0f} s")
        other = 993 if port != 993 else 465
        said, line = Door(home, other, ATTACKER).knock(ANN, home.passwords[ANN])
        check.true(said != "ok", f"one counter: {other} still lets {ATTACKER} in after {port}: {line!r}")
        said, line = Door(home, other).knock(ANN, home.passwords[ANN])
        check.equal(said, "ok", f"others get in: {line!r}")
    return f"looked at by one address in 10 minutes, {', '.join(figures)}; the other ports shut as well"


@row("R30", "the victim of guesses from many addresses")
def victim(world):
    home = again(world, "victim")
    said, _ = Door(home, 993, "127.0.0.77").knock(ANN, home.passwords[ANN])
    check.equal(said, "ok", "the victim's own address is known")

    def guess(k):
        for n in range(3):
            door = Door(home, 143, f"127.9.{k}.{n + 1}")
            for _ in range(3):
                door.knock(ANN, f"wrong{n}")

    at_once(guess, [(k,) for k in range(60)])
    begin = time.monotonic()
    said, line = Door(home, 993, "127.0.0.77").knock(ANN, home.passwords[ANN])
    took = time.monotonic() - begin
    check.equal(said, "ok", f"the victim gets in: {line!r}")
    check.true(took < 5, f"after {took:.1f} s")
    other, line = Door(home, 993, "127.0.0.78").knock(ANN, home.passwords[ANN])
    check.equal(Door(home, 993, "127.0.0.78").knock(BOB, home.passwords[BOB])[0], "ok", "and everybody else")
    return f"540 guesses from 180 addresses, the victim in after {took:.2f} s; from a new address: {other}"


@row("R31", "who has an account, by words and by time")
def enumeration(world):
    home = again(world, "words", more="limits: {auth_failures_ip: 10000, auth_failures_account: 10000, "
                                      "auth_failure_delay: 0s, auth_tries: 100, smtp_errors: 1000}\n")
    figures, words = [], {}

    def medians_apart_ms(port):
        times = {"known": [], "unknown": []}
        door = Door(home, port, ATTACKER)
        known, unknown = ("owner", "nobody") if port == 443 else (ANN, "nobody@home.example")
        for n in range(40):
            for kind, user in (("known", known), ("unknown", unknown))[::1 if n % 2 else -1]:
                for _ in range(2):  # a door that has shut is opened before the time is taken
                    if door.w is None:
                        door.open()
                    begin = time.monotonic()
                    said, line = door.knock(user, "wrong-password")
                    if said != "shut":
                        break
                times[kind].append(time.monotonic() - begin)
                line = re.sub(rb"^z\d+|ses_\w+", b"", line)
                words.setdefault(port, {}).setdefault(kind, set()).add(line)
        return abs(statistics.median(times["known"]) - statistics.median(times["unknown"])) * 1000

    for port in PORTS:
        apart = medians_apart_ms(port)
        for _ in range(3):  # what others do on the machine passes; a true difference shows each time
            apart = min(apart, medians_apart_ms(port)) if apart >= 25 else apart
        check.true(apart < 25, f"{port}: medians {apart:.1f} ms apart")
        check.equal(words[port]["known"], words[port]["unknown"], f"{port}: words")
        figures.append(f"{port}: {apart:.1f}")
    return f"same words; medians apart in ms: {', '.join(figures)}"


@row("R32", "malformed SASL")
def sasl(world):
    home = again(world, "sasl", more="limits: {auth_failures_ip: 10000, auth_failure_delay: 0s, auth_tries: 100}\n")
    b64 = base64.b64encode
    bad = [b"=", b"*", b"====", b"AAA", b"AA==A", b"\xff\xff", b64(b""), b64(b"\0"), b64(b"\0\0"), b64(b"\0\0\0\0"), b64(b"a"), b64(b"\0" + b"x" * 8000),
           b64(b"\0ann@home.example\0" + b"p" * 8000), b64(b"\0ann@home.example\0a\0b"), b64(b"\xff\xfe\0\xff\0\xff"), b"A" * 11000,
           b64(b"\0" + b"%u%n%s@home.example\0x"), b64(b"\0ann@home.example\n\0x"), b"AA" + b"=" * 100, b" ", b"A B"]
    count = 0
    with Attack(world, "SASL", more_mib=64) as attack:
        for b in bad:
            for initial in (True, False):
                w = Wire(home.address, 465, tls=True)
                w.reply()
                w.ask(b"EHLO x")
                if initial:
                    code = w.ask(b"AUTH PLAIN " + b)[0]
                else:
                    check.equal(w.ask(b"AUTH PLAIN")[0], 334, "challenge")
                    code = w.ask(b)[0]
                if initial:
                    code = w.ask(b"*")[0] if code == 334 else code  # nothing, not even a response
                check.true(code in (501, 535, 500, 454), f"{b[:30]!r}: {code}")
                check.equal(w.ask(b"NOOP")[0], 250, f"{b[:30]!r}: no hang")
                w.close()
                v = Wire(home.address, 993, tls=True)
                v.line()
                v.send(b"a AUTHENTICATE PLAIN\r\n")
                v.line()
                v.send(b + b"\r\nb NOOP\r\n")
                lines = v.tagged(b"b")
                check.true(not any(l.startswith(b"a OK") for l in lines), f"{b[:30]!r}: {lines}")
                v.close()
                count += 2
        for mechanism in (b"LOGIN", b"CRAM-MD5", b"XOAUTH2", b"GSSAPI", b"A" * 3000, b"PLAIN PLAIN PLAIN", b""):
            w = Wire(home.address, 465, tls=True)
            w.reply()
            w.ask(b"EHLO x")
            code = w.ask(b"AUTH " + mechanism)[0]
            check.true(code in (334, 500, 501, 504), f"AUTH {mechanism[:20]!r}: {code}")
            count += 1
            w.close()
        w = Wire(home.address, 465, tls=True)
        w.reply()
        w.ask(b"EHLO x")
        good = b"AUTH PLAIN " + b64(f"\0{ANN}\0{home.passwords[ANN]}".encode())
        check.equal(w.ask(good)[0], 235, "login")
        check.equal(w.ask(good)[0], 503, "second AUTH")
        w.close()
    return f"{count} exchanges, second AUTH 503, {attack.figure}"


@row("R33", "secrets at rest")
def at_rest(world):
    home = world.home
    token = home.json("token", "create", "probe")["token"]
    home.run("domain", "dkim", "create", "home.example", "ed25519")
    secrets = [p.encode() for p in home.passwords.values()] + [token.split("_")[-1].encode(), token.encode()]
    seen, modes = 0, []
    for path in pathlib.Path(home.folder).rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        data = path.read_bytes()
        seen += 1
        for secret in secrets:
            check.true(secret not in data, f"{path.name} holds a secret in clear")
        mode = path.stat().st_mode & 0o777
        inside = path.relative_to(home.folder)
        if inside.parts[0] == "data" and mode & 0o077 and path.suffix != ".pem":  # certificates are public
            modes.append(f"{inside} {mode:o}")
    check.equal(modes, [], "files that others may read")
    found = b"".join(p.read_bytes() for p in (home.folder / "data").glob("index.db*"))
    check.true(b"$argon2id$" in found, "argon2id")
    for pids in home.workers().values():
        for pid in pids:
            env = pathlib.Path(f"/proc/{pid}/environ").read_bytes() + pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            check.true(not any(s in env for s in secrets), "none in the processes' arguments")
    return f"{seen} files, no secret in clear, argon2id, nothing in data/ for others"


@row("R34", "TLS versions, ciphers, renegotiation, compression, early data")
def versions(world):
    home, refused = world.home, 0
    for port in (*TLS_PORTS, 25, 587, 143, 110):
        start = {25: "smtp", 587: "smtp", 143: "imap", 110: "pop3"}.get(port)
        base = ["openssl", "s_client", "-connect", f"{home.address}:{port}"] + (["-starttls", start] if start else [])
        for weak in (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                     ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"], ["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
                     ["-tls1_2", "-cipher", "ADH:@SECLEVEL=0"], ["-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0"],
                     ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"]):
            done = subprocess.run(base + weak, input=b"", capture_output=True, timeout=20)
            is_up = b"Cipher is (NONE)" not in done.stdout and b"Cipher is" in done.stdout
            check.true(not is_up, f"{port} takes {weak}")
            refused += not is_up
        for good in ("-tls1_2", "-tls1_3"):
            done = subprocess.run(base + [good], input=b"", capture_output=True, timeout=20)
            check.true(b"Compression: NONE" in done.stdout, f"{port}: no compression")
            check.true(b"Cipher is (NONE)" not in done.stdout, f"{port} takes {good}")
        done = subprocess.run(base + ["-tls1_3"], input=b"", capture_output=True, timeout=20)
        check.true(b"Early data was accepted" not in done.stdout and b"Max Early Data: 0" in done.stdout
                   or b"Max Early Data" not in done.stdout, f"{port}: early data")
    for port in (993, 465, 443):
        child = subprocess.Popen(["openssl", "s_client", "-connect", f"{home.address}:{port}", "-tls1_2", "-legacy_renegotiation"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        time.sleep(0.5)
        try:
            child.stdin.write(b"R\n")
            child.stdin.flush()
            time.sleep(0.7)
            child.stdin.close()
        except OSError:
            pass
        said = child.stdout.read()
        child.wait(10)
        check.true(b"RENEGOTIATING" not in said or b"no renegotiation" in said or b"error" in said.lower() or b"alert" in said,
                   f"{port}: renegotiation: {said[-300:]!r}")
    return f"{refused} weak handshakes refused on 8 ports, 1.2 and 1.3 taken, no renegotiation, compression or early data"


@row("R35", "half handshakes")
def half(world):
    with Attack(world, "half handshakes", more_mib=96) as attack:
        held = []
        for port in TLS_PORTS:
            for k in range(200):
                w = Wire(world.home.address, port, source=f"127.0.8.{k % 4 + 1}")
                w.send(b"\x16\x03\x01\x02\x00\x01"[:1 + k % 6])
                held.append(w)
        time.sleep(3)
        for w in held:
            w.close()
    return f"200 on each of {len(TLS_PORTS)} ports, {attack.figure}"


@row("R36", "plain text on TLS, HTTP on mail ports, foreign ALPN")
def crossed(world):
    http = b"GET /secret-path HTTP/1.1\r\nHost: home.example\r\n\r\n"
    count = 0
    for port in (25, 587, 143, 110):
        for first in (http, b"POST /secret-path HTTP/1.1\r\n\r\n", b"CONNECT secret-path:443 HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00secret-path"):
            w = Wire(world.home.address, port)
            w.send(first + b"\r\n" * 3)
            w.s.settimeout(3)
            got = b""
            try:
                while data := w.s.recv(4096):
                    got += data
            except OSError:
                pass
            check.true(b"secret-path" not in got, f"port {port} reflects {got!r}")
            w.close()
            count += 1
    for port in TLS_PORTS:
        for plain in (http, b"EHLO x\r\nMAIL FROM:<a@b>\r\n", b"a LOGIN a b\r\n", b"\0" * 1000, b"\x15\x03\x01\x00\x02\x02\x28" * 1000):
            w = Wire(world.home.address, port)
            w.send(plain * 3)
            check.true(w.is_closed(), f"{plain[:10]!r} on {port} is closed")
            w.close()
            count += 1
        for names in (["http/1.1"], ["h2", "http/1.1"], ["smtp"], ["x" * 200]):
            if port == 443 and "http/1.1" in names:
                continue
            context = insecure_tls()
            context.set_alpn_protocols(names)
            try:
                s = context.wrap_socket(socket.create_connection((world.home.address, port), 10))
                check.true(port == 465 and names == ["smtp"] or s.selected_alpn_protocol() is None and port == 443,
                           f"ALPN {names} taken on {port}: {s.selected_alpn_protocol()}")
                s.close()
            except OSError:
                pass
            count += 1
    return f"{count} tries, nothing reflected"
