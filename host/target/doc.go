// Package target reaches the side that holds no user: it starts an agent there,
// puts one there first if need be, and hands over a pipe to it.
//
// Its promise: what Dial returns is a pipe to an agent of exactly the host's
// version, which has greeted; what Dial fails with is one line that says what is
// wrong and one that says what to do. Nothing hangs: every command has a
// deadline.
//
// It speaks no protocol beyond the greeting, knows nothing of trees, and does
// not dial again by itself: an Error says whether waiting may help, and the
// session decides. It removes nothing from a container, and needs nothing in it:
// no shell, no tar, no env, no /etc/passwd and no home. (On a cluster it needs a
// shell or an agent in the image: there nothing can be copied in from outside.)
//
// # Docker
//
// Everything goes through the user's own docker command, so that contexts,
// DOCKER_HOST, credentials and look-alikes work as they do for the user.
//
// The agent of this host lives in a container at
//
//	/.twosync/agent/DIGEST/twosync-agent
//
// where DIGEST is the start of its SHA-256. It is started by its bare name, with
// a PATH that lists this folder and then those where an image can carry an agent
// ("baked in"): /usr/local/bin and /. So one command finds whichever is there.
//
//	warm: exec                     1 command
//	cold: exec, cp, exec           3 commands
//
// Further commands are needed only where something is out of the ordinary:
//
//   - The container is for another machine than the host: the first agent fails
//     with "exec format error", and the same is done with the agent for the
//     other machine: 6 commands cold, 2 warm, 1 when dialled again by the same
//     process. (An agent for the other machine is not copied in advance, because
//     building one takes seconds.)
//   - The name is that of a compose service: 1 more to find its container, and
//     the exec that found no container of that name.
//   - The name is made of fewer than 12 hexadecimal digits, which docker takes for
//     the start of an id where there is no such name: 1 more, each time.
//   - The root file system is read-only: the agent goes into ROOT/.twosync/agent
//     if that is on a volume. 1 more, cold.
//
// # Kubernetes
//
// Everything goes through the user's own kubectl, so that contexts, login plugins
// and proxies work as they do for the user. The context and the namespace that
// are in use are settled when a session starts.
//
//	config view      which cluster and namespace          once
//	get              the pod that is meant, and its state  each time
//	exec -i          the agent                             each time
//
// KIND/NAME needs one more get, once, for its selector, and one kubectl that
// watches its pods while it is connected.
//
// No tar, and no copy: a shell in the container (deliver.sh) finds the agent or
// takes it from its input into the first place that can be written and executed,
// runs it once for its digest, and becomes it, all in one exec. Where there is no
// shell, an agent of any version that the image carries takes ours in (package
// agent); if it is of another version, one more exec starts ours. The places are the top of the container, the pod's writable mounts,
// /tmp, and the root itself, last.
//
// What kubectl exec is known for, and what is done about it:
//
//   - Input ends when the other side closes or redirects its output or errors:
//     neither the script nor the agent does.
//   - Exit status 0 says nothing, nor does the end of the output: the greeting
//     begins a session and a message ends it.
//   - Nobody is told when a kubelet freezes or a runtime dies: heartbeats.
//   - A process in the container hears nothing of the pod's deletion. A pod that
//     is being deleted is not taken; one that is connected is left as soon as
//     another one of its KIND/NAME is ready.
//   - A pod that is gone is waited for with a watch, not by asking.
//
// # Why
//
// The digest in the name means that an old agent is never run by mistake and
// that one which runs is never written over ("text file busy"). Old agents stay
// behind, 4 MB a version, until the container goes: removing them would need an
// agent that is trusted to delete.
//
// A tar archive on the standard input of docker cp brings folders and modes
// along and asks nothing of the host's file system. In it the agent is written
// under another name first and then hard-linked to the one that is run: a copy
// that was cut short leaves no half agent that would be found next time.
//
// Trying first and asking when it failed is what makes the warm path one
// command. Asking for the container's state and machine first was rejected: each
// question costs as much as the answer, 75 ms, every time.
//
// Failures are told apart by exit status first and by docker's words second. The
// words are matched loosely, in one table (rules.go), since they differ between
// versions; when none match, docker's own line is shown as it is.
package target
