//go:build ignore

// Prints the Go types of the kinds that the sandbox serves, for src/sandbox/kinds/schema/types.txt.
// In a copy of tests/control-plane (its go.mod pins the version; without the tools.go):
//
//	go run -mod=mod main.go > types.txt
package main

import (
	"fmt"
	"reflect"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var special = map[reflect.Type]string{
	reflect.TypeOf(metav1.Time{}):          "time",
	reflect.TypeOf(metav1.MicroTime{}):     "microtime",
	reflect.TypeOf(resource.Quantity{}):    "quantity",
	reflect.TypeOf(intstr.IntOrString{}):   "intorstring",
	reflect.TypeOf(metav1.FieldsV1{}):      "raw",
}

var seen = map[reflect.Type]bool{}
var queue []reflect.Type

func id(t reflect.Type) string {
	path := strings.Split(t.PkgPath(), "/")
	return path[len(path)-2] + "." + t.Name()
}

func name(t reflect.Type) string {
	if word, ok := special[t]; ok {
		return word
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + name(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + name(t.Elem())
	case reflect.Map:
		return "{}" + name(t.Elem())
	case reflect.Struct:
		if !seen[t] {
			seen[t] = true
			queue = append(queue, t)
		}
		return id(t)
	}
	if t.PkgPath() != "" {
		return t.Kind().String() + "=" + t.String()
	}
	return t.Kind().String()
}

func fields(t reflect.Type) {
	for i := 0; i < t.NumField(); i++ {
		field := t.Field(i)
		tag := strings.Split(field.Tag.Get("json"), ",")
		if field.Anonymous && tag[0] == "" {
			fields(field.Type)
			continue
		}
		if tag[0] == "-" {
			continue
		}
		flags := ""
		for _, word := range tag[1:] {
			if word == "omitempty" || word == "omitzero" {
				flags += " " + word
			}
		}
		if strategy := field.Tag.Get("patchStrategy"); strategy != "" {
			flags += " patch=" + strategy
		}
		if key := field.Tag.Get("patchMergeKey"); key != "" {
			flags += " key=" + key
		}
		fmt.Printf("  %s %s%s\n", tag[0], name(field.Type), flags)
	}
}

func main() {
	for _, root := range []any{corev1.Namespace{}, corev1.Node{}, corev1.Pod{}, corev1.Service{}, corev1.Endpoints{}, discoveryv1.EndpointSlice{}, corev1.Event{}, eventsv1.Event{}, coordinationv1.Lease{}, appsv1.Deployment{}, appsv1.ReplicaSet{}, corev1.Binding{}, autoscalingv1.Scale{}, metav1.DeleteOptions{}} {
		name(reflect.TypeOf(root))
	}
	for len(queue) > 0 {
		t := queue[0]
		queue = queue[1:]
		fmt.Println(id(t))
		fields(t)
	}
}
