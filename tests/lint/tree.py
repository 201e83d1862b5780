"""The source tree as the rules see it: files, lines, and C without comments and strings."""

import os
import re

# What is no source of ours.
SKIP_DIRS = {".git", "build", "node_modules", "corpus", "data", "__pycache__"}

TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<char>'(?:\\.|[^'\\\n])*')""",
    re.S | re.X,
)


def blank(text):
    """The same number of lines, nothing on them."""
    return re.sub(r"[^\n]", " ", text)


class File:
    """One file: its text, and for C its code, strings and comments each on their lines."""

    def __init__(self, path, text):
        self.path = path  # relative to the root, with /
        self.text = text
        self.lines = text.split("\n")
        self.is_c = path.endswith((".c", ".h", ".def"))
        self.strings = []  # (line, text)
        self.comments = []  # (line, text)
        self.code = self._split() if self.is_c else text

    def _split(self):
        def take(match):
            line = self.text.count("\n", 0, match.start()) + 1
            if match["comment"]:
                self.comments.append((line, match.group()))
                return blank(match.group())
            if match["string"]:
                self.strings.append((line, match.group()[1:-1]))
                return '"' + " " * (len(match.group()) - 2) + '"'
            return match.group() if len(match.group()) == 3 else "' '"

        return TOKEN.sub(take, self.text)

    def includes(self):
        """(line, name, whether it is "ours") of each #include."""
        pattern = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
        for m in pattern.finditer(self.text):
            yield self.text.count("\n", 0, m.start()) + 1, m[2], m[1] == '"'

    def find(self, pattern, text=None):
        """(line, match) of each match of a regular expression in the code."""
        where = self.code if text is None else text
        for m in re.finditer(pattern, where, re.M):
            yield where.count("\n", 0, m.start()) + 1, m


class Tree:
    def __init__(self, root):
        self.root = root
        self.files = {}
        for top, dirs, names in os.walk(root):
            dirs[:] = sorted(d for d in dirs if d not in SKIP_DIRS)
            for name in sorted(names):
                full = os.path.join(top, name)
                path = os.path.relpath(full, root).replace(os.sep, "/")
                text = self._read(full)
                if text is not None:
                    self.files[path] = File(path, text)

    @staticmethod
    def _read(path):
        if os.path.islink(path):
            return None
        with open(path, "rb") as f:
            data = f.read()
        try:
            return None if b"\0" in data else data.decode()
        except UnicodeDecodeError:
            return None

    def under(self, *tops):
        """Files below one of the folders."""
        return [f for p, f in self.files.items() if p.startswith(tuple(t + "/" for t in tops))]

    def c_files(self, *tops):
        return [f for f in self.under(*(tops or ("daemon", "api", "tests", "packaging"))) if f.is_c]


def folder(path):
    """The folder that has a level: daemon/smtp/x.c gives "smtp", api/x.c gives "api"."""
    parts = path.split("/")
    if parts[0] == "daemon":
        return parts[1] if len(parts) > 2 else "main"
    return parts[0]
