"""All the programs of one test file, started on demand, ended at its end."""
import os
import pathlib
import shutil

from appliance import Appliance
from names import Names
from postfix import Postfix
from process import Process


def own_folder(name):
    """What is in it is deleted, so it must be named as a whole, and hold nobody's work."""
    folder = pathlib.Path(name)
    if not folder.is_absolute() or len(folder.parts) < 3 or (folder / ".git").exists() or (folder / "Makefile").exists():
        raise SystemExit(f"SYSTEM_OUT={name!r} is no folder of its own for what a test leaves")
    return folder


class World:
    def __init__(self):
        self.out = own_folder(os.environ.get("SYSTEM_OUT", ""))
        self.running = []

    def __enter__(self):
        for child in self.out.iterdir():
            if child.name != "log":
                shutil.rmtree(child) if child.is_dir() else child.unlink()
        return self

    def __exit__(self, *exc):
        """All are ended, even when one of them cannot be; that is told then."""
        errors = []
        while self.running:
            try:
                self.running.pop().stop()
            except Exception as error:
                errors.append(error)
        if errors and exc[0] is None:
            raise errors[0]

    def states(self):
        """What each program does and said last, one a line."""
        parts = [part for thing in self.running for part in vars(thing).values()]
        return [p.state() for p in parts if isinstance(p, Process)]

    def start(self, thing):
        self.running.append(thing)
        thing.start()
        return thing

    def names(self, **options):
        self.dns = self.start(Names(self.out / "names", **options))
        return self.dns

    def postfix(self, **options):
        self.peer = self.start(Postfix(self.out / "postfix", **options))
        return self.peer

    def appliance(self, **options):
        """An appliance with its domain and the accounts ann and bob."""
        return self.appliance_at(self.out / "home", **options)

    def appliance_at(self, folder, **options):
        self.home = self.start(Appliance(folder, **options))
        self.home.add_domain()
        for name in ("ann", "bob"):
            self.home.add_account(f"{name}@{self.home.domain}")
        return self.home


def message(sender, rcpt, subject, body="Hello\n", more=""):
    """Message text with what every message should have."""
    return (f"From: <{sender}>\nTo: <{rcpt}>\nSubject: {subject}\n"
            f"Date: Mon, 23 Nov 2026 12:00:00 +0000\n"
            f"Message-ID: <{subject.replace(' ', '-')}@test.invalid>\n{more}\n{body}")
