"""A Dovecot of its own below one folder: IMAP over plain TCP and TLS, Maildir or mdbox."""
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

from process import Process, wait_for_port

ADDRESS = "127.0.0.30"


class Dovecot:
    def __init__(self, folder, layout="mdbox", address=ADDRESS, users=None):
        self.folder = pathlib.Path(folder)
        self.layout, self.address = layout, address
        self.passwords = users or {"ann@home.example": "secret-of-ann"}
        self.process = self.run_dir = None

    def configure(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        mailer = pwd.getpwnam("nobody")
        mail = self.folder / "mail"
        mail.mkdir(exist_ok=True)
        os.chown(mail, mailer.pw_uid, mailer.pw_gid)
        cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                        "/CN=imap.peer.example", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        (self.folder / "users").write_text("".join(
            f"{u}:{{PLAIN}}{p}:{mailer.pw_uid}:{mailer.pw_gid}::{mail}/{u}\n"
            for u, p in self.passwords.items()))
        (self.folder / "dovecot.conf").write_text(f"""base_dir = {self.run_dir}
state_dir = {self.folder}/state
log_path = {self.folder}/dovecot.log
listen = {self.address}
protocols = imap pop3
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
mail_location = {self.layout}:~/{self.layout}
first_valid_uid = 1
first_valid_gid = 1
default_internal_user = dovecot
default_login_user = dovenull
mail_max_userip_connections = 5000
service imap-login {{
  client_limit = 5000
  process_limit = 2000
}}
service imap {{
  process_limit = 5000
}}
passdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
userdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
""")

    def start(self):
        # Of sockets, whose names may not be long: the checkout may lie deep.
        self.run_dir = pathlib.Path(tempfile.mkdtemp(prefix="mailstead-dovecot-", dir="/tmp"))
        self.run_dir.chmod(0o755)
        self.configure()
        self.process = Process(["dovecot", "-F", "-c", self.folder / "dovecot.conf"],
                               self.folder / "master.log", logs=[self.folder / "dovecot.log"])
        wait_for_port(self.address, 143, process=self.process)

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None
            shutil.rmtree(self.run_dir)
