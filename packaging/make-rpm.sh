#!/bin/sh
# packaging/make-rpm.sh VERSION: build/mailstead-VERSION-1.ARCH.rpm from what make built.
set -eu
cd "$(dirname "$0")/.."
command -v rpmbuild >/dev/null || {
	echo "make-rpm: rpmbuild is missing: dnf install rpm-build, or apt install rpm" >&2
	exit 1
}
# What it loads itself, which rpm cannot see: by soname, for no other version would do.
loaded=$(sed -n 's/^LIBRARY(.*"\(.*\)".*/\1()(64bit)/p' daemon/*/*.c api/*.c | paste -sd ' ')
rpmbuild -bb --quiet --define "mailstead_version $1" --define "mailstead_tree $PWD" \
	--define "mailstead_loaded $loaded" \
	--define "_topdir $PWD/build/rpm" --define "_rpmdir $PWD/build" \
	--define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
	--define '_binary_payload w9.gzdio' packaging/rpm/mailstead.spec
ls build/mailstead-"$1"-1.*.rpm
