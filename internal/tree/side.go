package tree

// Side is one of the two places that are kept the same.
type Side uint8

// The sides.
const (
	Host Side = iota
	Container
)

// Other returns the other side.
func (s Side) Other() Side { return s ^ 1 }

func (s Side) String() string {
	if s == Host {
		return "host"
	}
	return "container"
}
