//go:build linux

package e2e

import (
	"os/exec"
	"path"
	"strings"
	"testing"
)

// programs are some of this machine's, with the libraries that they link to.
func programs(t *testing.T, names ...string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, name := range names {
		found, err := exec.LookPath(name)
		must(t, err)
		out, err := exec.Command("ldd", found).Output()
		must(t, err)
		all["bin/"+name] = found
		for field := range strings.FieldsSeq(string(out)) {
			if strings.HasPrefix(field, "/") {
				all[strings.TrimPrefix(path.Clean(field), "/")] = field
			}
		}
	}
	return all
}

// shellWith is an image with Debian's shell and these programs, and no others.
func shellWith(t *testing.T, names ...string) recipe {
	t.Helper()
	r := recipe{name: "shell " + strings.Join(names, " "), programs: programs(t, append([]string{"dash"}, names...)...)}
	r.links = map[string]string{"bin/sh": "dash"}
	return r
}

// What an image must have for the agent to come in: a shell, and something that
// reads, makes folders, and sets modes.
//
// where: Kubernetes, any pod: the image has a shell, mkdir, chmod, mv, and head or dd
func TestPodDelivery(t *testing.T) {
	long(t)
	t.Parallel()
	for name, with := range map[string]string{
		"head":     "head mkdir chmod mv uname",
		"dd":       "dd mkdir chmod mv rm",
		"no_uname": "head mkdir chmod mv",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := newPod(t, plan{recipe: shellWith(t, strings.Fields(with)...)})
			p := beginWithPod(t, "k8s:///"+pod+":/app", pod, "/app")
			p.settled(t)
			p.stop()
		})
	}
	t.Run("lacks", func(t *testing.T) {
		t.Parallel()
		less := newPod(t, plan{recipe: shellWith(t, "head", "mkdir", "mv")})
		none := newPod(t, plan{recipe: shellWith(t)})
		refused(t, map[string]refusal{
			"chmod":  {target: "k8s:///" + less + ":/app", words: []string{"lacks chmod", "COPY twosync-agent", "agent manifest"}},
			"reader": {target: "k8s:///" + none + ":/app", words: []string{"lacks head or dd", "COPY twosync-agent", "agent manifest"}},
		})
	})
}

// Busybox without a link for its shell, as debug images have it.
//
// where: Kubernetes, debug image: its shell is busybox at /busybox/sh
func TestPodDebugImage(t *testing.T) {
	t.Parallel()
	r := recipe{name: "debug", links: map[string]string{"busybox/sh": "../bin/busybox"}}
	pod := newPod(t, plan{recipe: r})
	p := beginWithPod(t, "k8s:///"+pod+":/app", pod, "/app")
	p.settled(t)
	p.stop()
}

// Where the user is nobody and nothing but one of several mounts can be written
// to, that one is found, and not the one that is synced.
//
// where: Kubernetes, hardened pod: the agent goes into a writable mount where the root is read-only
func TestPodPlaces(t *testing.T) {
	t.Parallel()
	mounts := map[string]object{"/app": {}, "/cache": {}}
	pod := newPod(t, plan{recipe: busybox, hard: true, empty: mounts})
	p := beginWithPod(t, "k8s:///"+pod+":/app", pod, "/app")
	p.ranFrom("/cache/.twosync/agent/")
	p.settled(t)
	p.stop()

	only := newPod(t, plan{recipe: busybox, hard: true, empty: map[string]object{"/app": {}}})
	p = beginWithPod(t, "k8s:///"+only+":/app", only, "/app")
	p.ranFrom("/app/.twosync/agent/")
	p.settled(t)
	p.stop()
}
