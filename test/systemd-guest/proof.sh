# Checks of the agent under systemd, in the guest: which ones depends on how often it has started. Each prints one line,
# `ok NAME` or `failed NAME: WHY`; the last line of a start is `end NUMBER`.
set -u
state=/var/lib/proof
mkdir -p "$state"
start=$(($(cat "$state/starts" 2>/dev/null || echo 0) + 1))
echo "$start" >"$state/starts"

# check NAME COMMAND…: the command's own output says why it failed.
check() {
  name=$1
  shift
  if output=$("$@" 2>&1); then echo "ok $name"; else echo "failed $name: $(echo "$output" | tr '\n' ' ')"; fi
}
property() { systemctl show --value -p "$1" backstayd; }
# within SECONDS COMMAND…: until it succeeds.
within() {
  limit=$(($(cut -d. -f1 /proc/uptime) + $1))
  shift
  until "$@"; do
    [ "$(cut -d. -f1 /proc/uptime)" -lt "$limit" ] || { systemctl status backstayd; return 1; }
    sleep 1
  done
}

is_up() { [ "$(property ActiveState)/$(property SubState)" = active/running ]; }
is_another() { is_up && [ "$(property MainPID)" != "$1" ]; }
# Until it had said that it is ready, the manager held it for starting.
was_started_then_ready() {
  echo "started $(property ExecMainStartTimestampMonotonic) active $(property ActiveEnterTimestampMonotonic)"
  [ "$(property ActiveEnterTimestampMonotonic)" -gt "$(property ExecMainStartTimestampMonotonic)" ]
}
says() { property StatusText; property StatusText | grep -q "$1"; }
never_failed() { property NRestarts; [ "$(property NRestarts)" = 0 ]; }
sessions() { backstay sessions --json | grep -o '"outcome":"success"' | wc -l; }
has_sessions() { backstay sessions --json; [ "$(sessions)" = "$1" ]; }
is_sealed() { printf 'a password' | backstay secret set documents-repository | grep 'sealed by systemd'; }
has_policy() { backstay policies; backstay policies | grep -q '^documents'; }
reloads() {
  before=$(property MainPID)
  systemctl reload backstayd && within 180 is_up && [ "$(property MainPID)" = "$before" ]
}
restarts() {
  before=$(property MainPID)
  systemctl restart backstayd && is_another "$before"
}
comes_back_from() {
  before=$(property MainPID)
  kill "-$1" "$before"
  within 120 is_another "$before"
}
ran_what_was_missed() { backstay sessions --json | grep -q '"cause":{"kind":"missed"'; }
drains() {
  dd if=/dev/urandom of=/srv/documents/large bs=1M count=300 2>/dev/null
  backstay run documents >/dev/null
  within 30 says 'running documents' >/dev/null || return 1
  systemctl restart backstayd
  property Result
  is_up && journalctl -u backstayd -b | grep -q 'A session has ended' && ! journalctl -u backstayd -b | grep 'timed out'
}

everywhere() {
  check 'is active after the start of the machine' within 300 is_up
  check 'was taken for started when it said so' was_started_then_ready
  check 'has a status line' within 180 says 'documents\|polic'
}

case $start in
1)
  everywhere
  mkdir -p /srv/documents
  echo first >/srv/documents/one
  check 'keeps a secret that systemd has sealed' is_sealed
  check 'accepts a policy' backstay policy apply /usr/share/proof/documents.yaml
  check 'has the policy in force' within 180 has_policy
  check 'runs it' backstay run documents --wait
  check 'never failed' never_failed
  check 'reads its settings again' reloads
  check 'is restarted by systemctl' restarts
  check 'knows its sessions afterwards' has_sessions 1
  check 'ends a run in order when it is to end' drains
  check 'comes back when it is killed' comes_back_from KILL
  check 'comes back when it hangs' comes_back_from STOP
  next=reboot
  ;;
2)
  everywhere
  check 'knows its sessions after a reboot' test "$(sessions)" -ge 1
  check 'has the policy in force' within 180 has_policy
  check 'unseals its secret after a reboot' backstay run documents --wait
  check 'never failed' never_failed
  sessions >"$state/sessions"
  next=poweroff
  ;;
*)
  everywhere
  check 'catches up the run that was missed while the machine was off' within 180 ran_what_was_missed
  check 'ends that run well, and no other' within 120 has_sessions "$(($(cat "$state/sessions") + 1))"
  check 'never failed' never_failed
  next=poweroff
  ;;
esac
journalctl -u backstayd -b -p warning --no-pager -o cat | sed 's/^/journal /'
echo "end $start"
systemctl --no-block "$next"
