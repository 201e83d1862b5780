"""Reads everything back over IMAP and holds it against what the clients were told."""
import hashlib
import imaplib
import re
from collections import Counter

BOXES = ("INBOX", "Work", "Kept")


def read_account(home, truth, account):
    """[(mailbox, uid, flags, token, is_sound)] of all mailboxes."""
    rows = []
    m = home.imap(account)
    for box in BOXES:
        status, _ = m.select(box, readonly=True)
        if status != "OK":
            continue
        truth.saw_validity(account, box, m.response("UIDVALIDITY")[1][0])
        _, data = m.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
        for item in data:
            if not isinstance(item, tuple):
                continue
            uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
            head, _, body = item[1].partition(b"\r\n\r\n")
            token = re.search(rb"(?m)^X-Token: (\S+)", head)
            digest = re.search(rb"(?m)^X-Sha256: (\S+)", head)
            if not token:
                continue
            token = token.group(1).decode()
            sound = hashlib.sha256(body).hexdigest() == digest.group(1).decode()
            truth.saw_uid(account, box, uid, token)
            rows.append((box, uid, item[0], token, sound))
    m.logout()
    return rows


def judge_account(truth, account, rows, found):
    """Counts what is wrong in one account into `found`."""
    seen = Counter(r[3] for r in rows)
    where = {r[3]: r for r in rows}
    for box, uid, _, token, sound in rows:
        if not sound:
            found["corrupt"].append(f"{account} {box} {uid} {token}")
    for token, n in seen.items():
        if n > 1:
            kind = "duplicate_move" if token in truth.moved else "duplicate_local"
            found[kind].append(f"{account} {token} x{n}")
    for token, (owner, fate) in truth.fate.items():
        if owner != account:
            continue
        is_there = seen[token] > 0
        gone = truth.expunged.get(token)
        if fate == "refused" and is_there:
            found["ghost"].append(f"{account} {token}")
        elif gone == "acked" and is_there:
            found["zombie"].append(f"{account} {token}")
        elif fate == "acked" and gone is None and not is_there:
            found["lost"].append(f"{account} {token}")
        if not is_there:
            continue
        box, _, flags, _, _ = where[token]
        if truth.flagged.get(token) == "acked" and b"\\Flagged" not in flags:
            found["flag_lost"].append(f"{account} {token}")
        if truth.moved.get(token) == "acked" and box != "Kept":
            found["move_lost"].append(f"{account} {token} in {box}")


def judge_relay(truth, world, kills, found):
    arrived = Counter()
    for text in world.peer.messages():
        token = re.search(rb"(?m)^X-Token: (\S+)", text)
        if token:
            arrived[token.group(1).decode()] += 1
    doubled = 0
    for token, (owner, fate) in truth.fate.items():
        if owner is not None:
            continue
        if fate == "acked" and not arrived[token]:
            found["lost"].append(f"relayed {token}")
        if fate == "refused" and arrived[token]:
            found["ghost"].append(f"relayed {token}")
        doubled += max(0, arrived[token] - 1)
    if doubled > kills:
        found["duplicate_relay"].append(f"{doubled} doubled by {kills} faults")
    return doubled


def judge_receipts(home, truth, copies, found):
    """Who asked is told once of what is there, and never of what is not. The header of the mail
    is missing where it could not be read, but never the name that its sender gave it."""
    told = Counter()
    for account in set(truth.receipts.values()):
        for _, text in home.inbox(account):
            if b"\r\nAction: delivered\r\n" in text:
                named = re.search(rb"(?m)^Original-Envelope-Id: (\S+)", text)
                told[named.group(1).decode() if named else "nothing"] += 1
    if told["nothing"]:
        found["receipt_lost"].append(f"{told['nothing']} that name nothing")
    for token in truth.receipts:
        if told[token] > copies[token]:
            found["receipt_doubled"].append(f"{token}: told {told[token]} times of {copies[token]}")
        elif told[token] < copies[token]:
            found["receipt_lost"].append(token)


KINDS = ("lost", "ghost", "corrupt", "duplicate_local", "duplicate_move", "move_lost", "zombie",
         "flag_lost", "duplicate_relay", "receipt_lost", "receipt_doubled", "problems")


def judge(world, truth, kills):
    """-> {kind: [what, …]}; every list should be empty."""
    found = {kind: [] for kind in KINDS}
    copies = Counter()
    for account in world.home.accounts:
        try:
            rows = read_account(world.home, truth, account)
        except (imaplib.IMAP4.error, OSError) as e:
            found["problems"].append(f"{account} unreadable: {e}")
            continue
        judge_account(truth, account, rows, found)
        copies.update(r[3] for r in rows)
    judge_receipts(world.home, truth, copies, found)
    doubled = judge_relay(truth, world, kills, found)
    found["problems"] += truth.problems
    return found, doubled
