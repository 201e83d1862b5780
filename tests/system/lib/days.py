"""An appliance that lives in days of its own (libfaketime): they end when the test says so, and
nothing that it signs is of the future for the others."""
import os
import pathlib
import signal
import time

from appliance import SANITIZER

DAY_S = 86400
# Of libfaketime: in /usr/lib64, or in a folder of the machine's kind.
LIBRARY = [p for way in ("lib*/faketime", "lib/*/faketime")
           for p in pathlib.Path("/usr").glob(f"{way}/libfaketimeMT.so.1")]


def set_clock(file, seconds):
    """By which the clock of who reads this file, data/blobs/clock, is from the real one. It is
    replaced as a whole: whoever reads half of it is ended by libfaketime."""
    new = file.parents[2] / "clock.new"
    new.write_text(f"{seconds:+d}\n")
    os.replace(new, file)


class Days:
    def __init__(self, folder):
        """folder: of the appliance, which is still to be made, with env."""
        self.file = pathlib.Path(folder) / "data/blobs/clock"
        self.file.parent.mkdir(parents=True)
        # Noon of a day that is over long ago: so are the mornings of the next ones.
        self.day = int(time.time()) // DAY_S - 4
        self.set(self.day * DAY_S + DAY_S // 2)
        self.env = {"LD_PRELOAD": " ".join([*SANITIZER, str(LIBRARY[0])]), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_TIMESTAMP_FILE": str(self.file)}

    def set(self, to):
        """The clock of all its processes."""
        set_clock(self.file, to - int(time.time()))

    def morning(self, appliance):
        """The day is over: the night of the next one, behind the hour of reports."""
        self.day += 1
        self.set(self.day * DAY_S + 3 * 3600)
        # The queue looks at the clock once a minute, and when the configuration was read.
        appliance.process.child.send_signal(signal.SIGHUP)

    def date(self, ago=0):
        return time.strftime("%Y-%m-%d", time.gmtime((self.day - ago) * DAY_S))
