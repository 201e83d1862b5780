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

# Each library the binary names, as the package says it wants to be depended on.
depends()
{
	objdump -p $tree/usr/bin/mailstead | awk '$1 == "NEEDED" { print $2 }' | sort |
		while read -r so; do
			path=$(ldconfig -p | awk -v so="$so" '$1 == so { print $NF; exit }')
			path=$(readlink -f "$path")
			package=$(dpkg -S "$path" "${path#/usr}" 2>/dev/null | sed -n '1s/: .*//p')
			[ -n "$package" ] || { echo "no package has $so" >&2; exit 1; }
			awk -v so="$so" '{
				if (so == $1 ".so." $2 || so == $1 "-" $2 ".so") {
					$1 = $2 = ""; sub(/^ +/, ""); print; exit
				}
			}' "/var/lib/dpkg/info/$package.shlibs"
		done | sort -u | paste -sd, | sed 's/,/, /g'
}

mkdir -p $tree/DEBIAN
list=$(depends)
[ -n "$list" ] || { echo "make-deb: found no dependencies" >&2; exit 1; }
cat >$tree/DEBIAN/control <<END
Package: mailstead
Version: $version
Architecture: $arch
Maintainer: Mailstead <mailstead@localhost>
Section: mail
Priority: optional
Installed-Size: $(du -sk $tree | cut -f 1)
Depends: $list, passwd, init-system-helpers
Provides: mail-transport-agent, imap-server, pop3-server
Description: mail appliance: SMTP, IMAP, POP3, queue, REST API and dashboard
 One service that receives mail, keeps it, hands it to mail programs and sends
 it on, and shows its owner what happened to every single message.
END
echo /etc/mailstead/mailstead.yaml >$tree/DEBIAN/conffiles
for script in postinst prerm postrm; do
	install -m 755 packaging/debian/$script $tree/DEBIAN/$script
done
dpkg-deb --root-owner-group -Zxz --build $tree build/mailstead_"${version}_$arch".deb
