// Command bench measures twosync, side by side with what a user would pick
// instead and with the floor, on the machine it is started on.
//
//	go run ./bench
//	go run ./bench -tools twosync,floor -workloads save -files 1000 -out DIR
//
// It builds twosync from this tree, makes its data from a seed, starts a container
// of its own, runs the workloads through each tool in turn, and writes bench.md
// (tables), bench.json (the machine, the versions and every raw sample) and
// bench.svg (a picture) to -out. docs/bench.md says how to read them.
// Its main promise is that a number stands for work that was done: after each run
// both trees are read whole and compared by content, and a tree that is wrong
// makes a failed run, not a number.
//
// It refuses to guess: what is not installed is named and left out, and without a
// Docker engine it does not start. It works in a temporary folder, a container, an
// image and a volume of its own, removes exactly these when it ends, and only
// reads -tree.
//
// # The pieces
//
//   - tool.go says what a tool is; tool_*.go are the tools. Some keep two
//     directories the same (a session), some fill one once, some show the
//     container the host's own directory (a share).
//   - work.go lists the workloads; work_*.go are the workloads. A workload takes
//     samples; it judges nothing.
//   - lines.go says what the tables show of the samples, with the budgets.
//   - sample.go, table.go, svg.go and picture*.go are pure.
//   - engine.go and image.go are the container; clock.go compares moments on its
//     two sides.
//   - probe does the work and the looking on each side, as a process there.
//   - standin/slowfs stands in for the shares of macOS; a module of its own.
//
// A tool is added as one entry in tools and a file, a workload as one entry in
// workloads, a file, and its lines.
//
// # Why
//
// Ratios, not times, travel from machine to machine, so every line that can be is
// put beside something that moves the same bytes on the same disk in the same run:
// A B A B, with sync(2) between, best of the rounds. The best round is taken and
// not the mean because what disturbs a run only ever makes it slower.
//
// The floor is the smallest thing that could work: one inotify watch, one open
// docker exec pipe, one temporary file, one rename. It is in no tree, keeps no
// promise and goes one way, so no tool for users reaches it; what a ratio to it
// shows is what care costs. Bulk jobs have floors of their own: tar, cp, find, the
// writes.
//
// Bytes on the wire are read from the kernel's count of what the docker command
// between the two sides has read, in both directions. That needs nothing from the
// tool, so it is the same for all; it includes the eight bytes that the engine
// puts before each piece of output. macOS keeps no such count, so there are no
// wire bytes there.
//
// The picture is written by hand, as text: a plotting library would be a
// dependency of the module for one file, and none puts every sample, the floor and
// a ratio in words on one row without as much code around it.
package main
