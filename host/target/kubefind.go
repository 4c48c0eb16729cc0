package target

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// patienceFirst is how long a pod that was lost is waited for without a word,
	// and patienceMax how long at most, when that was in vain again and again.
	patienceFirst = 5 * time.Second
	patienceMax   = time.Minute

	// pollFirst is how long a cluster is not asked again that does not let us
	// watch, at first, and pollMax at last: each time costs 0.1 s of a core.
	pollFirst = time.Second
	pollMax   = 10 * time.Second

	// rewatch is how long after its end a watch is begun again: servers end each
	// after half an hour or more.
	rewatch = 5 * time.Second
)

// owner is anything that selects pods.
type owner struct {
	Kind string
	Spec struct {
		Selector json.RawMessage
	}
}

type podList struct{ Items []pod }

// pod is the pod that is meant at the moment, and can be entered.
func (k *Kube) pod(ctx context.Context) (*pod, error) {
	if k.Kind == podKind {
		p := new(pod)
		if err := k.get(ctx, p, "pod", k.Name); err != nil {
			return nil, k.nobody(ctx, err)
		}
		return p, k.usable(p)
	}
	if k.selector == "" {
		if err := k.findSelector(ctx); err != nil {
			return nil, err
		}
	}
	var list podList
	if err := k.get(ctx, &list, "pods", "--selector="+k.selector); err != nil {
		return nil, err
	}
	return k.choose(list.Items)
}

// findSelector asks how the pods of a deployment, service or the like are found.
func (k *Kube) findSelector(ctx context.Context) error {
	var o owner
	if err := k.get(ctx, &o, k.Kind, k.Name); err != nil {
		return err
	}
	selector, err := selectorOf(o.Spec.Selector)
	if err != nil || selector == "" {
		return &Error{
			Msg:    fmt.Sprintf("%s/%s selects no pods", k.Kind, k.Name),
			Remedy: "name a pod, or what makes pods: a deployment, statefulset, daemonset, replicaset, job or service",
			Err:    err,
		}
	}
	k.selector = selector
	return nil
}

// selectorOf writes a selector as kubectl takes it.
func selectorOf(raw json.RawMessage) (string, error) {
	if len(raw) == 0 {
		return "", nil
	}
	var s struct {
		MatchLabels      map[string]string
		MatchExpressions []struct {
			Key, Operator string
			Values        []string
		}
	}
	labels := make(map[string]string)
	if json.Unmarshal(raw, &labels) != nil { // a service's or replication controller's is labels only
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", err
		}
		labels = s.MatchLabels
	}
	var all []string
	for key, value := range labels {
		all = append(all, key+"="+value)
	}
	for _, e := range s.MatchExpressions {
		values := "(" + strings.Join(e.Values, ",") + ")"
		switch e.Operator {
		case "In":
			all = append(all, e.Key+" in "+values)
		case "NotIn":
			all = append(all, e.Key+" notin "+values)
		case "Exists":
			all = append(all, e.Key)
		case "DoesNotExist":
			all = append(all, "!"+e.Key)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ","), nil
}

// choose takes the pod that we were in, else one that is ready, else the newest:
// during a rollout that is the one that stays.
func (k *Kube) choose(all []pod) (*pod, error) {
	var good []*pod
	var first error = &Error{
		Msg:       fmt.Sprintf("%s/%s has no pods", k.Kind, k.Name),
		Remedy:    fmt.Sprintf("see why: kubectl describe -n %s %s %s", k.Namespace, k.Kind, k.Name),
		Temporary: true, cause: noContainer,
	}
	slices.SortFunc(all, func(a, b pod) int { return k.rank(&a, &b) })
	for i := range all {
		err := k.usable(&all[i])
		if err == nil {
			good = append(good, &all[i])
		} else if i == 0 {
			first = err
		}
	}
	if len(good) == 0 {
		return nil, first
	}
	if len(good) > 1 {
		k.once(fmt.Sprintf("%s/%s has %d running pods: one of them is kept in sync, %s",
			k.Kind, k.Name, len(good), good[0].Metadata.Name))
	}
	return good[0], nil
}

func (k *Kube) rank(a, b *pod) int {
	is := func(v bool) int {
		if v {
			return 0
		}
		return 1
	}
	return cmp.Or(
		is(a.Metadata.DeletionTimestamp == nil)-is(b.Metadata.DeletionTimestamp == nil),
		is(a.Metadata.UID == k.last)-is(b.Metadata.UID == k.last),
		is(a.ready())-is(b.ready()),
		b.Metadata.CreationTimestamp.Compare(a.Metadata.CreationTimestamp),
		strings.Compare(a.Metadata.Name, b.Metadata.Name),
	)
}

// lookUp finds out what has a name that was given without a kind: a pod, or what
// makes pods.
func (k *Kube) lookUp(ctx context.Context) error {
	k.Kind = podKind
	var p pod
	err := k.get(ctx, &p, podKind, k.Name)
	if causeOf(err) != noContainer {
		return err
	}
	for _, kind := range []string{"deployment", "statefulset", "daemonset", "service"} {
		var o owner
		switch found := k.get(ctx, &o, kind, k.Name); {
		case found == nil:
			k.Kind = kind
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
	return k.nobody(ctx, err)
}

// nobody adds the name that was meant, if one is like it.
func (k *Kube) nobody(ctx context.Context, err error) error {
	var e *Error
	var list podList
	if causeOf(err) != noContainer || !errors.As(err, &e) || k.met || k.get(ctx, &list, "pods") != nil {
		return err
	}
	var names []container
	for _, p := range list.Items {
		names = append(names, container{name: p.Metadata.Name})
	}
	if like := similar(k.Name, names); like != "" {
		e.Remedy = "did you mean " + like + "? " + e.Remedy
	}
	return e
}

// await waits for a pod that can be entered. What is still wrong after a while is
// told, and then waited for longer.
func (k *Kube) await(ctx context.Context) (*pod, error) {
	limit := min(patienceFirst<<min(k.patience, 10), patienceMax)
	k.patience++
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if k.Kind != podKind {
		// It may have been made anew, with another one. If not, the old one holds.
		_ = k.findSelector(waiting)
	}
	for poll := pollFirst; ; poll = min(2*poll, pollMax) {
		if p := k.watchFor(waiting); p != nil {
			return p, nil
		}
		p, err := k.pod(ctx)
		if err == nil || !temporary(err) || waiting.Err() != nil {
			return p, err
		}
		select { // the watch ended early: the cluster is gone, or lets nobody watch
		case <-time.After(poll):
		case <-waiting.Done():
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// watchFor returns the first pod of those that are meant that can be entered, or
// nil when ctx is done or the watch has ended.
func (k *Kube) watchFor(ctx context.Context) (found *pod) {
	if k.Kind != podKind && k.selector == "" {
		return nil
	}
	k.watch(ctx, func(p *pod, gone bool) bool {
		if !gone && k.usable(p) == nil {
			found = p
		}
		return found != nil
	})
	return found
}

// watch shows the pods that are meant and then what becomes of them, until
// enough says so, ctx is done, or the cluster ends it.
func (k *Kube) watch(ctx context.Context, enough func(p *pod, gone bool) bool) {
	which := "--selector=" + k.selector
	if k.Kind == podKind {
		which = "--field-selector=metadata.name=" + k.Name
	}
	w, err := start(k.kubectl("get", "pods", which, "--output=json", "--watch", "--output-watch-events"), nil)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, w.Kill)
	in := json.NewDecoder(bufio.NewReader(w))
	for {
		var e struct {
			Type   string
			Object pod
		}
		if in.Decode(&e) != nil || enough(&e.Object, e.Type == "DELETED") {
			break
		}
	}
	stop()
	w.Kill()
	_ = w.Close()
}

// replaced ends a connection to a pod that is being deleted as soon as another
// one can take its place. Nothing in the container hears of its deletion, and it
// may take half a minute to end while the new pod has the traffic.
func (k *Kube) replaced(pipe *Pipe, in *pod) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	pipe.ending = func() { cancel(); <-done }
	watcher := *k // of its own: the session dials while this ends
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if watcher.left(ctx, in) {
				_ = pipe.stdin.Close() // the agent ends in order
				return
			}
			select {
			case <-time.After(rewatch):
			case <-ctx.Done():
			}
		}
	}()
}

// left watches until a pod is on its way out and another one is ready.
func (k *Kube) left(ctx context.Context, in *pod) (left bool) {
	out, next := false, make(map[string]bool)
	k.watch(ctx, func(p *pod, gone bool) bool {
		if uid := p.Metadata.UID; uid == in.Metadata.UID {
			out = gone || p.Metadata.DeletionTimestamp != nil
		} else {
			next[uid] = !gone && p.ready() && k.usable(p) == nil
		}
		left = false
		for _, ready := range next {
			left = left || out && ready
		}
		return left
	})
	return left
}
