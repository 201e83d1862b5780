"""The protocol stories of tests/dialogue that hold against a server, told to one."""
import os
import pathlib
import re
import subprocess

import check
from appliance import BINARY

ROOT = pathlib.Path(os.environ["MAILSTEAD_ROOT"])


def setup(world):
    world.names()
    world.appliance()


def test_the_stories_hold_over_a_socket(world):
    program = BINARY.parent / "dialogue-tests"
    done = subprocess.run([program, "--live", f"smtp={world.home.address}:25",
                           "--name", f"example.org={world.home.domain}",
                           ROOT / "tests" / "dialogue"],
                          capture_output=True, text=True, timeout=120)
    print(done.stdout, done.stderr)
    told = re.search(r"(\d+) passed, (\d+) failed", done.stdout)
    check.equal(done.returncode, 0, "dialogue-tests --live")
    check.true(told and int(told[1]) >= 9, "stories told")
