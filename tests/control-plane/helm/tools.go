//go:build tools

// Package helm pins the programs that judge the chart. A module of its own: Helm wants newer
// libraries than the control plane that the tests run against.
package helm

import (
	_ "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"
	_ "helm.sh/helm/v4/cmd/helm"
)
