//go:build !embedagents

package agents

import "embed"

// dist holds the agents that a release build put there, or nothing but the
// .gitignore that keeps the folder: a fresh clone must compile.
//
//go:embed all:dist
var dist embed.FS
