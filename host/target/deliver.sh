# Finds the agent in a container, or takes it from standard input, and becomes it.
# Arguments: PLACES BAKED AGENT-ARGUMENTS..., the first two separated by colons.
# Where the container has little memory, the agent collects earlier: two thirds of
# the limit are its at most.
# Nothing here may close or redirect our own output: then our input would end.
set -f
IFS=:
L=$1 B=$2
shift 2
echo "twosync-here $(uname -m 2>/dev/null):"
read -r P S N || exit 1
m=
for f in memory.max memory/memory.limit_in_bytes; do
{ read -r m </sys/fs/cgroup/$f; } 2>/dev/null && break
done
case $m in
"" | *[!0-9]*) ;;
*) export GOMEMLIMIT=$((m / 3 * 2)) ;;
esac
O=-
for t in $L; do
a=${t%/}/.twosync/agent/$P/twosync-agent
[ -x "$a" ] && exec "$a" "$@"
done
for a in $B; do
[ -x "$a" ] || continue
case $("$a" version 2>/dev/null) in
*" $S "*) exec "$a" "$@" ;;
"twosync-agent "*) O=$a ;;
esac
done
get() { head -c "$N"; }
if ! command -v head >/dev/null; then
get() { dd bs=1 count="$N" 2>/dev/null; }
command -v dd >/dev/null || { echo "twosync-lacks $O:head or dd"; exit 1; }
fi
for c in mkdir chmod mv; do
command -v $c >/dev/null || { echo "twosync-lacks $O:$c"; exit 1; }
done
for t in $L; do
d=${t%/}/.twosync/agent/$P
f=$d/part.$$
mkdir -p "$d" 2>/dev/null && (: >"$f") 2>/dev/null || continue
echo "twosync-need $O:$t"
w=$(get 2>&1 >"$f")
chmod 755 "$f"
v=$("$f" version 2>&1)
case $v in
*" $S "*) mv -f "$f" "$d/twosync-agent" && exec "$d/twosync-agent" "$@" ;;
esac
rm -f "$f"
echo "twosync-bad $t:$w$v"
exit 1
done
echo "twosync-nowhere $O:"
exit 1
