#!/bin/sh
# Installs what building, running and testing Mailstead needs, through apt or dnf.
#
#   packaging/install-deps.sh [run] [check]      no argument: both groups
#
# Says what it installs; does nothing, without touching the network, where all is there.
# As root, or through sudo. Programs that a package would start as a service are kept
# from starting: the tests run their own copies.
set -eu

# One row per package: group, Debian name, Fedora name, and optionally a program that,
# wherever it comes from, makes the package unnecessary. "-" is "has none".
packages()
{
	cat <<'END'
run    gcc                  gcc                         gcc
run    libc6-dev            glibc-devel                 -
run    make                 make                        make
run    pkg-config           pkgconf-pkg-config          pkg-config
run    libuv1-dev           libuv-devel                 -
run    libssl-dev           openssl-devel               -
run    libmicrohttpd-dev    libmicrohttpd-devel         -
run    libc-ares-dev        c-ares-devel                -
run    libyaml-dev          libyaml-devel               -
run    libpcre2-dev         pcre2-devel                 -
run    libsqlite3-dev       sqlite-devel                -
run    libjansson-dev       jansson-devel               -
run    libcurl4-openssl-dev libcurl-devel               -
run    libsodium-dev        libsodium-devel             -
run    libidn2-dev          libidn2-devel               -
run    libpsl-dev           libpsl-devel                -
run    libutf8proc-dev      utf8proc-devel              -
run    libzstd-dev          libzstd-devel               -
run    zlib1g-dev           zlib-devel                  -
run    libexpat1-dev        expat-devel                 -
run    libseccomp-dev       libseccomp-devel            -
run    libsystemd-dev       systemd-devel               -
run    nodejs               nodejs                      node
run    npm                  nodejs-npm                  npm
run    ca-certificates      ca-certificates             -
run    openssl              openssl                     openssl
run    curl                 curl                        curl
run    swaks                swaks                       swaks
run    libnet-ssleay-perl   perl-Net-SSLeay             -
check  libcunit1-dev        CUnit-devel                 -
check  clang                clang                       clang
check  libclang-rt-dev      compiler-rt                 -
check  llvm                 llvm                        llvm-symbolizer
check  clang-format         clang-tools-extra           clang-format
check  clang-tidy           clang-tools-extra           clang-tidy
check  cppcheck             cppcheck                    cppcheck
check  -                    libasan                     -
check  -                    libubsan                    -
check  shellcheck           ShellCheck                  shellcheck
check  python3              python3                     python3
check  python3-spf          python3-pyspf               -
check  git                  git-core                    git
check  faketime             libfaketime                 faketime
check  procps               procps-ng                   ps
check  iproute2             iproute                     ss
check  util-linux           util-linux                  -
check  bsdutils             /usr/bin/script             script
check  mount                util-linux-core             mount
check  e2fsprogs            e2fsprogs                   mkfs.ext4
check  xfsprogs             xfsprogs                    mkfs.xfs
check  sqlite3              sqlite                      sqlite3
check  nsd                  nsd                         -
check  unbound              unbound                     -
check  opendkim             opendkim                    opendkim
check  python3-dkim         python3-dkimpy              -
check  python3-authres      python3-authres             -
check  python3-nacl         python3-pynacl              -
check  libopendmarc2        libopendmarc                -
check  opendmarc            opendmarc                   opendmarc
check  dbconfig-no-thanks   -                           opendmarc
check  libswitch-perl       perl-Switch                 -
check  libxml2-utils        libxml2                     xmllint
check  libwww-perl          perl-libwww-perl            -
check  python3-dnspython    python3-dns                 -
check  ldnsutils            ldns-utils                  ldns-signzone
check  postfix              postfix                     -
check  dovecot-imapd        dovecot                     -
check  dovecot-pop3d        dovecot                     -
check  dovecot-lmtpd        dovecot                     -
check  msmtp                msmtp                       msmtp
check  isync                isync                       mbsync
check  mutt                 mutt                        mutt
check  offlineimap3         offlineimap                 offlineimap
check  getmail6             getmail6                    getmail
check  fetchmail            fetchmail                   fetchmail
check  mpop                 -                           mpop
check  fdm                  -                           fdm
check  s-nail               s-nail                      s-nail
check  libmail-imapclient-perl perl-Mail-IMAPClient     -
check  chromium             chromium                    chromium
check  chromium-driver      chromedriver                chromedriver
check  fonts-dejavu-core    dejavu-sans-fonts           -
END
}

if command -v apt-get >/dev/null; then
	system=apt
elif command -v dnf >/dev/null; then
	system=dnf
else
	echo "install-deps: neither apt nor dnf here; please install by hand:" >&2
	packages | awk '{ print "  " $2 }' >&2
	exit 1
fi

groups=${*:-run check}
for group in $groups; do
	case $group in
	run | check) ;;
	*) echo "usage: install-deps.sh [run] [check]" >&2; exit 2 ;;
	esac
done

# Prints the names of the packages of the chosen groups that are not there.
missing()
{
	if [ $system = apt ]; then
		installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null |
			sed -n 's/^installed //p')
	else
		installed=$(rpm -qa --qf '%{NAME}\n' && rpm -qa --provides | sed 's/[ (].*//')
	fi
	packages | while read -r group deb rpm program; do
		case " $groups " in *" $group "*) ;; *) continue ;; esac
		name=$rpm
		[ $system = apt ] && name=$deb
		[ "$name" = - ] && continue
		[ "$program" != - ] && command -v "$program" >/dev/null && continue
		echo "$name"
	done | awk -v installed="$installed" '
		BEGIN { n = split(installed, p, "\n"); for (i = 1; i <= n; i++) has[p[i]] = 1 }
		!has[$0]++'
}

# Administrators' programs (ss, mkfs) are not on everybody's path.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
want=$(missing | tr '\n' ' ')
[ -n "$want" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "install-deps: please install as root: $want" >&2
		exit 1
	}
	as_root=sudo
fi
echo "install-deps: installing with $system: $want"

# invoke-rc.d asks this file whether it may start a service; one that is there already
# has been put there for a reason and stays.
policy=/usr/sbin/policy-rc.d
forbid_services()
{
	[ -e $policy ] && return
	trap '$as_root rm -f $policy' EXIT
	trap 'exit 130' INT TERM
	printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
	$as_root chmod 755 $policy
}

# A machine that has just come up may be busy with updates of its own: that is waited for.
apt_install()
{
	# shellcheck disable=SC2086 # one word per package
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
		--no-install-recommends -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 \
		-o DPkg::Lock::Timeout=600 $want </dev/null >/dev/null
}

if [ $system = apt ]; then
	forbid_services
	# Old lists name files that are gone, and a mirror may be away for a moment: the lists are
	# read again, and all is tried once more.
	tries=3
	ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || $as_root apt-get update -qq || true
	until apt_install; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || exit 1
		sleep 10
		$as_root apt-get update -qq || true
	done
else
	# shellcheck disable=SC2086
	$as_root dnf install -y -q --setopt=install_weak_deps=False \
		--setopt=strict=False $want
fi

want=$(missing | tr '\n' ' ')
[ -z "$want" ] || { echo "install-deps: still missing: $want" >&2; exit 1; }
echo "install-deps: all there"
