// Package agents finds the static agent that the host puts into a container.
//
// A plain "go build ./host/twosync", with nothing generated before it and run
// from any folder, can sync into a container: Find looks in turn at
//
//  1. $TWOSYNC_AGENT, the path of an agent (for packagers, and for when
//     nothing else works);
//  2. the cache, $XDG_CACHE_HOME/twosync/agents, where everything below ends
//     up: a container engine wants a file to copy;
//  3. the agents embedded in this executable, which release builds carry;
//  4. the local Go toolchain, which builds one: from the module's source when
//     it is on this disk, else from the version that the executable was
//     installed as;
//
// and fails with the command to run when there is none of these. Its promise:
// the file that it names is whole, has the digest that it says, and was made
// from the source of this executable: as it was installed or released, or as it
// stands on this disk.
//
// It downloads nothing by itself, and it does not use the host's own executable
// as an agent: with cgo that one is dynamically linked, and a container made
// from scratch has no loader for it.
//
// # Release builds
//
// Put the agents, compressed, into dist and build with -tags embedagents, which
// names each file, so that a missing one fails the compilation:
//
//	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -trimpath \
//		-gcflags=fmt=-l -gcflags=net=-l -gcflags=log=-l -ldflags '-s -w -funcalign=4' \
//		-o - ./agent/twosync-agent | zstd -19 > host/agents/dist/twosync-agent-linux-arm64.zst
//
// # Why
//
// The cache is keyed by the digest of the host's executable and by nothing
// else: an agent that was built for another host must not be found, and the
// digest is the one name for "this very build" that also exists for uncommitted
// work. A name that does not change with the content, such as a version, was
// rejected for that reason. The price is 10 ms of hashing, and that a change to
// the agent's main package alone needs the cache to be removed.
//
// A file in the cache carries its own digest in its name, and is checked
// against it each time: the digest is needed anyway to know the agent by its
// greeting, and a damaged file then heals itself.
//
// The agent is built with settings of our own (no cgo, no workspace, no flags
// from the environment or from go env -w, the lowest CPU level): what a developer
// has set for the project at hand says nothing about the container. Only how
// modules are fetched and where they are kept is the user's.
package agents
