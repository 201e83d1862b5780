"""Signatures and key records that keep to the rules oddly, or do not: for dkim_peers.py.

Each signature is really made over what its tags say, so that the tag alone decides."""
import base64
import hashlib

import dkim
import nacl.signing
from dkim.canonicalization import CanonicalizationPolicy
from dkim.crypto import RSASSA_PKCS1_v1_5_sign, parse_pem_private_key

# Selector -> what stands in its record; {rsa} and {ed} are the keys.
RECORDS = {
    "plain": "p={rsa}", "v": "v=DKIM1; p={rsa}", "vlast": "p={rsa}; v=DKIM1",
    "vtwo": "v=DKIM2; p={rsa}", "vcase": "v=dkim1; p={rsa}", "vspace": " v = DKIM1 ; p = {rsa} ",
    "krsa": "v=DKIM1; k=rsa; p={rsa}", "kother": "v=DKIM1; k=dsa; p={rsa}",
    "kcross": "v=DKIM1; k=ed25519; p={rsa}", "kbare": "v=DKIM1; p={ed}",
    "hsha256": "v=DKIM1; h=sha256; p={rsa}", "hsha1": "v=DKIM1; h=sha1; p={rsa}",
    "hboth": "v=DKIM1; h=sha1 : sha256; p={rsa}", "hnew": "v=DKIM1; h=sha512:sha256; p={rsa}",
    "hnone": "v=DKIM1; h=; p={rsa}",
    "semail": "v=DKIM1; s=email; p={rsa}", "sall": "v=DKIM1; s=*; p={rsa}",
    "stlsrpt": "v=DKIM1; s=tlsrpt; p={rsa}", "sboth": "v=DKIM1; s=tlsrpt:email; p={rsa}",
    "ty": "v=DKIM1; t=y; p={rsa}", "ts": "v=DKIM1; t=s; p={rsa}", "tys": "v=DKIM1; t=y : s; p={rsa}",
    "tx": "v=DKIM1; t=x; p={rsa}", "note": "v=DKIM1; n=Call=20us; p={rsa}",
    "g": "v=DKIM1; g=; p={rsa}", "gother": "v=DKIM1; g=bob; p={rsa}",
    "revoked": "v=DKIM1; p=", "revoked2": "v=DKIM1; k=rsa; p= ;", "nop": "v=DKIM1; k=rsa",
    "spaces": "v=DKIM1; p={spaced}", "semi": "v=DKIM1; p={rsa};", "semis": "v=DKIM1;; p={rsa}",
    "unknown": "v=DKIM1; zz=1; p={rsa}; yy", "twice": "v=DKIM1; p={rsa}; p={rsa}",
    "broken": "v=DKIM1; p={rsa}!", "cut": "v=DKIM1; p={cut}", "text": "some other text",
    "ed": "v=DKIM1; k=ed25519; p={ed}", "edspace": "v=DKIM1; k = ed25519 ;p= {ed} ",
    "edshort": "v=DKIM1; k=ed25519; p=AAAA",
}


def records(rsa, ed, domain):
    """NAME -> text, for the public keys in base64."""
    values = {"rsa": rsa, "ed": ed, "spaced": " ".join(rsa[i:i + 60] for i in range(0, len(rsa), 60)),
              "cut": rsa[:len(rsa) // 2]}
    return {f"{s}._domainkey.{domain}": text.format(**values) for s, text in RECORDS.items()}


def names_of(r):
    names = ["from", "to", "subject", "date", "message-id"]
    kind = r.random()
    if kind < 0.2:
        names += r.sample(["from", "subject", "received", "received", "x-test", "comments", "x-none"],
                          r.randint(1, 7))
    elif kind < 0.3:
        names = [r.choice([n, n.upper(), n.title()]) for n in names]
    elif kind < 0.35:
        names.remove("from")
    elif kind < 0.4:
        names += ["dkim-signature"]
    r.shuffle(names)
    return names


def list_of(r, names):
    return r.choice([":", ":", ":", " : ", ":\r\n ", " :\r\n\t"]).join(names)


def odd_tags(r, tags, now, domain):
    """One or two tags other than usual."""
    changes = [
        ("l", lambda t: {"l": str(r.choice([0, 1, 10, t["length"], t["length"], t["length"] + 1,
                                            "007", "1x", "", "9" * 30]))}),
        ("x", lambda t: {"x": str(r.choice([now - 10, now + 10 ** 6, 1, "9" * 20, "soon", "", "-1"]))}),
        ("t", lambda t: {"t": str(r.choice([now, now - 10 ** 6, now + 10 ** 7, "0", "now", ""]))}),
        ("tx", lambda t: {"t": str(now), "x": str(r.choice([now - 1, now, now + 1000]))}),
        ("i", lambda t: {"i": r.choice([f"@{domain}", f"@sub.{domain}", f"a@{domain}", f"a@sub.{domain}",
                                        "@other.example", f"@x{domain}", domain, "", f"a=20b@{domain}",
                                        f"@{domain.upper()}", f"a@b@{domain}", f"@ {domain}"])}),
        ("z", lambda t: {"z": r.choice(["From:a@b|To:c@d", "From:=20x|\r\n Subject:demo=20run", "", "x|y"])}),
        ("q", lambda t: {"q": r.choice(["dns/txt", "dns/txt:x/y", "x/y", "dns", "dns/txt : dns/txt", "",
                                        "http:dns/txt"])}),
        ("v", lambda t: {"v": r.choice(["1", "2", "", "1.0", " 1"])}),
        ("a", lambda t: {"a": r.choice([t.get("a", "x"), t.get("a", "x").upper(), "rsa-sha512", "sha256", ""])}),
        ("c", lambda t: {"c": r.choice([t.get("c", "simple"), t.get("c", "simple").upper(), "relaxed/", "/relaxed", "nowsp/simple", ""])}),
        ("s", lambda t: {"s": r.choice([t.get("s", ""), t.get("s", "").upper(), "", "no such", "."])}),
        ("d", lambda t: {"d": r.choice([domain, domain.upper(), "", "example", f".{domain}", f"{domain}."])}),
        ("unknown", lambda t: {r.choice(["y", "zz", "X", "a_b"]): r.choice(["", "1", "a b", "=="])}),
        ("gone", lambda t: {r.choice(["v", "a", "d", "s", "h", "bh", "c", "q"]): None}),
    ]
    for _ in range(r.choice([1, 1, 2])):
        for name, new in r.choice(changes)[1](tags).items():
            if new is None:
                tags.pop(name, None)
            else:
                tags[name] = new




def sign(r, m, keys, domain, now):
    """-> (message with the field on top, a label that says what is odd)."""
    selector = r.choice(list(RECORDS)) if r.random() < 0.5 else r.choice(["v", "ed"])
    kind = "ed" if selector.startswith("ed") or selector in ("kbare",) else "rsa"
    c = (r.choice(["simple", "relaxed"]), r.choice(["simple", "relaxed"]))
    names = names_of(r)
    fields, text = dkim.rfc822_parse(m)
    canon = CanonicalizationPolicy.from_c_value("/".join(c).encode())
    body = canon.canonicalize_body(text)
    tags = {"v": "1", "a": "rsa-sha256" if kind == "rsa" else "ed25519-sha256", "c": "/".join(c),
            "d": domain, "s": selector, "h": list_of(r, names), "length": len(body)}
    is_odd = r.random() < 0.6
    if is_odd:
        odd_tags(r, tags, now, domain)
    del tags["length"]
    cut = int(tags["l"]) if tags.get("l", "x").isdigit() else len(body)
    tags.setdefault("bh", base64.b64encode(hashlib.sha256(body[:cut]).digest()).decode())
    if is_odd and r.random() < 0.05:
        del tags["bh"]
    order = list(tags)
    if r.random() < 0.3:
        r.shuffle(order)
    value = " " + r.choice(["; ", ";", " ; ", ";\r\n\t"]).join(f"{k}={tags[k]}" for k in order) + \
        r.choice(["; ", ";\r\n "]) + "b="
    tail = r.choice([""] * 4 + [";", " ", ";;"])
    own = (b"DKIM-Signature", (value + tail.strip()).encode() + b"\r\n")
    chosen = dkim.select_headers(canon.canonicalize_headers(fields), [n.lower().encode() for n in names])
    signed = b"".join(n + b":" + v for n, v in chosen)
    n, v = canon.canonicalize_headers([own])[0]
    signed += n + b":" + (v[:-2] if v.endswith(b"\r\n") else v)
    digest = hashlib.sha256(signed)
    if kind == "rsa":
        b = RSASSA_PKCS1_v1_5_sign(digest, parse_pem_private_key(keys.dkimpy["rsa"]))
    else:
        b = nacl.signing.SigningKey(base64.b64decode(keys.dkimpy["ed"])).sign(digest.digest()).signature
    b = base64.b64encode(b).decode()
    fold = r.choice(["", "\r\n ", " "])
    value += fold + (fold.join(b[i:i + 70] for i in range(0, len(b), 70)) if fold else b) + tail
    return b"DKIM-Signature:" + value.encode() + b"\r\n" + m, \
        f"{selector} {'/'.join(c)} " + " ".join(f"{k}={v!r}" for k, v in tags.items() if k not in "bh")
