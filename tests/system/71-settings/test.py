"""Headless Chromium changes settings and judges a message (tests/browser/settings.mjs)."""
import os
import subprocess

import check
from appliance import ROOT


def setup(world):
    world.names()
    world.appliance()
    world.home.add_admin("owner")


def test_settings_in_chromium(world):
    home = world.home
    env = dict(os.environ, URL=f"https://{home.hostname}", NAME="owner", SHOTS=str(world.out),
               PASSWORD=home.passwords["owner"], HOME=str(world.out),
               SET=f'{home.binary} settings set "$KEY" "$VALUE" --config {home.config} >/dev/null')
    done = subprocess.run(["node", str(ROOT / "tests" / "browser" / "settings.mjs")], env=env,
                          check=False, timeout=600)
    check.equal(done.returncode, 0, "settings")
