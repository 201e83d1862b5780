"""Rules that other programs know: gcc, clang-format, clang-tidy, cppcheck.

What passed is remembered below build/lint under a hash of all that went in (the file, the
headers of ours it includes, the settings, the tool), so a second run looks only at what
has changed."""

import concurrent.futures
import hashlib
import os
import re
import subprocess

CFLAGS = ["-std=c11", "-D_GNU_SOURCE", "-pthread", "-Idaemon", "-I."]
WARN = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wvla",
        "-Wmissing-prototypes", "-Werror"]
JOBS = os.cpu_count() or 1


def output(root, *command, given=""):
    done = subprocess.run(command, cwd=root, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)
    return done.returncode, done.stdout


def pkg_cflags(root):
    """The libraries' flags, from the Makefile's own list."""
    with open(os.path.join(root, "Makefile"), encoding="utf-8") as f:
        rows = re.findall(r"^PKGS(?:_LOADED)?\s*:=((?:.*\\\n)*.*)", f.read(), re.M)
    names = " ".join(rows).replace("\\\n", " ").split()
    code, flags = output(root, "pkg-config", "--cflags", *names) if names else (0, "")
    return flags.split() if code == 0 else []


class Cache:
    def __init__(self, tree, name, *salt):
        self.tree = tree
        self.dir = os.path.join(tree.root, "build", "lint", name)
        self.salt = "\0".join(salt)
        os.makedirs(self.dir, exist_ok=True)

    def closure(self, path, seen):
        """path and every file of ours that it includes, near and far."""
        if path in seen or path not in self.tree.files:
            return
        seen.add(path)
        for _, name, is_ours in self.tree.files[path].includes():
            if is_ours:
                for base in ("daemon/", "", os.path.dirname(path) + "/"):
                    self.closure(base + name, seen)

    def mark(self, path):
        seen = set()
        self.closure(path, seen)
        h = hashlib.sha256(self.salt.encode())
        for name in [path, *sorted(seen)]:
            h.update(name.encode() + b"\0" + self.tree.files[name].text.encode() + b"\0")
        return os.path.join(self.dir, h.hexdigest()[:40])

    def run(self, files, judge):
        """judge(path) -> list of (path, line, text), for each file that is not known good."""
        work = [(f.path, mark) for f in files
                if not os.path.exists(mark := self.mark(f.path))]
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            for (_, mark), found in zip(work, pool.map(judge, [p for p, _ in work])):
                if found:
                    yield from found
                else:
                    open(mark, "w", encoding="utf-8").close()


def parse(root, text, path, kinds="error|warning|performance|portability"):
    """file:line:col: kind: words, as all of these tools print them."""
    found = []
    for m in re.finditer(rf"^([^:\n]+):(\d+):(?:\d+:)? (?:fatal )?(?:{kinds}): (.*)$", text,
                         re.M):
        name = os.path.relpath(os.path.join(root, m[1]), root)
        found.append((name, int(m[2]), m[3]))
    return found or [(path, 1, text.strip()[-300:])]


def headers(tree):
    """Each header compiles alone."""
    flags = CFLAGS + WARN + pkg_cflags(tree.root)
    cache = Cache(tree, "headers", *flags)

    def judge(path):
        code, text = output(tree.root, os.environ.get("CC", "gcc"), *flags, "-fsyntax-only",
                            "-x", "c", "-include", path, "-", given="typedef int something;\n")
        return parse(tree.root, text, path) if code else []

    files = [f for f in tree.c_files() if f.path.endswith(".h")]
    yield from cache.run(files, judge)


def formatted(tree):
    """clang-format would change nothing."""
    version = output(tree.root, "clang-format", "--version")[1]
    cache = Cache(tree, "format", version, settings(tree, ".clang-format"))

    def judge(path):
        code, text = output(tree.root, "clang-format", "--dry-run", "-Werror", "--ferror-limit=3",
                            path)
        return parse(tree.root, text, path) if code else []

    files = [f for f in tree.c_files() if f.path.endswith((".c", ".h"))]
    yield from cache.run(files, judge)


def settings(tree, name):
    return tree.files[name].text if name in tree.files else ""


def tidy(tree):
    """clang-tidy finds nothing; make check-all lets its analyzer look at all paths."""
    flags = CFLAGS + pkg_cflags(tree.root)
    version = output(tree.root, "clang-tidy", "--version")[1]
    # The analyzer takes nine tenths of the time: it looks at no tests, and gives up on the
    # paths of a function after a quarter of what it would otherwise look at.
    few = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=50000"]
    depth = [] if "LINT_DEEP" in os.environ else ["--extra-arg=" + a for a in few]
    cache = Cache(tree, "tidy", version, settings(tree, ".clang-tidy"), *flags, *depth)

    def judge(path):
        less = ["--checks=-clang-analyzer-*"] if path.startswith("tests/") else depth
        code, text = output(tree.root, "clang-tidy", "--quiet", *less, path, "--", *flags)
        return parse(tree.root, text, path) if code else []

    yield from cache.run([f for f in tree.c_files() if f.path.endswith(".c")], judge)


def cppcheck(tree):
    """cppcheck finds nothing."""
    work = os.path.join(tree.root, "build", "lint", "cppcheck")
    os.makedirs(work, exist_ok=True)
    folders = [d for d in ("daemon", "api", "tests", "packaging") if os.path.isdir(os.path.join(tree.root, d))]
    code, text = output(tree.root, "cppcheck", "-q", "--enable=warning,performance,portability",
                        "--inline-suppr", "--error-exitcode=1", f"--cppcheck-build-dir={work}",
                        f"-j{JOBS}", "--std=c11", "-D_GNU_SOURCE", "-Idaemon", "-I.",
                        "--suppress=missingIncludeSystem", *folders)
    if code:
        yield from parse(tree.root, text, "cppcheck")


def shell(tree):
    """shellcheck finds nothing."""
    version = output(tree.root, "shellcheck", "--version")[1]
    cache = Cache(tree, "shell", version)

    def judge(path):
        code, text = output(tree.root, "shellcheck", "-f", "gcc", "-e", "SC1091", path)
        return parse(tree.root, text, path, "error|warning|note") if code else []

    files = [f for f in tree.files.values()
             if re.match(r"#!(/usr)?/bin/(env )?(ba|da)?sh\b", f.text)]
    yield from cache.run(files, judge)


QUICK = (headers, formatted, shell)
SLOW = (tidy, cppcheck)
