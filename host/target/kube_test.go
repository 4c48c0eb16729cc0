package target

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseKube(t *testing.T) {
	for _, tt := range []struct {
		text  string
		short bool
		flags KubeFlags
		want  string
	}{
		{"k8s://ns/pod-1:/app", false, KubeFlags{}, "k8s://ns/pod-1:/app"},
		{"k8s://ns/po/web:/app", false, KubeFlags{}, "k8s://ns/web:/app"},
		{"k8s:///web:/app/", false, KubeFlags{}, "k8s:///web:/app"},
		{"k8s:///Deploy/web:/app//x", false, KubeFlags{}, "k8s:///deployment/web:/app/x"},
		{"k8s://ns/deployments.apps/web:/app", false, KubeFlags{}, "k8s://ns/deployment/web:/app"},
		{"k8s://ns/rollouts.argoproj.io/web:/app", false, KubeFlags{}, "k8s://ns/rollouts.argoproj.io/web:/app"},
		{"k8s://ns/web:/app?container=main", false, KubeFlags{}, "k8s://ns/web:/app?container=main"},
		{"k8s://ns/web:/app?context=a@b&container=c", false, KubeFlags{}, "k8s://ns/web:/app?container=c&context=a@b"},
		{"k8s://ns/web:/what?/is=this", false, KubeFlags{}, "k8s://ns/web:/what?/is=this"},
		{"k8s://ns/web:/app", false, KubeFlags{Context: "x", Kubeconfig: "/k"}, "k8s://ns/web:/app?context=x&kubeconfig=/k"},
		{"k8s:///web:/app", false, KubeFlags{Namespace: "ns"}, "k8s://ns/web:/app"},
		{"web:/app", true, KubeFlags{Namespace: "ns"}, "k8s://ns/web:/app"},
		{"sts/web:/app", true, KubeFlags{}, "k8s:///statefulset/web:/app"},
		{"k8s://ns/web:/app", true, KubeFlags{}, "k8s://ns/web:/app"},
	} {
		k, err := ParseKube(tt.text, tt.short, tt.flags, nil)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if k.String() != tt.want {
			t.Errorf("%q is %q, want %q", tt.text, k, tt.want)
		}
		if again, err := Parse(k.String(), nil); err != nil || again.String() != tt.want || again.Key() != k.Key() && !tt.short {
			t.Errorf("%q is read as %v, %v", tt.want, again, err)
		}
	}
}

func TestParseKubeRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"k8s://ns/web":                          "no :/PATH",
		"k8s://ns/web:app":                      "no :/PATH",
		"k8s://web:/app":                        "names no pod after the namespace",
		"k8s://ns/:/app":                        "cannot be one",
		"k8s://N_S/web:/app":                    "no namespace",
		"k8s://ns/--help:/app":                  "cannot be one",
		"k8s://ns/de ploy/web:/app":             "no kind",
		"k8s://ns/a/b/c:/app":                   "cannot be one",
		"k8s://ns/web:/":                        "all of a container",
		"k8s://ns/web:/app/..":                  "all of a container",
		"k8s://ns/web:/a\x00":                   "zero byte",
		"k8s://ns/web:/app?container=":          "names no container",
		"k8s://ns/web:/app?container=-x":        "names no container",
		"k8s://ns/web:/app?context=a&context=b": "the flag says a",
	} {
		_, err := Parse(text, nil)
		var use *UsageError
		if !errors.As(err, &use) || !strings.Contains(use.Msg, why) || use.Remedy != kubeForms {
			t.Errorf("Parse(%q) = %v, want a usage error with %q", text, err, why)
		}
	}
	var use *UsageError
	if _, err := ParseKube("k8s://a/web:/app", false, KubeFlags{Namespace: "b"}, nil); !errors.As(err, &use) {
		t.Errorf("two namespaces: %v", err)
	}
}

func TestSelector(t *testing.T) {
	for raw, want := range map[string]string{
		``:                              "",
		`{}`:                            "",
		`{"app":"web","tier":"front"}`:  "app=web,tier=front",
		`{"matchLabels":{"app":"web"}}`: "app=web",
		`{"matchLabels":{"a":"b"},"matchExpressions":[{"key":"x","operator":"In","values":["1","2"]},{"key":"y","operator":"DoesNotExist"},{"key":"z","operator":"Exists"},{"key":"q","operator":"NotIn","values":["3"]}]}`: "!y,a=b,q notin (3),x in (1,2),z",
	} {
		if got, err := selectorOf(json.RawMessage(raw)); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", raw, got, err, want)
		}
	}
	if _, err := selectorOf(json.RawMessage(`"x"`)); err == nil {
		t.Error("a selector that is text has no error")
	}
}

// Pods in states that take a cluster long to reach, or that it has to be large
// for. Those that the tests with a cluster meet are not here.
func TestUsable(t *testing.T) {
	for status, words := range map[string]string{
		`{"phase":"Failed","reason":"Evicted"}`: "completed (Evicted)",
		`{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes"}]}`: "Unschedulable: 0/3 nodes",
		`{"phase":"Pending"}`: "no node has it yet",
		`{"phase":"Pending","containerStatuses":[{"name":"c","state":{"waiting":{"reason":"ContainerCreating"}}}]}`:           "pending: ContainerCreating",
		`{"phase":"Running","containerStatuses":[{"name":"c","state":{"terminated":{"reason":"OOMKilled","exitCode":137}}}]}`: "OOMKilled, exit status 137",
	} {
		var p pod
		if err := json.Unmarshal([]byte(`{"metadata":{"name":"web"},"spec":{"containers":[{"name":"c"}]},"status":`+status+`}`), &p); err != nil {
			t.Fatal(err)
		}
		k := &Kube{Kind: podKind, Name: "web", Path: "/app"}
		var e *Error
		if err := k.usable(&p); !errors.As(err, &e) || !strings.Contains(e.Msg, words) || !e.Temporary || e.Remedy == "" {
			t.Errorf("%s: %v, want %q", status, err, words)
		}
	}
}

// The order in which pods are taken: not one that goes, then the one that we were
// in, then one that is ready, then the newest.
func TestChoosePod(t *testing.T) {
	now := time.Now()
	make := func(uid string, age time.Duration, ready, going bool) pod {
		var p pod
		p.Metadata.Name, p.Metadata.UID, p.Metadata.CreationTimestamp = uid, uid, now.Add(-age)
		p.Spec.Containers = []podContainer{{Name: "c"}}
		p.Status.Phase = "Running"
		s := containerStatus{Name: "c"}
		s.State.Running = &struct{}{}
		p.Status.ContainerStatuses = []containerStatus{s}
		if ready {
			p.Status.Conditions = []podCondition{{Type: "Ready", Status: "True"}}
		}
		if going {
			p.Metadata.DeletionTimestamp = &now
		}
		return p
	}
	all := []pod{
		make("going", 3*time.Hour, true, true), make("old", 2*time.Hour, true, false),
		make("new", time.Hour, true, false), make("newest", time.Minute, false, false),
	}
	for _, tt := range []struct {
		last string
		pods []pod
		want string
	}{
		{"", all, "new"}, {"old", all, "old"}, {"newest", all, "newest"}, {"going", all, "new"},
		{"", all[3:], "newest"}, {"gone", all[:1], ""},
	} {
		k := &Kube{Kind: "deployment", Name: "web", Path: "/app", last: tt.last, say: func(string) {}}
		p, err := k.choose(append([]pod(nil), tt.pods...))
		if got := ""; p != nil {
			if got = p.Metadata.Name; got != tt.want {
				t.Errorf("after %q: %q, want %q", tt.last, got, tt.want)
			}
		} else if tt.want != "" || !temporary(err) {
			t.Errorf("after %q: %v", tt.last, err)
		}
	}
}
