"""Headless Chromium drives the dashboard (tests/browser/story.mjs), over HTTPS."""
import os
import subprocess

import check
from appliance import ROOT


def setup(world):
    world.names()
    world.appliance(retry="2s 30s")
    world.home.add_admin("owner")


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
               SUBMIT=submit, HOME=str(world.out))
    # What it says goes to the log as it comes. A calm machine needs 45 s, a busy one more.
    done = subprocess.run(["node", str(ROOT / "tests" / "browser" / "story.mjs")], env=env,
                          check=False, timeout=400)
    check.equal(done.returncode, 0, "story")
