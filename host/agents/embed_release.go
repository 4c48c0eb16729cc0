//go:build embedagents

package agents

import "embed"

// dist holds every agent of a release, each named: without one of them the
// compilation fails.
//
//go:embed dist/twosync-agent-linux-amd64.zst
//go:embed dist/twosync-agent-linux-arm64.zst
var dist embed.FS
