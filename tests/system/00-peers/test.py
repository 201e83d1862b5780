"""The peers themselves: a test bed that does not work would blame the appliance."""
import socket

import check
from world import message


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
