"""The peers themselves: a test bed that does not work would blame the appliance."""
import os
import socket

import check
from appliance import ROOT
from world import message, own_folder


def setup(world):
    world.names()
    world.postfix()


def test_names_resolve_through_the_resolver(world):
    check.equal(socket.gethostbyname("mail.home.example"), "127.0.0.10", "A of the appliance")
    check.equal(socket.gethostbyname("mx.peer.example"), "127.0.0.20", "A of Postfix")


def test_postfix_delivers_to_itself(world):
    world.peer.send("pat@peer.example", "pat@peer.example",
                    message("pat@peer.example", "pat@peer.example", "to myself"))
    check.until(lambda: world.peer.find("Subject: to myself"), "in the Maildir")


def test_no_folder_but_its_own_is_emptied(world):
    """An empty name is the folder one happens to be in."""
    for name in ("", ".", "build/system", "/", "/tmp", str(ROOT)):
        try:
            check.true(not own_folder(name), f"{name!r} is taken")
        except SystemExit as refusal:
            check.contains(str(refusal), "SYSTEM_OUT", "says what is wrong")
    check.equal(own_folder(os.environ["SYSTEM_OUT"]), world.out, "its own is")
