"""Headless Chromium drives the dashboard (tests/browser/story.mjs), over HTTPS."""
import os
import sqlite3
import subprocess
import time

import check
from appliance import ROOT


def keep_policy(home, domain):
    """As if mail had gone there while it had a policy (47-tls-policy fetches a real one)."""
    home.stop()
    now = int(time.time() * 1000)
    index = sqlite3.connect(home.folder / "data" / "index.db")
    index.execute("INSERT INTO sts_policy (domain, policy_id, body, fetched_ms, expires_ms)"
                  " VALUES (?, '20260101', ?, ?, ?)",
                  (domain, f"version: STSv1\nmode: enforce\nmx: mx.{domain}\nmax_age: 86400\n",
                   now - 3600_000, now + 86400_000))
    index.commit()
    index.close()
    home.start()


def setup(world):
    world.names()
    world.appliance(retry="2s 30s")
    world.home.add_admin("owner")
    keep_policy(world.home, "gone.peer.example")


def test_the_story_in_chromium(world):
    home = world.home
    send = (f'swaks --server {home.address} --from pat@peer.example --to "$RCPT" '
            '--header "Subject: $SUBJECT" >/dev/null')
    ann = "ann@home.example"
    submit = (f'swaks --server {home.address} --port 587 --tls --auth PLAIN --auth-user {ann} '
              f'--auth-password {home.passwords[ann]} --from {ann} --to "$RCPT" '
              '--header "Subject: $SUBJECT" >/dev/null')
    env = dict(os.environ, URL=f"https://{home.hostname}", NAME="owner",
               PASSWORD=home.passwords["owner"], SHOTS=str(world.out), SEND_IN=send,
               SUBMIT=submit, HOME=str(world.out), NAMES=str(world.dns.unbound.child.pid))
    # What it says goes to the log as it comes. A calm machine needs 45 s, a busy one more.
    done = subprocess.run(["node", str(ROOT / "tests" / "browser" / "story.mjs")], env=env,
                          check=False, timeout=800)
    check.equal(done.returncode, 0, "story")
