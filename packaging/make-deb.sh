#!/bin/sh
# packaging/make-deb.sh VERSION: build/mailstead_VERSION_ARCH.deb from an install tree.
set -eu
cd "$(dirname "$0")/.."
version=$1
arch=$(dpkg --print-architecture)
tree=build/deb
rm -rf $tree
packaging/install.sh "$tree" /usr
strip --strip-unneeded $tree/usr/bin/mailstead
gzip -9n $tree/usr/share/man/man*/*.[15]

# The package that has a library, by its soname.
package_of()
{
	path=$(ldconfig -p | awk -v so="$1" '$1 == so { print $NF; exit }')
	path=$(readlink -f "$path")
	dpkg -S "$path" "${path#/usr}" 2>/dev/null | sed -n '1s/: .*//p'
}

# The lowest version of a package that has all symbols the binary takes from it.
lowest_version()
{
	awk 'NR == FNR { used[$1] = 1; next }
		/^ / { name = $1; sub(/@.*/, "", name); if (name in used) print $2 }' \
		build/deb.symbols "/var/lib/dpkg/info/$1.symbols" | sort -uV | tail -n 1
}

# One line for each library the binary names; a "?" where there is no package for it.
depends()
{
	objdump -T $tree/usr/bin/mailstead | awk '/\*UND\*/ { print $NF }' >build/deb.symbols
	# What it is linked to, and what it loads itself (daemon/ext/library.h).
	for so in $(objdump -p $tree/usr/bin/mailstead | awk '$1 == "NEEDED" { print $2 }') \
		$(sed -n 's/^LIBRARY(.*"\(.*\)".*/\1/p' daemon/*/*.c api/*.c); do
		package=$(package_of "$so")
		if [ -e "/var/lib/dpkg/info/$package.symbols" ]; then
			lowest=$(lowest_version "$package")
			echo "${package%:*}${lowest:+ (>= $lowest)}"
		else
			echo "${package:-?$so}" | sed 's/:.*//'
		fi
	done | sort -u | paste -sd, | sed 's/,/, /g'
}

mkdir -p $tree/DEBIAN
list=$(depends)
case $list in
"" | *\?*)
	echo "make-deb: no package for these libraries: $list" >&2
	exit 1
	;;
esac
cat >$tree/DEBIAN/control <<END
Package: mailstead
Version: $version
Architecture: $arch
Maintainer: Mailstead <mailstead@localhost>
Section: mail
Priority: optional
Installed-Size: $(du -sk $tree | cut -f 1)
Depends: $list, passwd, init-system-helpers
Provides: imap-server, pop3-server
Description: mail appliance: SMTP, IMAP, POP3, queue, REST API and dashboard
 One service that receives mail, keeps it, hands it to mail programs and sends
 it on, and shows its owner what happened to every single message.
END
echo /etc/mailstead/mailstead.yaml >$tree/DEBIAN/conffiles
for script in postinst prerm postrm; do
	install -m 755 packaging/debian/$script $tree/DEBIAN/$script
done
dpkg-deb --root-owner-group -Zxz --build $tree build/mailstead_"${version}_$arch".deb
