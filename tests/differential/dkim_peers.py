#!/usr/bin/python3
"""DKIM and ARC beside OpenDKIM and dkimpy: dkim_peers.py [--messages N] [--seed N] [--tool PATH]

Generated messages are signed by dkimpy and by us, changed on the way (or not), and judged by
all three: DKIM by us, dkimpy and OpenDKIM, ARC chains by us and dkimpy. What differs must
have a row in EXPLAINED. The last line is "N passed, N failed"."""
import argparse
import base64
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter

import dkim

import dkim_odd

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOMAIN = "sign.example"
NOW = int(time.time())



def has_odd_space(m):
    """A signed field may be one whose colon is not followed by exactly one space."""
    return re.search(rb"(?m)^[!-9;-~]+:(?! [^ \t])", split(m)[0]) is not None


def fields(m, name):
    return re.findall(rb"(?im)^" + name + rb"[ \t]*:", split(m)[0])


# Differences that are meant: who differs, when (how it was signed, the message, our words), why.
EXPLAINED = [
    ("opendkim", lambda label, m, we: " simple/" in label and has_odd_space(m),
     "the milter interface takes the space behind a field's colon off, so that 'simple' sees "
     "another field than was sent"),
    ("dkimpy", lambda label, m, we: len(fields(m, b"From")) > 1,
     "it refuses a message with two From fields; here the signature is judged, and DMARC refuses it"),
    ("dkimpy", lambda label, m, we: re.search(rb"(?m)^[!-9;-~]+[ \t]+:", split(m)[0]),
     "it refuses a field with a space before its colon, which RFC 6376 3.4.2 speaks of"),
    ("*", lambda label, m, we: "a part of the text only" in we,
     "they pass what is signed in part (l=); the reader cannot tell which part"),
    ("opendkim", lambda label, m, we: not m.endswith(b"\n") and not label.endswith("/simple"),
     "it gives a relaxed body no last CRLF (its FixCRLF); RFC 6376 3.4.4 does"),
    ("*", lambda label, m, we: m.endswith((b" ", b"\t")) and " simple/simple" not in label and
     " relaxed/simple" not in label,
     "spaces at the end of a last line without CRLF are spaces at a line's end (RFC 6376 3.4.4)"),
    # What dkim_odd.py makes.
    ("*", lambda label, m, we: re.search(rb"(?i)\bh=[^;]*dkim-signature", split(m)[0]),
     "h= that names DKIM-Signature does not mean the field that has it, which is signed anyway "
     "(RFC 6376 3.7); they take it for the first one"),
    ("dkimpy", lambda label, m, we: "(From) is not signed" in we,
     "RFC 6376 5.4: From must be signed; it does not look"),
    ("dkimpy", lambda label, m, we: "does not allow this way of signing" in we,
     "RFC 6376 3.6.1: h= of a key names the hashes that it is for; it does not look"),
    ("dkimpy", lambda label, m, we: "no DKIM key" in we and "vlast" in label,
     "RFC 6376 3.6.1: v= of a key comes first; it takes it anywhere"),
    ("dkimpy", lambda label, m, we: "has expired" in we or "does not end after" in we,
     "it takes signatures for ten hours longer than x= says"),
    ("opendkim", lambda label, m, we: "has expired" in we,
     "it takes signatures for five minutes longer than x= says"),
    ("opendkim", lambda label, m, we: "no DKIM key" in we and "vlast" in label,
     "RFC 6376 3.6.1: v= of a key comes first; it takes it anywhere"),
    ("opendkim", lambda label, m, we: "are of different kinds" in we,
     "RFC 6376 6.1.2: a key is for the algorithm that its k= names; it goes by a= alone"),
    ("opendkim", lambda label, m, we: "published key cannot be read" in we,
     "it passes over what is no base64 in p="),
    ("opendkim", lambda label, m, we: re.search(r"[ac]='[A-Z]", label),
     "RFC 6376 3.2: values are read with case where nothing else is said; it reads a= and c= without"),
    ("*", lambda label, m, we: re.search(r"q='dns'", label),
     "signers of the drafts before the RFC write q=dns and are still met; they refuse it"),
    ("opendkim", lambda label, m, we: "i='a@b@" in label,
     "of i= the domain counts, behind the last @; it takes the first one"),
    ("dkimpy", lambda label, m, we: "published key cannot be read" in we,
     "it passes over what is no base64 in p="),
    ("dkimpy", lambda label, m, we: "sboth" in label,
     "RFC 6376 3.6.1: s= of a key is a list; it compares the whole with one word"),
    ("dkimpy", lambda label, m, we: re.search(r"q='(dns/txt\b.+|.+dns/txt)'", label),
     "RFC 6376 3.5: q= is a list, of which what is not known is passed over; it compares the whole"),
    ("dkimpy", lambda label, m, we: "the text was cut" in we,
     "RFC 6376 3.5: l= is no more than there is; it takes more"),
    ("dkimpy", lambda label, m, we: "d='sign.example.'" in label,
     "RFC 6376 3.5: the domain of d= ends in no dot; it takes one"),
    ("*", lambda label, m, we: "i='@ sign.example'" in label,
     "RFC 6376 2.11: white space in quoted-printable is nothing; they take it for a part of the name"),
    ("opendkim", lambda label, m, we: re.search(r"\bt='0'", label),
     "it takes the time 0 for one in the future"),
    ("opendkim", lambda label, m, we: re.search(r"='9{20,}'", label),
     "it ends over a number of 20 digits without a verdict, and so judges none"),
    ("opendkim", lambda label, m, we: " over " in label and "'pass" in we,
     "RFC 6376 6.1: a signature that is not good is passed over; it gives the message up where one "
     "of several cannot be read"),
    ("opendkim", lambda label, m, we: "a_b=" in label,
     "it takes the tag a_b= for b="),
]


class Tool:
    """Our code behind a pipe (dkim_tool.c)."""

    def __init__(self, path):
        self.p = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, line, data=b""):
        self.p.stdin.write(line.encode() + b"\n" + data)
        self.p.stdin.flush()
        answer = self.p.stdout.readline()
        if not answer:
            raise RuntimeError(f"dkim-tool ended at: {line}")
        return answer.decode("utf-8", "replace").rstrip("\n")

    def blob(self, line, data):
        answer = self.ask(line, data)
        if not answer.isdigit():
            raise RuntimeError(f"{line}: {answer}")
        return self.p.stdout.read(int(answer))

    def verify(self, message):
        count = int(self.ask(f"verify {NOW} {len(message)}", message))
        return [self.p.stdout.readline().decode().strip() for _ in range(count)]

    def arc(self, message):
        return self.ask(f"arc {NOW} {len(message)}", message)


class Keys:
    """One RSA and one Ed25519 key, made now."""

    def __init__(self, folder):
        self.pem, self.dkimpy, self.records = {}, {}, {}
        for name, arguments in (("rsa", ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
                                ("ed", ["ED25519"])):
            path = folder / f"{name}.pem"
            subprocess.run(["openssl", "genpkey", "-algorithm", *arguments, "-out", path],
                           check=True, stderr=subprocess.DEVNULL)
            public, private = (subprocess.run(
                ["openssl", "pkey", "-in", path, "-outform", "DER", *more],
                check=True, stdout=subprocess.PIPE).stdout for more in (["-pubout"], []))
            self.pem[name] = path.read_bytes()
            if name == "rsa":
                self.dkimpy[name] = subprocess.run(
                    ["openssl", "rsa", "-in", path, "-traditional"], check=True,
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
                record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
            else:
                self.dkimpy[name] = base64.b64encode(private[-32:])
                record = "v=DKIM1; k=ed25519; p=" + base64.b64encode(public[-32:]).decode()
            self.records[f"{name}._domainkey.{DOMAIN}"] = record
        rsa, ed = (self.records[f"{n}._domainkey.{DOMAIN}"].split("p=")[1] for n in ("rsa", "ed"))
        self.records.update(dkim_odd.records(rsa, ed, DOMAIN))

    def find(self, name, timeout=5):
        """dkimpy's name service."""
        return self.records.get(name.decode().rstrip(".").lower(), "").encode() or None


class OpenDKIM:
    """opendkim -t: judges files, with keys from a file. One run for many messages."""

    def __init__(self, folder, keys):
        self.folder = folder / "opendkim"
        self.folder.mkdir(exist_ok=True)
        (self.folder / "keys").write_text("".join(f"{n} {r}\n" for n, r in keys.records.items()))
        (self.folder / "conf").write_text(f"Mode v\nTestPublicKeys {self.folder}/keys\nSyslog no\n")

    def ask(self, messages):
        """Its words for each; fewer where it ended before the last one."""
        for i, m in enumerate(messages):
            (self.folder / f"m{i}").write_bytes(m)
        names = ",".join(f"m{i}" for i in range(len(messages)))
        out = subprocess.run(["/usr/sbin/opendkim", "-x", "conf", "-t", names], text=True,
                             cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             errors="replace").stdout
        found = dict(re.findall(r"^opendkim: m(\d+): (.*)$", out, re.M))
        return [found.get(str(i), "") for i in range(len(messages))]

    def judge(self, messages):
        verdicts = []
        for begin in range(0, len(messages), 200):
            part = messages[begin:begin + 200]
            said = self.ask(part)
            while not all(said[len(verdicts) - begin:]):  # it died over one: on behind it
                at = next(i for i in range(len(verdicts) - begin, len(part)) if not said[i])
                verdicts += ["succeeded" in w for w in said[len(verdicts) - begin:at]] + [False]
                said[at + 1:] = self.ask(part[at + 1:])
            verdicts += ["succeeded" in w for w in said[len(verdicts) - begin:]]
        return verdicts


def words(r, count):
    alphabet = ["hello", "=20", "x", "Grüße", "a.b", "--", "From", "https://a.example/?q=1&b",
                "(comment)", "\"quoted\"", "1234567890" * 5, ";", "b=AAAA"]
    return [r.choice(alphabet) for _ in range(count)]


def space(r):
    return r.choice([" "] * 8 + ["  ", "\t", " \t ", "   "])


def value(r):
    text = ""
    for w in words(r, r.randint(1, 9)):
        text += (r.choice(["\r\n "] + ["\r\n\t"] + [space(r)] * 6) if text else "") + w
    return text + r.choice([""] * 5 + [" ", "\t"])


def header(r):
    fields = [("From", f"Ann <ann@{DOMAIN}>"), ("To", "bob@home.example"),
              ("Date", "Mon, 23 Nov 2026 12:00:00 +0000"), ("Subject", value(r)),
              ("Message-ID", f"<{r.randrange(10**9)}@{DOMAIN}>")]
    for _ in range(r.randint(0, 6)):
        name = r.choice(["Received", "X-Test", "X-test", "Comments", "MIME-Version", "Cc",
                         "Content-Type", "References", "X-Empty", "List-Id"])
        fields.insert(r.randint(0, len(fields)), (name, "" if name == "X-Empty" else value(r)))
    if r.random() < 0.2:
        fields.insert(r.randint(0, len(fields)), ("Subject", value(r)))
    return "".join(f"{n}:{r.choice([' '] * 6 + ['', '  ', chr(9)])}{v}\r\n" for n, v in fields)


def body(r):
    text = ""
    for _ in range(r.choice([0, 1, 2, 5, 20])):
        kind = r.random()
        if kind < 0.2:
            line = r.choice(["", "", " ", "\t ", "."])
        else:
            line = r.choice(["", "", " ", "\t"]) + "".join(
                w + space(r) for w in words(r, r.randint(1, 8)))
            if r.random() < 0.7:
                line = line.rstrip()
        text += line + "\r\n"
    return text + r.choice([""] * 4 + ["\r\n", "\r\n\r\n", " \r\n", "\r\n \r\n\r\n", "end", "end "])


def message(r):
    return (header(r) + "\r\n" + body(r)).encode()


# ---- changes on the way: name -> function of (random, header, body) ----

def split(m):
    at = m.find(b"\r\n\r\n") + 2
    return m[:at], m[at + 2:]


def field_of(h, name):
    """-> (start, end) of the first field of that name."""
    found = re.search(rb"(?im)^" + name + rb"[ \t]*:.*\r\n(?:[ \t].*\r\n)*", h)
    return found.span() if found else (0, 0)


def change_field(h, name, change):
    begin, end = field_of(h, name)
    return h[:begin] + change(h[begin:end]) + h[end:]


def flip(r, b):
    places = [i for i, c in enumerate(b) if chr(c).isalnum()]
    if not places:
        return b + b"x"
    i = r.choice(places)
    return b[:i] + bytes([b[i] ^ 1]) + b[i + 1:]


def one_line(r, b, change):
    lines = b.split(b"\r\n")
    i = r.randrange(len(lines))
    lines[i] = change(lines[i])
    return b"\r\n".join(lines)


CHANGES = {
    "none": lambda r, h, b: (h, b),
    "text: one letter": lambda r, h, b: (h, flip(r, b)),
    "text: a line more": lambda r, h, b: (h, b + b"more\r\n"),
    "text: space at a line's end": lambda r, h, b: (h, one_line(r, b, lambda s: s + b" \t")),
    "text: space doubled": lambda r, h, b: (h, b.replace(b" ", b"  ", 1)),
    "text: empty lines at the end": lambda r, h, b: (h, b + b"\r\n\r\n"),
    "text: no empty lines at the end": lambda r, h, b: (h, re.sub(rb"(\r\n)+\Z", b"\r\n", b)),
    "text: no last line end": lambda r, h, b: (h, b[:-2] if b.endswith(b"\r\n") else b),
    "text: none": lambda r, h, b: (h, b""),
    "header: Subject changed": lambda r, h, b: (
        change_field(h, rb"Subject", lambda f: f.replace(b":", b": Re ", 1)), b),
    "header: To refolded": lambda r, h, b: (
        change_field(h, rb"To", lambda f: f.replace(b":", b":\r\n\t", 1)), b),
    "header: name in capitals": lambda r, h, b: (
        change_field(h, rb"Message-ID", lambda f: f.replace(b"essage", b"ESSAGE", 1)), b),
    "header: space before the colon": lambda r, h, b: (
        change_field(h, rb"Date", lambda f: f.replace(b":", b" :", 1)), b),
    "header: Received on top": lambda r, h, b: (b"Received: from a by b\r\n" + h, b),
    "header: From on top": lambda r, h, b: (b"From: eve@e.example\r\n" + h, b),
    "header: From at the end": lambda r, h, b: (h + b"From: eve@e.example\r\n", b),
    "header: Subject at the end": lambda r, h, b: (h + b"Subject: other\r\n", b),
    "header: Date gone": lambda r, h, b: (change_field(h, rb"Date", lambda f: b""), b),
    "header: Cc added": lambda r, h, b: (h + b"Cc: all@e.example\r\n", b),
    "header: signature at the end": lambda r, h, b: (
        h[slice(*field_of(h, rb"DKIM-Signature"))].join(
            [change_field(h, rb"DKIM-Signature", lambda f: b""), b""]), b),
    "signature: b= changed": lambda r, h, b: (
        change_field(h, rb"DKIM-Signature", lambda f: re.sub(
            rb"(\bb=\s*\w{3})(\w)", lambda m: m[1] + (b"A" if m[2] != b"A" else b"B"), f, count=1)), b),
    "signature: spaces in b=": lambda r, h, b: (
        change_field(h, rb"DKIM-Signature", lambda f: re.sub(rb"(\bb=\s*\w{3})", rb"\1\r\n\t ", f,
                                                             count=1)), b),
    "signature: a tag more": lambda r, h, b: (
        change_field(h, rb"DKIM-Signature", lambda f: f.replace(b"v=1;", b"v=1; y=2;", 1)), b),
    "signature: spaces around =": lambda r, h, b: (
        change_field(h, rb"DKIM-Signature", lambda f: f.replace(b"s=", b"s = ", 1)), b),
    "signature: a tag twice": lambda r, h, b: (
        change_field(h, rb"DKIM-Signature", lambda f: f.replace(b"v=1;", b"v=1; v=1;", 1)), b),
    "signature: other domain": lambda r, h, b: (
        change_field(h, rb"DKIM-Signature", lambda f: f.replace(b"d=sign", b"d=sigm", 1)), b),
    "signature: other key": lambda r, h, b: (
        change_field(h, rb"DKIM-Signature", lambda f: re.sub(rb"s=\w+", b"s=none", f, count=1)), b),
}


# ---- signing ----

def sign_dkimpy(r, m, keys):
    name = r.choice(["rsa", "rsa", "ed"])
    canon = (r.choice([b"simple", b"relaxed"]), r.choice([b"simple", b"relaxed"]))
    include = [b"from", b"to", b"subject", b"date", b"message-id"]
    if r.random() < 0.5:
        include += r.sample([b"cc", b"x-test", b"content-type", b"references", b"x-none",
                             b"mime-version", b"x-empty"], r.randint(1, 6))
    if r.random() < 0.4:
        include += [b"from", b"subject", b"cc"]
    has_length = r.random() < 0.15
    d = dkim.DKIM(m, minkey=1024, signature_algorithm=(
        b"rsa-sha256" if name == "rsa" else b"ed25519-sha256"))
    field = d.sign(name.encode(), DOMAIN.encode(), keys.dkimpy[name], canonicalize=canon,
                   include_headers=include, length=has_length)
    label = f"{name} {canon[0].decode()}/{canon[1].decode()}{' l=' if has_length else ''}"
    return field + m, label


def sign_ours(r, m, tool, keys):
    name = r.choice(["rsa", "ed"])
    tool.ask(f"pem {len(keys.pem[name])}", keys.pem[name])
    field = tool.blob(f"sign {NOW} {DOMAIN} {name} {len(m)}", m)
    return field + m, f"{name} ours"


def judge_dkimpy(m, keys):
    for i in range(len(fields(m, b"DKIM-Signature"))):
        try:
            if dkim.DKIM(m, minkey=1024).verify(idx=i, dnsfunc=keys.find):
                return True
        except Exception:  # it raises many kinds for what is only a bad signature
            pass
    return False


def judge_arc_dkimpy(m, keys):
    try:
        return dkim.arc_verify(m, dnsfunc=keys.find)[0] == dkim.CV_Pass
    except Exception:  # it runs into its own errors where fields of a set are missing
        return False


class Tally:
    def __init__(self):
        self.passed, self.failed, self.why = 0, 0, Counter()

    def compare(self, change, label, verdicts, m):
        """verdicts: who -> pass or not; ours first, with its words."""
        ours = verdicts.pop("we")
        for who, theirs in verdicts.items():
            why = next((w for w_who, when, w in EXPLAINED
                        if w_who in ("*", who) and when(label, m, str(ours[1]))), None)
            if ours[0] == theirs:
                self.passed += 1
            elif why:
                self.passed += 1
                self.why[who, why] += 1
            else:
                self.failed += 1
                self.tell(f"{change}; signed {label}: we say {ours[1]}, {who} "
                          f"{'passes' if theirs else 'does not pass'}", m)

    def tell(self, text, m):
        if self.failed > 20:
            return
        path = ROOT / "build" / "differential" / f"dkim-{self.failed}.eml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(m)
        print(f"DIFFERS: {text} ({path})")


def run_dkim(r, count, tool, keys, opendkim, tally):
    cases = []
    names = list(CHANGES)
    for i in range(count):
        m, label = (sign_dkimpy(r, message(r), keys) if i % 2 else
                    sign_ours(r, message(r), tool, keys))
        change = names[i // 2 % len(names)]
        cases.append((change, label, b"\r\n".join(CHANGES[change](r, *split(m)))))
    third = opendkim.judge([m for _, _, m in cases])
    passes = 0
    for (change, label, m), odk in zip(cases, third):
        words_of = tool.verify(m)
        is_pass = any(v.startswith("pass") for v in words_of)
        passes += is_pass
        tally.compare(change, label, {"we": (is_pass, words_of), "dkimpy": judge_dkimpy(m, keys),
                                      "opendkim": odk}, m)
        if change == "none" and not is_pass and m.endswith(b"\n"):
            tally.failed += 1
            tally.tell(f"unchanged, signed {label}: {words_of}", m)
    print(f"dkim: {count} messages, {passes} of them pass")


def whole(m):
    """What a last line without CRLF is, is told above."""
    return m if m.endswith(b"\r\n") else m + b"\r\n"


def run_odd(r, count, tool, keys, opendkim, tally):
    cases = []
    for i in range(count):
        m, label = dkim_odd.sign(r, whole(message(r)), keys, DOMAIN, NOW)
        if i % 8 == 0:  # a second signature, of which one may hold
            m, other = dkim_odd.sign(r, m, keys, DOMAIN, NOW)
            label = f"{other} over {label}"
        cases.append((m, label))
    third = opendkim.judge([m for m, _ in cases])
    passes = 0
    for (m, label), odk in zip(cases, third):
        words_of = tool.verify(m)
        is_pass = any(v.startswith("pass") for v in words_of)
        passes += is_pass
        tally.compare("odd", label, {"we": (is_pass, words_of), "dkimpy": judge_dkimpy(m, keys),
                                     "opendkim": odk}, m)
    print(f"odd: {count} messages, {passes} of them pass")


ARC_CHANGES = {
    "none": lambda r, h, b: (h, b),
    "text": lambda r, h, b: (h, b + b"more\r\n"),
    "Subject": CHANGES["header: Subject changed"],
    "Received on top": CHANGES["header: Received on top"],
    "results": lambda r, h, b: (
        change_field(h, rb"ARC-Authentication-Results", lambda f: f.replace(b"spf=", b"xpf=", 1)), b),
    "a seal gone": lambda r, h, b: (change_field(h, rb"ARC-Seal", lambda f: b""), b),
    "a signature gone": lambda r, h, b: (
        change_field(h, rb"ARC-Message-Signature", lambda f: b""), b),
    "a set twice": lambda r, h, b: (h[slice(*field_of(h, rb"ARC-Seal"))] + h, b),
    "cv changed": lambda r, h, b: (h.replace(b"cv=none", b"cv=pass", 1), b),
    "refolded": lambda r, h, b: (
        change_field(h, rb"ARC-Seal", lambda f: f.replace(b"; ", b";\r\n\t", 1)), b),
}


def seal(r, m, tool, keys, by_us):
    results = f"Authentication-Results: mx.{DOMAIN}; spf=pass smtp.mailfrom=ann@{DOMAIN};\r\n dkim=pass\r\n"
    if "pass" == tool.arc(m).split()[0]:
        results = results.replace("spf=", "arc=pass; spf=")
    m = results.encode() + change_field(m, rb"Authentication-Results", lambda f: b"")
    if by_us:
        tool.ask(f"pem {len(keys.pem['rsa'])}", keys.pem["rsa"])
        return tool.blob(f"seal {NOW} {DOMAIN} rsa mx.{DOMAIN} - {len(m)}", m) + m
    fields = dkim.arc_sign(m, b"rsa", DOMAIN.encode(), keys.dkimpy["rsa"], f"mx.{DOMAIN}".encode(),
                           include_headers=[b"from", b"to", b"subject", b"date"], timestamp=NOW)
    return b"".join(fields) + m


def run_arc(r, count, tool, keys, tally):
    names, passes = list(ARC_CHANGES), 0
    for i in range(count):
        m = message(r).rstrip() + b"\r\n"  # what a last line without CRLF is, is DKIM's matter
        for _ in range(r.randint(1, 3)):
            m = seal(r, m, tool, keys, r.random() < 0.5)
        change = names[i % len(names)]
        m = b"\r\n".join(ARC_CHANGES[change](r, *split(m)))
        verdict = tool.arc(m)
        theirs = judge_arc_dkimpy(m, keys)
        passes += verdict.startswith("pass")
        tally.compare(f"arc: {change}", "arc",
                      {"we": (verdict.startswith("pass"), verdict), "dkimpy": theirs}, m)
    print(f"arc: {count} chains, {passes} of them pass")


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--messages", type=int, default=600)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--tool", default=str(ROOT / "build" / "dkim-tool"))
    a = ap.parse_args()
    if not shutil.which("/usr/sbin/opendkim"):
        sys.exit("opendkim is not there: packaging/install-deps.sh check")
    tally = Tally()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        keys, tool, r = Keys(folder), Tool(a.tool), random.Random(a.seed)
        for k, v in keys.records.items():
            tool.ask(f"key {k} {len(v)}", v.encode())
        run_dkim(r, a.messages, tool, keys, OpenDKIM(folder, keys), tally)
        run_odd(r, a.messages // 2, tool, keys, OpenDKIM(folder, keys), tally)
        run_arc(r, a.messages // 4, tool, keys, tally)
    for (who, why), n in sorted(tally.why.items()):
        print(f"explained, {n} times, {who}: {why}")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
