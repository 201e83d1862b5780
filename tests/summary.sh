#!/bin/sh
# Runs the make targets named as arguments, one after the other, and sums them up.
#
#   tests/summary.sh TARGET...
#
# Each prints "N passed, N failed" as its last line of that form; what each said is kept
# in build/check/TARGET.log. A target that ends badly without a failed test to show for it
# counts as one failure. The last line is the sum; the exit status says whether all passed.
set -u
logs=build/check
mkdir -p $logs
passed=0 failed=0 table=

for target in "$@"; do
	echo "==== $target"
	began=$(date +%s)
	{ ${MAKE:-make} --no-print-directory "$target" 2>&1; echo $? >$logs/status; } |
		tee "$logs/$target.log"
	status=$(cat $logs/status)
	took=$(($(date +%s) - began))
	sum=$(sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed$/\1 \2/p' \
		"$logs/$target.log" | tail -n 1)
	p=${sum% *} f=${sum#* }
	[ -n "$sum" ] || p=0 f=0
	if [ "$status" != 0 ] && [ "$f" = 0 ]; then f=1; fi
	if [ "$status" = 0 ] && [ "$f" = 0 ] && [ "$p" = 0 ]; then
		echo "$target: ran no test"
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f))
	table="$table$(printf '%-14s %6d passed %4d failed %5d s' "$target" "$p" "$f" "$took")
"
done
rm -f $logs/status

printf '\n%s\n' "$table"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
