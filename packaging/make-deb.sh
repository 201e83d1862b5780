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

# Debian keeps licences of its own, and wants to read what is new.
newest=$(sed -n '1s/^mailstead (\(.*\)) .*/\1/p' packaging/debian/changelog)
[ "$newest" = "$version" ] || {
	echo "make-deb: packaging/debian/changelog ends at $newest, this is $version" >&2
	exit 1
}
install -m 644 packaging/debian/copyright $tree/usr/share/doc/mailstead/copyright
gzip -9nc packaging/debian/changelog >$tree/usr/share/doc/mailstead/changelog.gz
chmod 644 $tree/usr/share/doc/mailstead/changelog.gz

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
Maintainer: Mailstead developers <mailstead@mailstead.invalid>
Section: mail
Priority: optional
Installed-Size: $(du -sk $tree | cut -f 1)
Depends: $list, passwd
Provides: imap-server, pop3-server
Description: mail appliance: SMTP, IMAP, POP3, queue, REST API and dashboard
 One service that receives mail, keeps it, hands it to mail programs and sends
 it on, and shows its owner what happened to every single message.
END
echo /etc/mailstead/mailstead.yaml >$tree/DEBIAN/conffiles
for script in postinst prerm postrm; do
	install -m 755 packaging/debian/$script $tree/DEBIAN/$script
done
(cd $tree && find etc usr -type f -exec md5sum {} + | LC_ALL=C sort -k 2) >$tree/DEBIAN/md5sums
dpkg-deb --root-owner-group -Zxz --build $tree build/mailstead_"${version}_$arch".deb
