#!/bin/sh
# Runs the make targets named as arguments, one after the other, and sums them up.
#
#   tests/summary.sh TARGET...
#
# Each prints "N passed, N failed" as its last line of that form; what each said is kept
# in build/check/TARGET.log. A target that ends badly without a failed test to show for it
# counts as one failure. What failed, or passed at its second run only, is told once more in the
# end, for of a log that was cut the end is what is left. The last line is the sum; the exit status says whether all passed.
set -u
logs=build/check
mkdir -p $logs
passed=0 failed=0 table='' told=''

# What failed in a target: what it names itself as "failed: WHAT"; else the lines that look like
# it; else its last ones.
what_failed()
{
	lines=$(sed -n 's/^failed: //p' "$1")
	[ -n "$lines" ] || lines=$(grep -E '^FAIL|^[^ :]+:[0-9]+: |error: |: ERROR: ' "$1")
	[ -n "$lines" ] || lines=$(grep -vE '^([0-9]+ passed, [0-9]+ failed)?$' "$1" | tail -n 5)
	printf '%s\n' "$lines" | head -n 20 | cut -c 1-700
}

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
	[ "$f" = 0 ] || told="$told$(what_failed "$logs/$target.log" | sed "s/^/failed: $target /")
"
	told="$told$(sed -n "s/^unsteady: /unsteady: $target /p" "$logs/$target.log" | cut -c 1-700)
"
	passed=$((passed + p)) failed=$((failed + f))
	table="$table$(printf '%-14s %6d passed %4d failed %5d s' "$target" "$p" "$f" "$took")
"
done
rm -f $logs/status

printf '\n%s\n' "$table"
printf '%s' "$told" | sed '/^$/d'
echo "$passed passed, $failed failed"
[ $failed = 0 ]
