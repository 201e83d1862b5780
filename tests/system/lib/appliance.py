"""One Mailstead below one folder, its command line, its processes, and ways to ask it."""
import imaplib
import json
import os
import pathlib
import re
import secrets
import signal
import smtplib
import ssl
import subprocess
import time

from process import Process, wait_for_port

ROOT = pathlib.Path(os.environ.get("MAILSTEAD_ROOT", "."))
BINARY = pathlib.Path(os.environ.get("MAILSTEAD_BINARY", ROOT / "build" / "mailstead"))
# The sanitizer's library, where the binary was built with it: it must be loaded first.
SANITIZER = re.findall(r"/\S*lib[at]san\S*", subprocess.run(["ldd", BINARY], text=True,
                                                         stdout=subprocess.PIPE).stdout)
SANITIZED = bool(SANITIZER)
# By how much longer anything may take there.
PATIENCE = 5 if SANITIZED else 1
# Its environment where memory is measured: a sanitizer keeps what was freed for a while,
# which would look like a leak.
FREES_SOON = {"ASAN_OPTIONS": (os.environ.get("ASAN_OPTIONS", "") +
                               ":quarantine_size_mb=4").strip(":")}

# That of packaging/systemd/mailstead.service.
UMASK = 0o027

FOLLOWERS = 6  # of what is set in the dashboard, who say so: queue, web, smtp and imap
PROCESSES = 8  # store, dns, queue, web, and as many smtp and imap as this says:
CONFIG = """hostname: {hostname}
data_dir: {folder}/data
run_dir: {folder}/run
listen:
  smtp: ["{address}:25"]
  submission: ["{address}:587"]
  submissions: ["{address}:465"]
  imap: ["{address}:143"]
  imaps: ["{address}:993"]
  pop3: ["{address}:110"]
  pop3s: ["{address}:995"]
  http: ["{address}:8080"]
  https: ["{address}:443"]
dns: {{servers: ["127.0.0.53:53"], trusted: {trusted}}}
delivery: {{port: 25, retry: "{retry}", lifetime: {lifetime}, private_targets: {private}{source}}}
plaintext_auth: {plaintext}
relay_networks: {relay}
proxies: {proxies}
processes: {{smtp: 2, imap: 2}}
log: {{level: {level}}}
{more}"""


def insecure_tls():
    """Test certificates are self-signed."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Appliance:
    def __init__(self, folder, address="127.0.0.10", hostname="mail.home.example",
                 domain="home.example", retry="2s 4s 8s", lifetime="5d", plaintext="[]",
                 relay="[]", proxies="[]", level="debug", more="", trusted="false",
                 private="true", source="", env=None, log=None,
                 binary=BINARY):
        self.folder = pathlib.Path(folder)
        self.address, self.hostname, self.domain = address, hostname, domain
        self.values = dict(retry=retry, lifetime=lifetime, plaintext=plaintext, relay=relay,
                           proxies=proxies, level=level, more=more, trusted=trusted,
                           private=private, source=source and f', source: ["{source}"]')
        self.env = dict(os.environ, **(env or {}))
        self.binary = pathlib.Path(binary)
        self.log_file = pathlib.Path(log or self.folder / "serve.log")
        self.config = self.folder / "mailstead.yaml"
        self.passwords, self.settings = {}, {}
        self.process = None

    # the service

    def write_config(self, **changes):
        self.values.update(changes)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(CONFIG.format(folder=self.folder, address=self.address,
                                             hostname=self.hostname, **self.values))

    def reload(self, **changes):
        """The file with these changes holds when this returns."""
        self.write_config(**changes)
        self.reread()

    def reread(self):
        """The file as it is now holds, in every process, when this returns."""
        before, count = len(self.log()), sum(map(len, self.workers().values()))
        self.process.child.send_signal(signal.SIGHUP)
        # A process whose sandbox does not fit any more starts anew.
        self.wait_for(r"config\.reload ?", before)
        self.wait_for(r"role\.(?:reload|start) ", before, count)

    def wait_for(self, words, since, count=1, seconds=90):
        """Until the log has so many of these events."""
        end = time.monotonic() + seconds
        while len(re.findall(rf"(?m)^\w+ {words}", self.log()[since:])) < count:
            if time.monotonic() > end or not self.process.is_running():
                raise RuntimeError(f"not {count} of {words}: {self.process.state()}")
            time.sleep(0.02)

    def start(self):
        """Returns when each of its processes serves."""
        before = len(self.log())
        self.start_only()
        self.wait_until_ready()
        if self.values["level"] in ("debug", "info"):  # the others do not tell of it
            self.wait_for(r"role\.start ", before, PROCESSES)

    def start_only(self):
        self.write_config()
        self.process = Process([self.binary, "serve", "--config", self.config],
                               self.log_file, env=self.env, umask=UMASK)

    def wait_until_ready(self, seconds=60):
        for port in (25, 143, 8080):
            wait_for_port(self.address, port, seconds, self.process)
        end = time.monotonic() + seconds
        while self.run("domain", "list", check=False).returncode != 0:
            if time.monotonic() > end:
                raise RuntimeError(f"the appliance does not answer: {self.process.state()}")
            time.sleep(0.05)

    def stop(self, how=signal.SIGTERM):
        status = self.process.stop(how) if self.process else None
        self.process = None
        return status

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def workers(self):
        """{role: [pid, …]} of the running processes below the supervisor."""
        found = {}
        if not self.process:
            return found
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
                args = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            parent = int(stat.rsplit(")", 1)[1].split()[1])
            if parent == self.process.child.pid and b"role" in args:
                role = args[args.index(b"role") + 1].decode()
                found.setdefault(role, []).append(int(pid))
        return found

    # the command line

    def run(self, *args, stdin=None, check=True):
        done = subprocess.run([str(self.binary), *args, "--config", str(self.config)],
                              input=stdin, capture_output=True, text=True, env=self.env,
                              timeout=120)
        if check and done.returncode != 0:
            raise RuntimeError(f"mailstead {' '.join(args)}: {done.returncode}\n"
                               f"{done.stdout}{done.stderr}")
        return done

    def json(self, *args, stdin=None):
        return json.loads(self.run(*args, "--json", stdin=stdin).stdout)

    def add_domain(self, domain=None):
        self.run("domain", "add", domain or self.domain)

    def add_account(self, address):
        password = secrets.token_hex(12)
        self.run("account", "add", address, "--password-stdin", stdin=password + "\n")
        self.passwords[address] = password
        return password

    def add_admin(self, name="owner"):
        password = secrets.token_hex(12)
        self.run("admin", "add", name, "--password-stdin", stdin=password + "\n")
        self.passwords[name] = password
        return password

    def set(self, key, value=None):
        """A setting, None: none, that holds in every process when this returns. Only with all
        that is logged."""
        before, known = len(self.log()), self.settings.get(key)
        self.run("settings", *(("reset", key) if value is None else ("set", key, value)))
        self.settings[key] = value
        if value != known:  # else nothing is to be told to anybody
            self.wait_for(rf"config\.setting .*key={re.escape(key)}$", before, FOLLOWERS)

    # mail programs

    def imap(self, user, tls=True):
        if tls:
            m = imaplib.IMAP4_SSL(self.address, 993, ssl_context=insecure_tls(), timeout=60)
        else:
            m = imaplib.IMAP4(self.address, 143, timeout=60)
        m.login(user, self.passwords[user])
        return m

    def inbox(self, user, mailbox="INBOX"):
        """[(uid, bytes)] of a mailbox."""
        m = self.imap(user)
        m.select(f'"{mailbox}"', readonly=True)
        _, data = m.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
        m.logout()
        rows = []
        for item in data:
            if isinstance(item, tuple):
                uid = int(item[0].split(b"UID ")[1].split()[0])
                rows.append((uid, item[1]))
        return rows

    def find(self, user, text, mailbox="INBOX"):
        return [m for _, m in self.inbox(user, mailbox) if text.encode() in m]

    def smtp(self):
        return smtplib.SMTP(self.address, 25, "client.peer.example", timeout=60)

    def submission(self, user):
        s = smtplib.SMTP(self.address, 587, "laptop.home.example", timeout=60)
        s.starttls(context=insecure_tls())
        s.login(user, self.passwords[user])
        return s
