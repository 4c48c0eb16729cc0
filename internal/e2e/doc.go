// Package e2e tests the programs that a user has, twosync and its agent,
// against real containers.
//
// Its promise: what passes here was done by the released code paths from the
// command line to the kernel, with nothing replaced. Each test names the cases
// of the contract that it stands for (A2, J6), and compares whole trees: kinds,
// contents, exec bits, link texts and special files.
//
// It refuses to wait for time to pass. `twosync flush` is the barrier, events
// of `up --json` are the milestones, and every wait has a deadline.
//
// How it is laid out:
//
//	wire.go               what tests ask a user to do, and what users answer
//	testdata/helper       the user: a static program, one on each side
//	docker_test.go        images, containers, and their end
//	cluster_test.go       the Kubernetes cluster of a run; pod_test.go: its pods
//	where_test.go         docs/where.md, from the comments of the tests
//	user_test.go          a user as tests see it
//	session_test.go       `twosync up` as a child process
//	tree_test.go          trees, and how they differ
//	here_test.go          both sides on this machine; other programs
//	tty_test.go           a program that thinks that somebody sits before it
//	scenarios_test.go     what users do, on either side; ways_test.go runs them
//	*_test.go             one file for each part of the life of a session
//
// They are for Linux. Without Docker, or without a program that a test is about, tests are skipped,
// unless TWOSYNC_REQUIRE_DOCKER is 1.
// Those with Kubernetes need root and the programs that .ci/k8s/build.sh leaves in
// a cache, and are skipped without, unless TWOSYNC_REQUIRE_K8S is 1: kubectl,
// apiserver, etcd, kubelet, containerd and runc are real, and are brought up in
// seconds and taken down at the end of a run. There is no scheduler and no
// controller: a test that needs an owner of pods does what that would do.
// With -short about a third of them runs. TWOSYNC_E2E_RACE=1 builds twosync with
// the race detector.
//
// # Why
//
// A user inside the container is a program of ours that is fed over one open
// docker exec, because starting one takes 75 ms, and a container made from
// scratch has no shell to type into. The same program is the user on the host,
// so that a scenario is written once and played in both directions.
//
// Images are imported from a tar file that the tests write: no registry is
// asked for anything, and what is in an image can be read beside the test.
package e2e
