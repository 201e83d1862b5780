#!/bin/sh
# packaging/install.sh DESTDIR PREFIX: what make install does. A configuration that is
# there already stays.
set -eu
cd "$(dirname "$0")/.."
dest=$1 prefix=${2:-/usr}
share=$dest$prefix/share

put()
{
	mode=$1 from=$2 to=$3
	mkdir -p "$(dirname "$to")"
	install -m "$mode" "$from" "$to"
}

put 755 build/mailstead "$dest$prefix/bin/mailstead"
for file in build/webui/*; do
	[ -f "$file" ] || continue
	put 644 "$file" "$share/mailstead/webui/$(basename "$file")"
done
put 644 api/openapi.yaml "$share/mailstead/openapi.yaml"
[ -e "$dest/etc/mailstead/mailstead.yaml" ] ||
	put 644 etc/mailstead.yaml "$dest/etc/mailstead/mailstead.yaml"
put 644 packaging/systemd/sysusers.conf "$dest$prefix/lib/sysusers.d/mailstead.conf"
put 644 packaging/systemd/tmpfiles.conf "$dest$prefix/lib/tmpfiles.d/mailstead.conf"
unit=$dest$prefix/lib/systemd/system/mailstead.service
mkdir -p "$(dirname "$unit")"
sed "s|/usr/bin/|$prefix/bin/|" packaging/systemd/mailstead.service >"$unit"
chmod 644 "$unit"
put 644 build/mailstead.1 "$share/man/man1/mailstead.1"
put 644 build/mailstead.yaml.5 "$share/man/man5/mailstead.yaml.5"
put 644 README.md "$share/doc/mailstead/README.md"
put 644 LICENSE "$share/doc/mailstead/copyright"
