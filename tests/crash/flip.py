"""The flip story: bits of what lies on disk change, of a stopped and of a running appliance.

Nobody can promise that a changed index says the truth. What is promised: no process falls
over it, whoever asks is answered, the supervisor lives, and a message whose bytes changed is
never given out as if it were whole.
"""
import hashlib
import imaplib
import json
import pathlib
import random
import re
import shutil
import smtplib
import time

from load import IMAP_DIED, make_message

ADMIN_PATHS = ("domain list", "account list", "queue list", "alias list", "trace is:stored")
# Signal 9 is the supervisor's: who cannot hand over its last events is not waited for.
FALLEN = re.compile(r"^panic |reason=\"?signal (?!9\b)\d+|AddressSanitizer|runtime error")


def fill(home, rng):
    """Mail of all kinds, and some that waits."""
    for n in range(30):
        with home.smtp() as s:
            s.sendmail("pat@peer.example", [rng.choice(home.accounts)],
                       make_message(f"base.{n}", rng.choice((300, 3000, 40000, 300000)), rng))
    with home.smtp() as s:
        s.sendmail(home.accounts[0], [f"later-{n}@away.example" for n in range(5)],
                   make_message("base.queue", 3000, rng))
    m = home.imap(home.accounts[0])
    for box in ("Work", "Work/Deep", "Kept"):
        m.create(box)
    m.select("INBOX")
    m.copy("1:5", "Work")
    m.store("1:3", "+FLAGS", r"(\Flagged Important)")
    m.logout()


def flip(path, rng, count):
    """-> what was changed"""
    size = path.stat().st_size
    places = []
    with open(path, "r+b") as f:
        for _ in range(count):
            at = rng.randrange(size)
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ (1 << rng.randrange(8)) if rng.random() < 0.7
                           else rng.randrange(256)]))
            places.append(at)
    return f"{path.name} {places}"


def some_file(data, rng):
    """Bodies, index and log with the same odds, however large they are."""
    kind = rng.choice(("index.db", "index.db", "index.db", "index.db-wal", "blobs/*.seg",
                       "trace/*.db", "trace/*.db-wal"))
    found = [p for p in data.glob(kind) if p.stat().st_size]
    return rng.choice(sorted(found)) if found else data / "index.db"


def notice_cuts(m):
    """A connection may be closed inside a literal, whose rest cannot be had, with no word:
    the client could not tell words from it. m.is_cut says that this is what happened."""
    read = m.read
    m.is_cut = False

    def read_and_look(size):
        data = read(size)
        m.is_cut = len(data) < size
        return data
    m.read = read_and_look


class Exercise:
    """What people do, and what is wrong with the answers."""

    def __init__(self, home, rng):
        self.home, self.rng = home, rng
        self.problems, self.answers = [], 0

    def mail(self, token):
        for account in (*self.home.accounts, "later@away.example"):
            try:
                s = smtplib.SMTP(self.home.address, 25, "mx.peer.example", timeout=50)
                try:
                    s.sendmail(self.home.accounts[0] if "away" in account
                               else "pat@peer.example", [account],
                               make_message(token, 2000, self.rng))
                finally:
                    s.close()
                self.answers += 1
            except smtplib.SMTPServerDisconnected:
                self.problems.append(f"SMTP to {account}: closed without an answer")
            except (smtplib.SMTPException, OSError) as e:
                if "timed out" in str(e) or isinstance(e, ConnectionRefusedError):
                    self.problems.append(f"SMTP to {account}: {e}")

    def ask(self, m, what, question):
        try:
            status, data = question()
        except imaplib.IMAP4.abort as e:
            if not m.is_cut:
                self.problems.append(f"IMAP {what}: {e}")
            raise
        except imaplib.IMAP4.error as e:
            return "BAD", [str(e).encode()]
        self.answers += 1
        return status, data

    def read(self, account):
        home = self.home
        try:
            m = home.imap(account)
        except imaplib.IMAP4.error as e:
            if isinstance(e, imaplib.IMAP4.abort):
                self.problems.append(f"IMAP login of {account}: {e}")
            return
        except OSError as e:
            self.problems.append(f"IMAP login of {account}: {e}")
            return
        notice_cuts(m)
        try:
            self.ask(m, "LIST", lambda: m.list())
            for box in ("INBOX", "Work"):
                if self.ask(m, "SELECT", lambda box=box: m.select(box))[0] != "OK":
                    continue
                _, data = self.ask(m, "FETCH", lambda: m.uid("FETCH", "1:*", "(UID FLAGS ENVELOPE "
                                                             "BODYSTRUCTURE INTERNALDATE)"))
                _, data = self.ask(m, "FETCH", lambda: m.uid("FETCH", "1:*", "(UID BODY.PEEK[])"))
                for item in data:
                    if isinstance(item, tuple):
                        self.look_at(account, item[1])
                self.ask(m, "SEARCH", lambda: m.search(None, "TEXT", "nothing"))
                self.ask(m, "STORE", lambda: m.store("1:*", "+FLAGS", r"(\Answered)"))
                self.ask(m, "APPEND", lambda box=box: m.append(
                    box, None, None, make_message("append", 1000, self.rng)))
                self.ask(m, "COPY", lambda: m.copy("1:*", "Kept"))
                self.ask(m, "STORE", lambda: m.store("1:2", "+FLAGS", r"(\Deleted)"))
                self.ask(m, "EXPUNGE", lambda: m.expunge())
            m.logout()
        except (imaplib.IMAP4.error, *IMAP_DIED):
            pass

    def look_at(self, account, text):
        head, _, body = text.partition(b"\r\n\r\n")
        digest = re.search(rb"(?m)^X-Sha256: (\S+)", head)
        if digest and hashlib.sha256(body).hexdigest() != digest.group(1).decode():
            self.problems.append(f"{account}: a changed message is given out as whole")

    def administer(self):
        for words in ADMIN_PATHS:
            done = self.home.run(*words.split(), "--json", check=False)
            self.answers += 1
            if done.returncode == 0:
                try:
                    json.loads(done.stdout or "{}")
                except ValueError:
                    self.problems.append(f"{words}: no JSON: {done.stdout[:200]!r}")
            elif not done.stderr.strip():
                self.problems.append(f"{words}: fails without a word")


def is_serving(home, seconds):
    """All are there; or the store has said that it cannot open its files."""
    end = time.monotonic() + seconds
    processes = home.folder / "run" / "processes"
    while time.monotonic() < end:
        if processes.exists():
            lines = processes.read_text().splitlines()
            if lines and all(line.endswith(" running") for line in lines):
                return True
        if "store.open" in home.log():
            return False
        time.sleep(0.02)
    return False


def change(data, rng, pieces, most):
    return [flip(some_file(data, rng), rng, rng.choice((1, 1, 8, most)))
            for _ in range(rng.randint(1, pieces))]


def one_round(home, rng, n, is_running):
    """-> what was changed, problems"""
    data = home.folder / "data"
    home.log_file.write_text("")
    (home.folder / "run" / "processes").unlink(missing_ok=True)
    changed = [] if is_running else change(data, rng, 3, 100)
    home.start_only()
    serves = is_serving(home, 90)
    if is_running:
        changed = change(data, rng, 4, 300)
    exercise = Exercise(home, rng)
    exercise.mail(f"flip.{n}")
    # Without a store a login is answered after a minute, which nobody here waits for.
    for account in home.accounts if serves else ():
        exercise.read(account)
    exercise.administer()
    problems = exercise.problems
    if not home.process.is_running():
        problems.append("the supervisor died")
    if not serves and "store.open" not in home.log():
        problems.append("it does not serve, and does not say why")
    home.stop()
    problems += [line[:300] for line in home.log().splitlines() if FALLEN.search(line)]
    return " ".join(changed) + ("" if serves else " (does not serve)"), problems


def story(home, count, seed, keep, only):
    """-> problems, [what was changed and came to nothing good]"""
    rng = random.Random(seed)
    fill(home, rng)
    home.stop()
    base = pathlib.Path(f"{home.folder}.base")
    shutil.copytree(home.folder / "data", base)
    found, out = [], 0
    for n in [int(only)] if only else range(count):
        shutil.rmtree(home.folder / "data")
        shutil.copytree(base, home.folder / "data")
        begin = time.monotonic()
        own = random.Random(f"{seed} {n}")
        changed, problems = one_round(home, own, n, own.random() < 0.4)
        out += "does not serve" in changed
        if keep or problems:
            print(f"     {n} {time.monotonic() - begin:.1f} s {changed}", flush=True)
        for p in problems:
            print(f"       {p}", flush=True)
        found += [f"round {n}: {p}" for p in problems]
    shutil.rmtree(base)
    return found, out
