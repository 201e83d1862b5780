"""One account's ten thousand messages to a destination are not in the way of another one's."""
import socket
import threading
import time

import check
from world import message

ANN, BOB = "ann@home.example", "bob@home.example"
SINK = "127.0.41.1"
TRANSACTIONS, RCPTS = 10, 1000
AHEAD_MAX = 2000


class Sink:
    """Takes all mail, one message after the other in each connection."""

    def __init__(self):
        self.rcpts = []

    def start(self):
        self.listener = socket.create_server((SINK, 25), backlog=100)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        try:
            with c:
                self.talk(c)
        except OSError:
            pass

    def talk(self, c):
        c.sendall(b"220 sink.example ESMTP\r\n")
        lines = c.makefile("rb")
        rcpt = ""
        while line := lines.readline():
            if line.startswith(b"RCPT"):
                rcpt = line.decode().split("<")[1].split(">")[0]
            if line.startswith(b"DATA"):
                c.sendall(b"354 go\r\n")
                while lines.readline() not in (b".\r\n", b""):
                    pass
                self.rcpts.append(rcpt)
            c.sendall(b"250 fine\r\n")

    def stop(self):
        self.listener.close()


def setup(world):
    world.names()
    world.sink = world.start(Sink())
    world.dns.change("odd.example", f"fast IN MX 10 sink\nsink IN A {SINK}\n")
    # Each recipient is a transaction of its own: as many messages.
    world.appliance(retry="2s 3s", lifetime="1h", level="info", plaintext='["127.0.0.0/8"]',
                    more="limits: {delivery_rcpt_transaction: 1}\n")


def send(s, sender, rcpts, text):
    """Pipelined, or the flood would come no faster than it goes out."""
    lines = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{r}>" for r in rcpts), "DATA"]
    s.send("".join(line + "\r\n" for line in lines))
    codes = {s.getreply()[0] for _ in lines}
    check.equal(codes, {250, 354}, "all are taken")
    s.send(text.replace("\n", "\r\n") + ".\r\n")
    check.equal(s.getreply()[0], 250, "the message as well")


def test_a_flood_is_in_nobodys_way(world):
    with world.home.submission(ANN) as s:
        for n in range(TRANSACTIONS):
            send(s, ANN, [f"x{n}-{k}@fast.odd.example" for k in range(RCPTS)],
                 message(ANN, "all@fast.odd.example", f"flood {n}"))
    with world.home.submission(BOB) as s:
        send(s, BOB, ["kim@fast.odd.example"], message(BOB, "kim@fast.odd.example", "one"))
    before, since = len(world.sink.rcpts), time.monotonic()
    left = TRANSACTIONS * RCPTS - before
    check.true(left > 2 * AHEAD_MAX, f"{left} messages wait before it")
    check.until(lambda: "kim@fast.odd.example" in world.sink.rcpts, "the one message is taken", 300)
    ahead = world.sink.rcpts.index("kim@fast.odd.example") - before
    print(f"  {ahead} of {left} came before it, {time.monotonic() - since:.1f} s")
    check.true(ahead < AHEAD_MAX, f"{ahead} of {left} came before it")
