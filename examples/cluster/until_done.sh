#!/bin/bash
# Starts one command on several hosts, and again when a worker or a host is lost, until it is done.
#
#   until_done.sh HOST:PORT ... -- COMMAND ...
#   until_done.sh node1:12345 node2:12345 -- .venv/bin/keras-resnet imagenet --run_dir=runs/mine
#
# The first host is the chief. Each works in the directory that has the path of this one, and must
# let ssh in without a password. What worker 0 says is added to worker-0.log here, and so on.
# Ctrl-C, SIGTERM and SIGHUP save and stop all; so does the end of this script or of a connection.
#
# Status: 0, done; 130, stopped; else that of a worker which is not to be started again.

# How many seconds after an end all start again.
pause=${PAUSE:-30}

hosts=()
while [ "$#" -gt 0 ] && [ "$1" != -- ]; do
  hosts+=("$1")
  shift
done
if [ "$#" -lt 2 ] || [ "${#hosts[@]}" -eq 0 ]; then
  echo "Usage: $0 HOST:PORT ... -- COMMAND ..." >&2
  exit 1
fi
shift

# What a host does. Its input never has a line, but ends: then the command gets SIGTERM.
# shellcheck disable=SC2016
on_host='
cd "$1" && export TF_CONFIG="$2" && shift 2 || exit 1
exec 3<&0
"$@" < /dev/null 3<&- &
worker=$!
{ read -r _ <&3; kill -TERM "$worker"; } &
wait "$worker"
status=$?
kill "$!" 2> /dev/null
exit "$status"'

# The words as a shell reads them, whatever is in them.
quoted() {
  local quote="'\\''"
  printf " '%s'" "${@//"'"/"$quote"}"
}

tf_config() {
  local workers
  workers=$(printf ', "%s"' "${hosts[@]}")
  echo "{\"cluster\": {\"worker\": [${workers:2}]}, \"task\": {\"type\": \"worker\", \"index\": $1}}"
}

run_worker() {
  local index=$1 status=0
  shift
  # The connection must outlive a Ctrl-C, so that the worker's end is heard of.
  trap '' INT TERM HUP
  ssh -o BatchMode=yes -o ServerAliveInterval=15 "${hosts[index]%:*}" \
    "$(quoted bash -c "$on_host" worker "$PWD" "$(tf_config "$index")" "$@")" \
    >> "worker-$index.log" 2>&1 || status=$?
  echo "Worker $index (${hosts[index]}) ended with status $status."
  return "$status"
}

# The status of a process; a signal to this one interrupts the wait.
wait_for() {
  local status=0
  wait "$1" || status=$?
  while kill -0 "$1" 2> /dev/null; do
    status=0
    wait "$1" || status=$?
  done
  return "$status"
}

# Runs all workers; the status is 0, or one that is to end this script, or 75: start again.
run_all() {
  local pids=() result=0 index status
  for index in "${!hosts[@]}"; do
    run_worker "$index" "$@" <&4 3>&- 4<&- &
    pids+=("$!")
  done
  for index in "${!pids[@]}"; do
    status=0
    wait_for "${pids[index]}" || status=$?
    case $status in
      0) ;;
      # ssh did not reach the host, or lost it. The others, who miss it, may call that a mistake.
      255) result=255 ;;
      75 | 12[89] | 1[3-9]? | 2??) [ "$result" -ne 0 ] || result=75 ;;
      *) [ "$result" -eq 255 ] || result=$status ;;
    esac
  done
  [ "$result" -ne 255 ] || result=75
  return "$result"
}

# The hosts' input is a pipe into which nobody writes, and which ends with this process.
directory=$(mktemp -d) && mkfifo "$directory/pipe" || exit 1
exec 3<> "$directory/pipe" 4< "$directory/pipe"
rm -r "$directory"
stopped=
sleeper=
trap 'stopped=yes; exec 3>&-; kill "$sleeper" 2> /dev/null' INT TERM HUP

quick_ends=0
while [ "$quick_ends" -lt 5 ]; do
  began=$SECONDS
  status=0
  run_all "$@" || status=$?
  [ -z "$stopped" ] || exit 130
  [ "$status" -eq 75 ] || exit "$status"
  quick_ends=$((SECONDS - began < 60 ? quick_ends + 1 : 0))
  echo "All workers start again in $pause s."
  sleep "$pause" &
  sleeper=$!
  # A signal until here found no sleeper to end.
  [ -z "$stopped" ] || kill "$sleeper"
  wait "$sleeper"
  [ -z "$stopped" ] || exit 130
  sleeper=
done
echo "Five starts in a row ended within a minute, so there is no other." >&2
exit 75
