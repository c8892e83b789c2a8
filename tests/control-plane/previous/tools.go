//go:build tools

// Package previous pins the kube-controller-manager of the minor before that of the control plane.
package previous

import _ "k8s.io/kubernetes/cmd/kube-controller-manager"
