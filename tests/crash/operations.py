"""The operations that a fault is put into: one at a time, each with what its client is told.

`prepare` does everything that is not meant, `run` the operation itself, and `is_over` says
whether what follows an acknowledgement has happened.
"""
import imaplib
import random
import re
import smtplib

from appliance import insecure_tls
from load import IMAP_DIED, make_message

PEER = "pat@peer.example"


class Mail:
    """SMTP: message in, one connection for as long as it holds."""
    roles = ("smtp", "store")
    size = 3000

    def __init__(self, world, truth, name):
        self.world, self.truth, self.name = world, truth, name
        self.rng = random.Random(name)
        self.session = self.token = None

    def close(self):
        if self.session:
            self.session.close()
        self.session = None

    def prepare(self, token):
        self.token = token
        if self.session is None:
            self.session = smtplib.SMTP(self.world.home.address, 25, "mx.peer.example",
                                        timeout=60)
            self.session.ehlo()

    def send(self, sender, rcpt, owner, options=()):
        """-> fate and the words of the answer."""
        text = make_message(self.token, self.size, self.rng)
        fate, words = "unknown", ""
        try:
            self.session.sendmail(sender, [rcpt], text, rcpt_options=options,
                                  mail_options=[f"ENVID={self.token}"] if options else ())
            fate = "acked"
        except smtplib.SMTPServerDisconnected:
            self.close()
        except smtplib.SMTPRecipientsRefused as e:
            fate, words = "refused", str(next(iter(e.recipients.values()))[0])
        except smtplib.SMTPResponseException as e:
            # smtplib gives code -1 where the reply never came.
            if e.smtp_code != -1:
                fate, words = "refused", f"{e.smtp_code} {e.smtp_error!r}"
            self.close()
        except OSError:
            self.close()
        self.truth.set(self.truth.fate, self.token, (owner, fate))
        return fate, words

    def is_over(self):
        return True

    @staticmethod
    def is_temporary(words):
        return words.startswith("4")


class Deliver(Mail):
    def run(self):
        account = self.world.home.accounts[0]
        return self.send(PEER, account, account)


class Large(Deliver):
    """A body that goes through a spool file and a segment of its process."""
    size = 300000


class Accept(Mail):
    def run(self):
        return self.send(self.world.home.accounts[0], f"{self.token}@peer.example", None)


class Relay(Accept):
    """Accepted, and over when the other side has it."""
    roles = ("queue", "store")

    def is_over(self):
        return self.world.peer.find(f"X-Token: {self.token}\n")


class Bounce(Mail):
    """Accepted, refused for good by the other side, and over when the sender is told."""
    roles = ("queue", "store")

    def __init__(self, world, truth, name):
        super().__init__(world, truth, name)
        self.sender = world.home.accounts[1]
        self.inbox, self.seen = None, 1

    def run(self):
        fate, words = self.send(self.sender, f"gone-{self.token}@peer.example", "bounced")
        self.truth.bounced[self.token] = fate
        return fate, words

    def is_over(self):
        try:
            if self.inbox is None:
                self.inbox = self.world.home.imap(self.sender)
                self.inbox.select("INBOX", readonly=True)
            self.inbox.noop()
            _, data = self.inbox.uid("FETCH", f"{self.seen}:*", "(UID BODY.PEEK[])")
        except (imaplib.IMAP4.error, *IMAP_DIED):
            self.inbox = None
            return False
        texts = [d for d in data if isinstance(d, tuple)]
        if any(self.token.encode() in d[1] for d in texts):
            self.seen = int(re.search(rb"UID (\d+)", texts[-1][0]).group(1))
            return True
        return False


class Receipt(Bounce):
    """Into a mailbox, and over when the sender is told of that, as he asked."""
    roles = ("smtp", "queue", "store")

    def run(self):
        account = self.world.home.accounts[0]
        self.truth.set(self.truth.receipts, self.token, self.sender)
        return self.send(self.sender, account, account, ["NOTIFY=SUCCESS"])


class Mailbox:
    """IMAP: something is done to a message that was put there before."""
    roles = ("imap", "store")

    def __init__(self, world, truth, name):
        self.world, self.truth, self.name = world, truth, name
        self.rng = random.Random(name)
        self.m = self.uid = self.token = None
        self.account = world.home.accounts[2]

    def open(self):
        home = self.world.home
        if self.m is None:
            m = imaplib.IMAP4_SSL(home.address, 993, ssl_context=insecure_tls(), timeout=60)
            m.login(self.account, home.passwords[self.account])
            for box in ("Work", "Kept"):
                m.create(box)
            if m.select("Work")[0] != "OK":
                raise imaplib.IMAP4.error("SELECT is refused")
            self.m = m

    def close(self):
        if self.m:
            try:
                self.m.shutdown()
            except OSError:
                pass
        self.m = None

    def append(self):
        """-> fate, words"""
        text = make_message(self.token, 3000, self.rng)
        self.truth.set(self.truth.fate, self.token, (self.account, "unknown"))
        status, data = self.m.append("Work", None, None, text)
        fate = "acked" if status == "OK" else "refused"
        self.truth.set(self.truth.fate, self.token, (self.account, fate))
        words = data[0].decode(errors="replace")
        if status == "OK":
            self.uid = words.split("APPENDUID ")[1].split("]")[0].split()[1]
            self.truth.saw_uid(self.account, "Work", int(self.uid), self.token)
        return fate, words

    def prepare(self, token):
        self.token = token
        self.open()
        fate, words = self.append()
        if fate != "acked":
            raise imaplib.IMAP4.error(words)
        self.m.noop()

    def ask(self, table, *question):
        """-> fate, words; what is acknowledged is written down in the table."""
        self.truth.set(table, self.token, "unknown")
        status, data = self.m.uid(*question)
        words = b" ".join(d for d in data if isinstance(d, bytes)).decode(errors="replace")
        if status == "OK":
            self.truth.set(table, self.token, "acked")
            return "acked", words
        with self.truth.lock:
            table.pop(self.token, None)
        return "refused", words

    def run(self):
        try:
            return self.change()
        except IMAP_DIED:
            self.close()
            return "unknown", ""

    def is_over(self):
        return True

    @staticmethod
    def is_temporary(words):
        return re.search(r"\[(UNAVAILABLE|SERVERBUG|OVERQUOTA|INUSE|LIMIT)\]", words)


class Append(Mailbox):
    def prepare(self, token):
        self.token = token
        self.open()

    def change(self):
        return self.append()


class Store(Mailbox):
    def change(self):
        return self.ask(self.truth.flagged, "STORE", self.uid, "+FLAGS", r"(\Flagged)")


class Move(Mailbox):
    def change(self):
        return self.ask(self.truth.moved, "MOVE", self.uid, "Kept")


class Expunge(Mailbox):
    def prepare(self, token):
        super().prepare(token)
        if self.m.uid("STORE", self.uid, "+FLAGS.SILENT", r"(\Deleted)")[0] != "OK":
            raise imaplib.IMAP4.error("STORE is refused")

    def change(self):
        return self.ask(self.truth.expunged, "EXPUNGE", self.uid)


class Administer:
    """The API: an alias is made, by the command line."""
    roles = ("web", "store")

    def __init__(self, world, truth, name):
        self.world, self.truth, self.token = world, truth, None

    def prepare(self, token):
        self.token = token
        self.world.home.run("alias", "list")

    def close(self):
        pass

    def run(self):
        done = self.world.home.run("alias", "add", f"{self.token}@home.example",
                                   self.world.home.accounts[0], check=False)
        # 1: it was told no; 3: nobody answered.
        fate = {0: "acked", 1: "refused"}.get(done.returncode, "unknown")
        self.truth.aliases[self.token] = fate
        return fate, done.stderr.strip()

    def is_over(self):
        return True

    @staticmethod
    def is_temporary(words):
        return any(w in words for w in ("ry again", "storage", "damaged"))


OPERATIONS = {c.__name__.lower(): c
              for c in (Accept, Deliver, Large, Relay, Bounce, Receipt, Append, Store, Move, Expunge,
                        Administer)}
