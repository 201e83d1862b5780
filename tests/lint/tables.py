"""The tables of the lints. A row that makes an exception says why."""

# Who is above whom (daemon/README.md). An include goes down a level or stays in its folder.
LEVELS = {
    "base": 0,
    "mail": 1,
    "conf": 1,
    "ext": 1,
    "io": 1,
    "policy": 2,
    "filter": 2,
    "store": 2,
    "queue": 2,
    "smtp": 3,
    "imap": 3,
    "pop3": 3,
    "cli": 3,
    "api": 3,
    "relay": 4,
    "role": 5,
    "main": 6,
}

# Neighbours on one level that may be included all the same.
SIDEWAYS = {
    ("mail", "ext"): "text search decodes character sets with ext/charset.h",
    ("conf", "ext"): "a YAML document is given out as JSON (ext/json.h)",
    ("io", "conf"): "limits and addresses come from the configuration",
    ("queue", "store"): "the queue's rows live in the store, which knows nothing of it",
    ("queue", "policy"): "how a destination is secured is a policy's verdict",
}

# Cores that are fed bytes and asked for answers: no socket, clock or resolver inside.
PURE = ("mail", "policy", "smtp", "imap", "pop3")
IMPURE_FILES = r"_(conn|server|policy)(_priv)?\.[ch]$"  # the drivers that join a core to its socket
IMPURE_HEADERS = r"^(io/(?!dns_answer\.h)|base/clock\.h|uv\.h|time\.h|sys/socket\.h|sys/time\.h|netdb\.h|poll\.h)"

# Header of a library -> the files that may include it. A library without a row here may be
# included by one .c file, whichever it is. A third-party type never appears in a header
# that others include, so no row names one but private headers (_priv.h).
LIBRARIES = {
    r"^uv\.h": r"^daemon/io/[a-z_]+(\.c|_priv\.h)$",
    # The benchmark is about what ours costs beside the bare operation.
    r"^openssl/": r"^(daemon/(io/tls|ext/crypto)(_[a-z]+)?(\.c|_priv\.h)|tests/bench/dkim_bench\.c)$",
    r"^ares\.h": r"^daemon/io/dns(_[a-z]+)?(\.c|_priv\.h)$",
    r"^sqlite3\.h": r"^daemon/store/db_sqlite(_[a-z]+)?\.c$",
    r"^CUnit/": r"^tests/unit/main\.c$",
    r"^microhttpd\.h": None,
    r"^yaml\.h": None,
    r"^pcre2\.h": None,
    r"^jansson\.h": None,
    r"^curl/": None,
    r"^sodium(\.h|/)": None,
    r"^idn2\.h": None,
    r"^libpsl\.h": None,
    r"^utf8proc\.h": None,
    r"^zstd(_errors)?\.h": None,
    r"^zlib\.h": r"^daemon/ext/(gzip|unpack)\.c$",
    r"^expat\.h": None,
    r"^iconv\.h": None,
    r"^seccomp\.h": None,
    r"^systemd/": None,
}

# What comes with the C library and the kernel.
SYSTEM_HEADERS = (
    r"^(std[a-z]+|string|strings|errno|limits|inttypes|ctype|math|time|signal|setjmp|locale|"
    r"assert|unistd|fcntl|poll|dirent|pwd|grp|getopt|pthread|sched|dlfcn|netdb|termios|glob|"
    r"ftw|fnmatch|libgen|syslog|malloc|endian|byteswap|elf|link|stdatomic|threads|spawn|"
    r"semaphore|regex|wchar|utime|features|execinfo|ifaddrs|sysexits|err|arpa/[a-z]+|"
    r"net/[a-z]+|netinet/[a-z_]+|sys/[a-z_]+|linux/[a-z_]+|asm/[a-z_]+)\.h$"
)

# Functions nobody calls, and why.
BANNED = {
    r"str(n?cpy|n?cat|tok(_r)?)|stpn?cpy": "use strbuf or arena_str",
    r"v?sprintf": "use strbuf_printf",
    r"ato[ifl]l?": "use str_parse_u64",
    r"gets|alloca|strdupa|strndupa": "use an arena",
    r"system|popen|wordexp": "no shell ever sees our data",
    r"rand|srand|random|srandom|drand48|rand_r": "use random_bytes",
    r"tmpnam|mktemp|tempnam": "use mkstemp or O_TMPFILE",
    r"assert": "use CHECK, which stays on",
    r"gethostbyname|gethostbyaddr|getaddrinfo|getnameinfo": "use io/dns.h, which never blocks",
    r"MHD_create_post_processor": "use our own body reader (CVE-2021-3466)",
}

# The heap: base/ has it, and wrappers of libraries that hand out or want heap memory.
HEAP = r"malloc|calloc|realloc|reallocarray|free|strn?dup|v?asprintf|posix_memalign|aligned_alloc"
HEAP_FILES = r"^daemon/(base|ext)/|^daemon/io/(loop|tls|dns|sandbox)|^daemon/store/db_sqlite\.c$|^daemon/role/notify\.c$|^tests/"

# Folders where bytes come from a peer: their length is known, never looked for.
PEER_FOLDERS = ("mail", "policy", "filter", "smtp", "imap", "pop3")

# Characters that make a line look like another one: what they stand for is escaped.
INVISIBLE = r"[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"

COLUMNS = 90
FILE_LINES_MAX = 800
README_LINES_MAX = 40

# Words people shorten, with a vowel left (those without one are seen by that). In a name of
# a header they need a place in the list of daemon/README.md.
CLIPPED = frozenset("""addr attr auth calc char conf config conn cur curr del desc diag dir elem
    esc exp expr ext func gen idx info init int iter lib loc len max mem min misc mod num obj op
    ops opt param pos pred prev priv proc qual que rec ref req res resp ret sec seg seq sess sig
    spec stat stats sub temp util val var vec ver""".split())
