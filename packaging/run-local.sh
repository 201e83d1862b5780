#!/bin/sh
# Starts an appliance of our own below build/run, as whoever calls it, and stays until
# Ctrl-C. The first time it makes a domain, two accounts, an owner and an API token, with
# random passwords that stay in build/run/credentials; later runs find them, and all mail,
# again.
#
#   packaging/run-local.sh          ports are 2000 + the usual one: smtp 2025, imaps 2993 …
#   BASE=10000 packaging/run-local.sh
#   MAILSTEAD_BINARY=FILE              another binary than build/mailstead
set -eu
cd "$(dirname "$0")/.."

base=${BASE:-2000}
mailstead=${MAILSTEAD_BINARY:-build/mailstead}
dir=$PWD/build/run
domain=example.test
run=$dir/run
# The path of a unix socket has 107 bytes.
[ ${#run} -le 80 ] || run=${TMPDIR:-/tmp}/mailstead-$(id -u)-$base

umask 077
mkdir -p "$dir/data" "$run"
cat >"$dir/mailstead.yaml" <<END
# Made by packaging/run-local.sh at each start; edit a copy.
hostname: mail.$domain
data_dir: $dir/data
run_dir: $run
listen:
  smtp: ["127.0.0.1:$((base + 25))"]
  submission: ["127.0.0.1:$((base + 587))"]
  submissions: ["127.0.0.1:$((base + 465))"]
  imap: ["127.0.0.1:$((base + 143))"]
  imaps: ["127.0.0.1:$((base + 993))"]
  pop3: ["127.0.0.1:$((base + 110))"]
  pop3s: ["127.0.0.1:$((base + 995))"]
  http: ["127.0.0.1:$((base + 80))"]
  https: ["127.0.0.1:$((base + 443))"]
processes: {smtp: 1, imap: 1}
END
export MAILSTEAD_CONFIG="$dir/mailstead.yaml"

"$mailstead" check
"$mailstead" serve >"$dir/log" 2>&1 &
pid=$!
stop()
{
	trap '' INT TERM HUP
	kill -TERM $pid 2>/dev/null && echo "stopping"
	wait $pid || true
	exit "$1"
}
trap 'echo; stop 0' INT TERM HUP

fail()
{
	echo "$1; the log ($dir/log) ends:" >&2
	tail -n 20 "$dir/log" >&2
	stop 1
}

tries=0
until "$mailstead" domain list >/dev/null 2>&1; do
	kill -0 $pid 2>/dev/null || fail "mailstead ended"
	tries=$((tries + 1))
	[ $tries -lt 150 ] || fail "mailstead does not answer"
	sleep 0.1
done

password()
{
	LC_ALL=C tr -dc a-km-z2-9 </dev/urandom | head -c 16
}

# login account|admin NAME PASSWORD: makes it, or gives it that password.
login()
{
	verb=add
	"$mailstead" "$1" show "$2" >/dev/null 2>&1 && verb=password
	echo "$3" | "$mailstead" "$1" $verb "$2" --password-stdin >/dev/null ||
		fail "cannot make the $1 $2"
}

# Made only once all of it is there, so that a first run that was cut short starts again.
if [ ! -e "$dir/credentials" ]; then
	owner=$(password) ann=$(password) bob=$(password)
	"$mailstead" domain list | grep -qw "$domain" ||
		"$mailstead" domain add "$domain" >/dev/null || fail "cannot make the domain"
	login account "ann@$domain" "$ann"
	login account "bob@$domain" "$bob"
	login admin owner "$owner"
	token=$("$mailstead" token create make-run --expires never)
	[ -n "$token" ] || fail "cannot make a token"
	cat >"$dir/credentials.new" <<END
owner=$owner
ann=$ann
bob=$bob
token=$token
END
	mv "$dir/credentials.new" "$dir/credentials"
fi
. "$dir/credentials"

cat <<END

Mailstead runs. Ctrl-C ends it; mail and passwords stay in build/run.

  dashboard  https://127.0.0.1:$((base + 443))/   (certificate is self-signed)
             login owner, password $owner
  accounts   ann@$domain, password $ann
             bob@$domain, password $bob

A message from outside to ann:
  swaks -s 127.0.0.1:$((base + 25)) -f you@elsewhere.test -t ann@$domain --tls
A message from ann to bob, submitted:
  swaks -s 127.0.0.1:$((base + 587)) --tls -a PLAIN -au ann@$domain -ap $ann -f ann@$domain -t bob@$domain
Ann's inbox, and its newest message:
  curl -k -u ann@$domain:$ann imaps://127.0.0.1:$((base + 993))/ -X 'STATUS INBOX (MESSAGES UNSEEN)'
  curl -k -u ann@$domain:$ann 'imaps://127.0.0.1:$((base + 993))/INBOX;MAILINDEX=*'
The REST API:
  curl -k -H 'Authorization: Bearer $token' https://127.0.0.1:$((base + 443))/api/v1/domains
The command line:
  export MAILSTEAD_CONFIG=$MAILSTEAD_CONFIG
  $mailstead trace ann@$domain

END

wait $pid || fail "mailstead ended"
stop 0
