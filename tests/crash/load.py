"""Clients at work, and what each of them was told. Nothing here retries: one try, one fate."""
import base64
import hashlib
import imaplib
import os
import random
import smtplib
import threading
import time

from appliance import insecure_tls

IMAP_DIED = (imaplib.IMAP4.abort, OSError, EOFError)


class Truth:
    """What the clients know, by token. Shared by their threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.fate = {}       # token -> (account or None for relayed, acked/refused/unknown)
        self.flagged = {}    # token -> acked/unknown
        self.moved = {}      # token -> acked/unknown
        self.expunged = {}   # token -> acked/unknown
        self.receipts = {}   # token -> account that wants to be told that it has arrived
        self.uids = {}       # (account, mailbox, uid) -> token
        self.validity = {}   # (account, mailbox) -> uidvalidity
        self.problems = []

    def set(self, table, token, value):
        with self.lock:
            table[token] = value

    def saw_uid(self, account, mailbox, uid, token):
        with self.lock:
            before = self.uids.setdefault((account, mailbox, uid), token)
        if before != token:
            self.problems.append(f"uid_reuse {account} {mailbox} {uid}: {before} and {token}")

    def saw_validity(self, account, mailbox, value):
        with self.lock:
            before = self.validity.setdefault((account, mailbox), value)
        if before != value:
            self.problems.append(f"uidvalidity_change {account} {mailbox}: {before}, {value}")


def make_message(token, size, rng):
    """A message that carries the SHA-256 of its body."""
    raw = rng.randbytes(max(1, size * 3 // 4))
    body = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    digest = hashlib.sha256(body).hexdigest()
    head = (f"From: <pat@peer.example>\r\nTo: <x@home.example>\r\nSubject: {token}\r\n"
            f"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{token}@crash.test>\r\n"
            f"X-Token: {token}\r\nX-Sha256: {digest}\r\n\r\n")
    return head.encode() + body


def some_size(rng):
    return rng.choice((200, 1000, 4000, 4000, 30000, 300000))


class Client(threading.Thread):
    """One client; `step` is called until `stop` is set."""

    def __init__(self, name, world, truth, seed):
        super().__init__(name=name, daemon=True)
        self.world, self.truth = world, truth
        self.rng = random.Random(f"{seed} {name}")
        self.stopping = threading.Event()
        self.count = 0
        self.done = 0

    def token(self):
        self.count += 1
        return f"{self.world.round}.{self.name}.{self.count}"

    def run(self):
        while not self.stopping.is_set():
            try:
                self.step()
            except Exception as e:  # a client must never hide its own mistakes
                self.truth.problems.append(f"client {self.name}: {type(e).__name__} {e}")
                time.sleep(0.2)

    def step(self):
        raise NotImplementedError


class Sender(Client):
    """SMTP in: a message to one account of ours, or through submission to the peer; or from
    one of ours to another, who asks for a receipt."""

    def __init__(self, name, world, truth, seed, relay=False, asks=False):
        super().__init__(name, world, truth, seed)
        self.relay, self.asks = relay, asks
        self.session = None

    def connect(self):
        home = self.world.home
        if self.relay or self.asks:
            s = smtplib.SMTP(home.address, 587, "laptop.home.example", timeout=10)
            s.starttls(context=insecure_tls())
            s.login(home.accounts[0], home.passwords[home.accounts[0]])
        else:
            s = smtplib.SMTP(home.address, 25, "mx.peer.example", timeout=10)
        return s

    def step(self):
        home = self.world.home
        token = self.token()
        account = None if self.relay else self.rng.choice(home.accounts)
        rcpt = account or f"{token}@peer.example"
        sender = home.accounts[0] if self.relay or self.asks else "pat@peer.example"
        options = ["NOTIFY=SUCCESS"] if self.asks else []
        names = [f"ENVID={token}"] if self.asks else []
        if self.session is None:
            try:
                self.session = self.connect()
            except (smtplib.SMTPException, OSError):
                time.sleep(0.02)
                return
        fate = "unknown"
        try:
            self.session.sendmail(sender, [rcpt], make_message(token, some_size(self.rng), self.rng),
                                  mail_options=names, rcpt_options=options)
            fate = "acked"
            self.done += 1
        except smtplib.SMTPServerDisconnected:
            self.drop()
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused,
                smtplib.SMTPSenderRefused) as e:
            # smtplib gives code -1 where the reply never came.
            fate = "unknown" if getattr(e, "smtp_code", 400) == -1 else "refused"
            self.drop()
        except OSError:
            self.drop()
        self.truth.set(self.truth.fate, token, (account, fate))
        if self.asks:
            self.truth.set(self.truth.receipts, token, sender)
        if self.session and self.rng.random() < 0.2:
            self.drop()

    def drop(self):
        try:
            self.session.close()
        except OSError:
            pass
        self.session = None


class Reader(Client):
    """IMAP: puts messages into a mailbox, flags, moves and deletes them."""

    def __init__(self, name, world, truth, seed, account):
        super().__init__(name, world, truth, seed)
        self.account = account
        self.m = None

    def connect(self):
        home = self.world.home
        m = imaplib.IMAP4_SSL(home.address, 993, ssl_context=insecure_tls(), timeout=10)
        m.login(self.account, home.passwords[self.account])
        for box in ("Work", "Kept"):
            m.create(box)
        if m.select("Work")[0] != "OK":
            raise imaplib.IMAP4.error("SELECT is refused at this moment")
        self.truth.saw_validity(self.account, "Work", m.response("UIDVALIDITY")[1][0])
        return m

    def step(self):
        if self.m is None:
            try:
                self.m = self.connect()
            except (imaplib.IMAP4.error, *IMAP_DIED):
                time.sleep(0.02)
                return
        try:
            self.one_story()
        except IMAP_DIED:
            try:
                self.m.shutdown()
            except OSError:
                pass
            self.m = None

    def ask(self, table, token, question):
        """The answer to a change is written down: acked, or unknown until it comes."""
        self.truth.set(table, token, "unknown")
        status, data = question()
        if status == "OK":
            self.truth.set(table, token, "acked")
        else:
            with self.truth.lock:
                table.pop(token, None)
        return status == "OK", data

    def one_story(self):
        token = self.token()
        text = make_message(token, some_size(self.rng), self.rng)
        self.truth.set(self.truth.fate, token, (self.account, "unknown"))
        status, data = self.m.append("Work", None, None, text)
        fate = "acked" if status == "OK" else "refused"
        self.truth.set(self.truth.fate, token, (self.account, fate))
        if fate == "refused":
            return
        self.done += 1
        # [APPENDUID validity uid]
        uid = data[0].split(b"APPENDUID ")[1].split(b"]")[0].split()[1].decode()
        self.truth.saw_uid(self.account, "Work", int(uid), token)
        self.m.noop()
        dice = self.rng.random()
        if dice < 0.7:
            self.ask(self.truth.flagged, token,
                     lambda: self.m.uid("STORE", uid, "+FLAGS.SILENT", r"(\Flagged)"))
        if dice < 0.3:
            self.ask(self.truth.moved, token, lambda: self.m.uid("MOVE", uid, "Kept"))
        elif 0.5 < dice < 0.9:
            status, _ = self.m.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
            if status == "OK":
                self.ask(self.truth.expunged, token, lambda: self.m.uid("EXPUNGE", uid))


def start_clients(world, truth, seed, senders=4, relays=2):
    home = world.home
    clients = [Sender(f"in{n}", world, truth, seed) for n in range(senders)]
    clients += [Sender(f"out{n}", world, truth, seed, relay=True) for n in range(relays)]
    clients += [Sender("asks", world, truth, seed, asks=True)]
    clients += [Reader(f"imap{n}", world, truth, seed, account)
                for n, account in enumerate(home.accounts)]
    for c in clients:
        c.start()
    return clients


def stop_clients(clients):
    for c in clients:
        c.stopping.set()
    for c in clients:
        c.join(120)
    return sum(c.done for c in clients)
