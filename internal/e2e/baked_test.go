//go:build linux

package e2e

import (
	"debug/elf"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Images into which nothing may be copied: they carry the agent.

var (
	withAgent = recipe{name: "with-agent", agent: true}

	// atOpt has the agent where only --agent-path finds it.
	atOpt = func() recipe { return recipe{name: "at-opt", programs: map[string]string{"opt/tools/ts": built.agent}} }
)

// otherAgent is an agent of another version: a loader does not look behind the
// last segment, and the digest does.
func otherAgent(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(built.agent)
	must(t, err)
	file := filepath.Join(t.TempDir(), agentName)
	must(t, os.WriteFile(file, append(text, "another version"...), 0o755))
	return file
}

// notes fails the test unless a session has said this.
func (s *session) notes(words string) {
	s.t.Helper()
	for _, e := range s.said("note") {
		if strings.Contains(e.Text, words) {
			return
		}
	}
	s.t.Errorf("up does not say %q", words)
}

// ranFrom fails the test unless the agent runs from a path.
func (p *pair) ranFrom(path string) {
	p.t.Helper()
	for _, a := range p.inner.do(Request{Do: "procs", Data: []byte("--root")}).Procs {
		if strings.HasPrefix(a.Args, path) {
			return
		}
	}
	p.t.Errorf("no agent runs from %s: %v", path, p.inner.do(Request{Do: "procs", Data: []byte("--root")}).Procs)
}

// lockedDown is what rules make of a container whose image is made from scratch.
func lockedDown(r recipe) plan {
	return plan{recipe: r, hard: true, empty: map[string]object{"/work": {}}}
}

// The agent of the image is taken: nothing is written outside of the directory.
//
// where: Kubernetes, hardened pod from scratch: the agent is in the image, in a usual place or one that is named
func TestBakedInPod(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		recipe recipe
		from   string
		flags  []string
	}{
		"found":      {withAgent, agentName, nil},
		"agent_path": {atOpt(), "/opt/tools/ts", []string{"--agent-path", "/opt/tools/ts"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := newPod(t, lockedDown(x.recipe))
			p := newClusterPlace(t)
			source(onHost(t, p.dir))
			b := p.beginPod("k8s:///"+pod+":/work/app", pod, "/work/app", x.flags...)
			b.inner.write("from inside", "here\n")
			b.settled(t)
			b.ranFrom(x.from)
			if names := b.inner.do(Request{Do: "names", Path: []byte("/work")}).Names; len(names) != 1 {
				t.Errorf("in /work there is %q, want nothing but the directory", names)
			}
			b.stop()
		})
	}
}

// An agent of another version says so, and takes in ours where there is a place;
// with a shell in the image or without one. The next time it is there already.
//
// where: Kubernetes, hardened pod from scratch: the agent in the image is of another version
func TestBakedOtherVersionInPod(t *testing.T) {
	t.Parallel()
	bare := map[string]string{"usr/local/bin/twosync-agent": otherAgent(t)}
	for name, r := range map[string]recipe{
		"scratch": {name: "other", programs: bare},
		"shell":   {name: "other-shell", programs: bare, links: busyboxLinks()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := newPod(t, lockedDown(r))
			p := newClusterPlace(t)
			source(onHost(t, p.dir))
			for range 2 {
				b := p.beginPod("k8s:///"+pod+":/work/app", pod, "/work/app")
				b.inner.write("from inside", "here\n")
				b.settled(t)
				b.ranFrom("/work/.twosync/agent/")
				b.stop()
				if len(b.said("note")) == 0 {
					continue
				}
				b.notes("is of another version: this one's is put into /work beside it")
			}
			noplace := newPod(t, plan{recipe: r, hard: true})
			p.refuses(failed, []string{"another version", "can write nowhere", "COPY twosync-agent"}, "k8s:///"+noplace+":/app")
			p.refuses(failed, []string{"nothing may be executed", "emptyDir"}, "k8s:///"+noplace+":/dev/shm/app")
		})
	}
}

// The same in Docker, where a volume is all that can be written to.
//
// where: Docker, read-only root and a volume: the agent is in the image, in a usual place or one that is named
// where: Docker, read-only root and a volume: the agent in the image is of another version
func TestBakedInDocker(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		recipe recipe
		flags  []string
		note   string
	}{
		"found":         {withAgent, nil, ""},
		"agent_path":    {atOpt(), []string{"--agent-path", "/opt/tools/ts"}, ""},
		"other_version": {recipe{name: "other-docker", programs: map[string]string{"usr/local/bin/twosync-agent": otherAgent(t)}}, nil, "another version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x.recipe.name += "-uid"
			x.recipe.user, x.recipe.owner, x.recipe.dirs = "12345", 12345, []string{"app/"}
			c := runContainer(t, x.recipe, "--read-only", "-v", newVolume(t)+":/app")
			p := newPlace(t)
			source(onHost(t, p.dir))
			b := &pair{session: p.up(c+":/app", x.flags...), container: c}
			b.inSync()
			b.host, b.inner = onHost(t, p.dir), inside(t, c, "/app")
			b.inner.write("from inside", "here\n")
			b.settled(t)
			if x.note != "" {
				b.notes(x.note)
			}
			b.stop()
		})
	}
	c := runContainer(t, scratch)
	p := newPlace(t)
	p.refuses(failed, []string{"no agent at /opt/agent", "--agent-path"}, c+":/app", "--agent-path", "/opt/agent")
}

// Export writes what an image can carry, for each machine.
func TestAgentExport(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dir := t.TempDir()
	if code, _, stderr := p.run("agent", "export", dir); code != fine || !strings.Contains(stderr, "COPY twosync-agent") {
		t.Fatalf("export ended with %d: %s", code, stderr)
	}
	file := filepath.Join(dir, agentName)
	want, err := os.ReadFile(built.agent)
	must(t, err)
	got, err := os.ReadFile(file)
	must(t, err)
	st, err := os.Stat(file)
	must(t, err)
	if string(got) != string(want) || st.Mode().Perm() != 0o755 {
		t.Errorf("the file has %d bytes and mode %v, want those of the agent", len(got), st.Mode())
	}
	for _, args := range [][]string{{"--platform", "linux/sparc", file}, {"--platform", "windows/amd64", file}, {}} {
		if code, _, stderr := p.run(append([]string{"agent", "export"}, args...)...); code != usage || strings.Count(stderr, "\n") != 2 {
			t.Errorf("export %q ended with %d: %s", args, code, stderr)
		}
	}
	if code, _, stderr := p.run("agent", "export", "/proc/nowhere"); code != failed {
		t.Errorf("export to where nothing can be written ended with %d: %s", code, stderr)
	}
	p.environment = []string{"TWOSYNC_AGENT="}
	if code, _, stderr := p.run("agent", "export", "--platform", "linux/arm64", file); code != fine {
		t.Fatalf("export for arm64 ended with %d: %s", code, stderr)
	}
	f, err := elf.Open(file)
	must(t, err)
	defer f.Close()
	if f.Machine != elf.EM_AARCH64 {
		t.Errorf("the agent for arm64 is for %v", f.Machine)
	}
}

// agentImage builds the image that `agent manifest --help` describes, by its
// words.
func agentImage(t *testing.T, p *place) string {
	t.Helper()
	needDocker(t)
	dir := t.TempDir()
	if code, _, stderr := p.run("agent", "export", dir); code != fine {
		t.Fatalf("export ended with %d: %s", code, stderr)
	}
	_, help, _ := p.run("agent", "manifest", "--help")
	_, line, _ := strings.Cut(help, "printf '")
	file, _, ok := strings.Cut(line, "'")
	if !ok {
		t.Fatalf("manifest --help has no Dockerfile: %s", help)
	}
	must(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(strings.ReplaceAll(file, `\n`, "\n")), 0o644))
	name := newName()
	docker(t, "build", "-q", "-t", name, dir)
	t.Cleanup(func() { docker(t, "rmi", name) })
	return name
}

// The remedy is one: the init container that manifest prints brings the agent
// into a pod made from scratch, whose image has nothing of ours.
//
// where: Kubernetes, hardened pod from scratch: an init container brings the agent
func TestAgentManifest(t *testing.T) {
	t.Parallel()
	p := newClusterPlace(t)
	image := agentImage(t, p)
	name := "localhost/" + image + ":1"
	docker(t, "tag", image, name)
	t.Cleanup(func() { docker(t, "rmi", name) })
	archive := filepath.Join(t.TempDir(), "image.tar")
	docker(t, "save", "-o", archive, name)
	saved, err := os.ReadFile(archive)
	must(t, err)
	must(t, cluster.Import(saved))
	for _, flags := range [][]string{{"--pod"}, {}} { // the second is for what makes pods
		code, patch, stderr := p.run(append([]string{"agent", "manifest", "--image", name, "--container", "main"}, flags...)...)
		if code != fine {
			t.Fatalf("manifest ended with %d: %s", code, stderr)
		}
		pod := newName()
		t.Cleanup(func() { deletePod(t, pod) })
		o := lockedDown(scratch).object(t, pod)
		if flags == nil {
			o["spec"] = object{"template": object{"spec": o["spec"]}, "selector": object{"matchLabels": object{"a": "b"}}}
			o["apiVersion"], o["kind"] = "apps/v1", "Deployment"
		}
		patched := patchedBy(t, o, patch)
		if len(flags) == 0 {
			if !strings.Contains(patched, `"initContainers"`) {
				t.Errorf("the patch of a deployment makes no init container: %s", patched)
			}
			continue
		}
		_, err := cluster.Kubectl(strings.ReplaceAll(patched, `"command": [`, `"imagePullPolicy": "Never", "command": [`), "apply", "-f", "-")
		must(t, err)
		podReady(t, pod)
		source(onHost(t, p.dir))
		b := p.beginPod("k8s:///"+pod+":/work/app", pod, "/work/app")
		b.settled(t)
		b.ranFrom("/twosync/" + agentName)
		b.stop()
	}
}

// patchedBy is an object with a patch, as kubectl makes it.
func patchedBy(t *testing.T, o object, patch string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "patch"), []byte(patch), 0o644))
	whole := filepath.Join(dir, "object")
	text, err := json.Marshal(o)
	must(t, err)
	must(t, os.WriteFile(whole, text, 0o644))
	return kubectl(t, "patch", "--local", "-f", whole, "--patch-file", filepath.Join(dir, "patch"), "-o", "json")
}
