"""Raw connections: bytes out, replies in, nothing made pretty."""
import re
import socket
import ssl

from appliance import insecure_tls


class Wire:
    def __init__(self, host, port, tls=False, timeout=60, source=None):
        self.s = socket.create_connection((host, port), timeout,
                                          source_address=(source, 0) if source else None)
        if tls:
            self.s = insecure_tls().wrap_socket(self.s)
        self.rest = b""

    def send(self, data):
        """False when the other side has closed."""
        try:
            self.s.sendall(data)
            return True
        except OSError:
            return False

    def line(self, seconds=60):
        """The next line without its end, or None at the end of the connection."""
        self.s.settimeout(seconds)
        while b"\n" not in self.rest:
            try:
                data = self.s.recv(65536)
            except TimeoutError:
                raise TimeoutError(f"no line within {seconds} s, so far {self.rest!r}") from None
            except OSError:
                return None
            if not data:
                return None
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return line.rstrip(b"\r")

    def reply(self, seconds=60):
        """An SMTP reply: (code, text); code 0 at the end of the connection."""
        lines = []
        while True:
            line = self.line(seconds)
            if line is None:
                return 0, b"\n".join(lines).decode(errors="replace")
            lines.append(line)
            if re.match(rb"\d{3}( |$)", line):
                return int(line[:3]), b"\n".join(lines).decode(errors="replace")

    def ask(self, command, seconds=60):
        self.send(command + b"\r\n")
        return self.reply(seconds)

    def tagged(self, tag, seconds=60):
        """IMAP: everything up to the answer with this tag, or to the end."""
        lines = []
        while True:
            line = self.line(seconds)
            if line is None:
                return lines
            lines.append(line)
            if line.startswith(tag + b" "):
                return lines

    def starttls(self):
        self.s = insecure_tls().wrap_socket(self.s)
        self.rest = b""

    def is_closed(self, seconds=60):
        """True when the other side closes within that time."""
        self.s.settimeout(seconds)
        try:
            while self.s.recv(65536):
                pass
            return True
        except TimeoutError:
            return False
        except (OSError, ssl.SSLError):
            return True

    def close(self):
        self.s.close()


def smtp(home, port=25, tls=False, ehlo=True):
    w = Wire(home.address, port, tls)
    w.reply()
    if ehlo:
        w.ask(b"EHLO attacker.example")
    return w
