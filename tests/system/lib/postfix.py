"""A Postfix of its own below one folder: `mx.peer.example`, mail into Maildirs."""
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess

import check
from process import Process, wait_for_port

ADDRESS = "127.0.0.20"


class Postfix:
    def __init__(self, folder, domain="peer.example", hostname="mx.peer.example",
                 address=ADDRESS, settings=None, master=""):
        self.folder = pathlib.Path(folder)
        self.domain, self.hostname, self.address = domain, hostname, address
        self.settings = settings or {}
        self.master = master  # more lines of master.cf
        self.process = None

    def configure(self):
        etc, spool, data = (self.folder / n for n in ("etc", "spool", "data"))
        for d in (etc, spool, data, self.folder / "mail"):
            d.mkdir(parents=True, exist_ok=True)
        user = pwd.getpwnam("postfix")
        os.chown(data, user.pw_uid, user.pw_gid)
        mailer = pwd.getpwnam("nobody")
        os.chown(self.folder / "mail", mailer.pw_uid, mailer.pw_gid)
        cert, key = etc / "cert.pem", etc / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                        f"/CN={self.hostname}", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        shutil.copy("/etc/postfix/master.cf" if os.path.exists("/etc/postfix/master.cf")
                    else "/usr/share/postfix/master.cf.dist", etc / "master.cf")
        text = (etc / "master.cf").read_text()
        # No chroot: the test folder holds none of the files that one would need.
        text = re.sub(r"(?m)^(\S+\s+(?:inet|unix|fifo|pass)\s+\S+\s+\S+\s+)y(\s)", r"\1n\2", text)
        (etc / "master.cf").write_text(text + self.master)
        conf = {
            "compatibility_level": "3.6",
            "queue_directory": spool, "data_directory": data,
            "command_directory": "/usr/sbin",
            "daemon_directory": "/usr/lib/postfix/sbin",
            "myhostname": self.hostname, "mydomain": self.domain, "myorigin": self.domain,
            "mydestination": "", "virtual_mailbox_domains": self.domain,
            "virtual_mailbox_base": self.folder / "mail",
            "virtual_mailbox_maps": "static:inbox/",
            "virtual_uid_maps": f"static:{mailer.pw_uid}",
            "virtual_gid_maps": f"static:{mailer.pw_gid}",
            "virtual_minimum_uid": "1",
            "inet_interfaces": self.address, "inet_protocols": "ipv4",
            "smtp_bind_address": self.address,
            "mynetworks": "127.0.0.0/8", "relayhost": "",
            "alias_maps": "", "alias_database": "", "local_recipient_maps": "",
            "maillog_file": self.folder / "postfix.log",
            "maillog_file_prefixes": self.folder,
            "smtpd_tls_cert_file": cert, "smtpd_tls_key_file": key,
            "smtpd_tls_security_level": "may", "smtp_tls_security_level": "encrypt",
            "smtpd_tls_received_header": "yes", "smtpd_tls_loglevel": "1", "smtp_tls_loglevel": "1",
            "smtputf8_enable": "yes",
            "minimal_backoff_time": "5s", "maximal_backoff_time": "10s",
            "queue_run_delay": "5s", "smtp_connect_timeout": "5s",
            "bounce_queue_lifetime": "1h", "disable_dns_lookups": "no",
        }
        conf.update(self.settings)
        (etc / "main.cf").write_text("".join(f"{k} = {v}\n" for k, v in conf.items()))

    def start(self):
        self.configure()
        self.process = Process(["postfix", "-c", self.folder / "etc", "start-fg"],
                               self.folder / "master.log", logs=[self.folder / "postfix.log"])
        wait_for_port(self.address, 25, 180, self.process)
        # Its port is open before there is somebody who greets.
        with socket.create_connection((self.address, 25), 180) as s:
            s.recv(1000)

    def stop(self):
        """All of it: a smtpd with a client would serve on after its master."""
        if self.process:
            if self.process.is_running():
                os.killpg(self.process.child.pid, signal.SIGTERM)
            self.process.stop()
            self.process = None
            for pid in self.left_over():
                os.kill(pid, signal.SIGKILL)

    def left_over(self):
        """Its processes without a master: they work in its queue directory."""
        found = []
        for link in pathlib.Path("/proc").glob("[0-9]*/cwd"):
            try:
                if os.readlink(link) == str(self.folder / "spool"):
                    found.append(int(link.parent.name))
            except OSError:
                pass
        return found

    def messages(self):
        """The bytes of every message that arrived."""
        box = self.folder / "mail" / "inbox"
        return [p.read_bytes() for d in ("new", "cur") for p in sorted(box.glob(f"{d}/*"))]

    def until_idle(self):
        """Nothing that it took is still on its way to a Maildir."""
        queues = [self.folder / "spool" / q for q in ("maildrop", "incoming", "active", "deferred")]
        check.until(lambda: not [f for q in queues for f in q.rglob("*") if f.is_file()],
                    "Postfix has nothing to do")

    def find(self, text):
        """The messages that hold these bytes."""
        return [m for m in self.messages() if text.encode() in m]

    def log(self):
        path = self.folder / "postfix.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def send(self, sender, rcpt, message):
        """Through Postfix's own submission: sendmail(1)."""
        subprocess.run(["sendmail", "-C", self.folder / "etc", "-f", sender, rcpt],
                       input=message.encode(), check=True,
                       env=dict(os.environ, MAIL_CONFIG=str(self.folder / "etc")))
