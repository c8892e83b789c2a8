//go:build tools

// Package kwok pins the program that plays the kubelets of the tutorial's cluster. A module of its own:
// it follows other versions of the libraries than the control plane.
package kwok

import _ "sigs.k8s.io/kwok/cmd/kwok"
