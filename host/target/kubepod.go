package target

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// A pod is what the cluster says of one, as far as it matters here.
type pod struct {
	Metadata struct {
		Name              string
		UID               string
		CreationTimestamp time.Time
		DeletionTimestamp *time.Time
		Annotations       map[string]string
	}
	Spec struct {
		Containers     []podContainer
		InitContainers []podContainer
		Volumes        []struct {
			Name     string
			EmptyDir *struct{}
		}
	}
	Status struct {
		Phase                 string
		Reason, Message       string
		Conditions            []podCondition
		ContainerStatuses     []containerStatus
		InitContainerStatuses []containerStatus
	}
}

type podContainer struct {
	Name          string
	RestartPolicy string // "Always" for an init container that is a sidecar
	VolumeMounts  []struct {
		Name, MountPath string
		ReadOnly        bool
		SubPath         string
	}
}

type podCondition struct{ Type, Status, Reason, Message string }

type containerStatus struct {
	Name         string
	RestartCount int
	State        struct {
		Waiting    *struct{ Reason, Message string }
		Running    *struct{}
		Terminated *struct {
			Reason   string
			ExitCode int
		}
	}
}

// defaultContainer is the annotation that names the one kubectl takes.
const defaultContainer = "kubectl.kubernetes.io/default-container"

// names lists what can be entered: containers, and sidecars that are written as
// init containers.
func (p *pod) names() []string {
	var all []string
	for _, c := range p.Spec.Containers {
		all = append(all, c.Name)
	}
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy == "Always" {
			all = append(all, c.Name)
		}
	}
	return all
}

// container is the one that is meant, or an error that lists them.
func (k *Kube) container(p *pod) (string, error) {
	all := p.names()
	list := strings.Join(all, ", ")
	switch {
	case k.Container != "" && slices.Contains(all, k.Container):
		return k.Container, nil
	case k.Container != "":
		return "", &Error{
			Msg:    fmt.Sprintf("pod %s has no container %s", p.Metadata.Name, k.Container),
			Remedy: "name one that it has: " + list,
			cause:  noContainer,
		}
	case len(all) == 1:
		return all[0], nil
	}
	if name := p.Metadata.Annotations[defaultContainer]; slices.Contains(all, name) {
		return name, nil
	}
	return "", &Error{
		Msg:    fmt.Sprintf("pod %s has %d containers: %s", p.Metadata.Name, len(all), list),
		Remedy: "name one: " + kubeScheme + k.Namespace + "/" + path.Join(k.Kind, k.Name) + ":" + k.Path + "?container=" + all[0],
		cause:  noContainer,
	}
}

// status is what is known of a container.
func (p *pod) status(name string) containerStatus {
	for _, s := range slices.Concat(p.Status.ContainerStatuses, p.Status.InitContainerStatuses) {
		if s.Name == name {
			return s
		}
	}
	return containerStatus{Name: name}
}

// usable says why the container that is meant cannot be entered, or nil.
func (k *Kube) usable(p *pod) error {
	name := p.Metadata.Name
	e := &Error{Temporary: true, cause: notRunning}
	switch {
	case p.Metadata.DeletionTimestamp != nil:
		e.Msg = fmt.Sprintf("pod %s is being deleted", name)
		e.Remedy = "wait until it is back, or name what makes its pods: " + kubeScheme + k.Namespace + "/deployment/NAME:" + k.Path
		return e
	case p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed":
		why := p.Status.Reason // such as Evicted
		if why == "" {
			why = p.Status.Phase
		}
		e.Msg = fmt.Sprintf("pod %s is completed (%s): nothing runs in it", name, why)
		e.Remedy = fmt.Sprintf("see how it ended: kubectl logs -n %s %s; and start it again", k.Namespace, name)
		return e
	}
	container, err := k.container(p)
	if err != nil {
		return err
	}
	return k.running(p, p.status(container), e)
}

// running says why a container of a pod does not run.
func (k *Kube) running(p *pod, s containerStatus, e *Error) error {
	name := p.Metadata.Name
	logs := fmt.Sprintf("kubectl logs -n %s %s -c %s", k.Namespace, name, s.Name)
	describe := fmt.Sprintf("see why: kubectl describe pod -n %s %s", k.Namespace, name)
	switch w, t := s.State.Waiting, s.State.Terminated; {
	case s.State.Running != nil:
		return nil
	case w != nil && w.Reason == "CrashLoopBackOff", t != nil && s.RestartCount > 0:
		e.Msg = fmt.Sprintf("container %s of pod %s ends whenever it is started (%d times)", s.Name, name, s.RestartCount+1)
		e.Remedy = "see why: " + logs + " --previous"
	case t != nil:
		e.Msg = fmt.Sprintf("container %s of pod %s has ended (%s, exit status %d)", s.Name, name, t.Reason, t.ExitCode)
		e.Remedy = "see why: " + logs
	case w != nil && w.Message != "":
		e.Msg = fmt.Sprintf("container %s of pod %s does not start: %s: %s", s.Name, name, w.Reason, oneLine(w.Message))
		e.Remedy = describe
	default:
		e.Msg = fmt.Sprintf("pod %s is pending", name)
		if why := p.pending(s); why != "" {
			e.Msg += ": " + why
		}
		e.Remedy = "wait until it runs, or " + describe
	}
	return e
}

// pending says why a pod does not run yet.
func (p *pod) pending(s containerStatus) string {
	for _, c := range p.Status.Conditions {
		if c.Type == "PodScheduled" && c.Status == "False" {
			return oneLine(c.Reason + ": " + c.Message)
		}
	}
	for _, i := range p.Status.InitContainerStatuses {
		if i.State.Running != nil || i.State.Waiting != nil {
			return "its init container " + i.Name + " has not ended"
		}
	}
	if s.State.Waiting != nil {
		return s.State.Waiting.Reason
	}
	return "no node has it yet"
}

func (p *pod) ready() bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c podCondition) bool {
		return c.Type == "Ready" && c.Status == "True"
	})
}

// places are where an agent can be put: the top of the container, then what is
// mounted there for writing and keeps nothing, then the rest, and the root that
// is synced, whose watchers would see it come, last.
func (k *Kube) places(p *pod, container string) []string {
	empty := make(map[string]bool)
	for _, v := range p.Spec.Volumes {
		empty[v.Name] = v.EmptyDir != nil
	}
	var scratch, others, root []string
	for _, c := range slices.Concat(p.Spec.Containers, p.Spec.InitContainers) {
		if c.Name != container {
			continue
		}
		for _, m := range c.VolumeMounts {
			switch at := path.Clean(m.MountPath); {
			case m.ReadOnly || m.SubPath != "" || strings.ContainsAny(at, ":\n"):
			case at == k.Path || strings.HasPrefix(at, k.Path+"/"):
			case strings.HasPrefix(k.Path, at+"/"):
				root = append(root, at)
			case empty[m.Name]:
				scratch = append(scratch, at)
			default:
				others = append(others, at)
			}
		}
	}
	all := slices.Concat([]string{"/"}, scratch, []string{"/tmp", "/var/tmp", "/run"}, others, root)
	if !strings.ContainsAny(k.Path, ":\n") {
		all = append(all, k.Path)
	}
	var once []string
	for _, at := range all {
		if !slices.Contains(once, at) {
			once = append(once, at)
		}
	}
	return once
}
