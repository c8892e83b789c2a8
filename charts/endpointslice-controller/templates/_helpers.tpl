{{/* Names, labels and the parts that several templates share. `esc` stands for the chart. */}}

{{- define "esc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "esc.fullname" -}}
{{- $name := include "esc.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "esc.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "esc.leaseNamespace" -}}
{{- default (include "esc.namespace" .) .Values.leaderElection.resourceNamespace -}}
{{- end -}}

{{/* kube-system/endpointslice-controller is the account of kube-controller-manager's own loop. */}}
{{- define "esc.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (printf "%s-account" (include "esc.fullname" .)) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "esc.selectorLabels" -}}
app.kubernetes.io/name: {{ include "esc.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "esc.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "esc.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimAll "-_." | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/*
Metadata of an object. Call with a list: the root, the name, the namespace ("" for none), and maps of
labels and of annotations that this object has on top.
*/}}
{{- define "esc.metadata" -}}
{{- $root := index . 0 -}}
{{- $labels := merge (dict) (include "esc.labels" $root | fromYaml) (index . 3) $root.Values.commonLabels -}}
{{- $annotations := merge (dict) (index . 4) $root.Values.commonAnnotations -}}
metadata:
  name: {{ index . 1 }}
  {{- with index . 2 }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- toYaml $labels | nindent 4 }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "esc.image" -}}
{{- $image := printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- if .Values.image.digest -}}
{{- $image = printf "%s@%s" $image .Values.image.digest -}}
{{- end -}}
{{- $image -}}
{{- end -}}

{{/*
The loops that run, as `selector mirroring`: what --controllers means, so that roles follow it. The first
explicit mention of a loop wins, then `*`.
*/}}
{{- define "esc.loops" -}}
{{- $given := .Values.controller.controllers -}}
{{- $on := list -}}
{{- range $loop, $names := dict "selector" (list "endpointslice-controller" "endpointslice") "mirroring" (list "endpointslice-mirroring-controller" "endpointslicemirroring") -}}
{{- $state := "" -}}
{{- range $given -}}
{{- if and (eq $state "") (has (trimPrefix "-" .) $names) -}}
{{- $state = ternary "off" "on" (hasPrefix "-" .) -}}
{{- end -}}
{{- end -}}
{{- if or (eq $state "on") (and (eq $state "") (has "*" $given)) -}}
{{- $on = append $on $loop -}}
{{- end -}}
{{- end -}}
{{- join " " $on -}}
{{- end -}}

{{/* A Go duration in seconds. */}}
{{- define "esc.seconds" -}}
{{- $units := dict "ns" 1e-9 "us" 1e-6 "µs" 1e-6 "ms" 1e-3 "s" 1.0 "m" 60.0 "h" 3600.0 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9.]+(ns|us|µs|ms|s|m|h)" . -1 -}}
{{- $sum = addf $sum (mulf (regexFind "[0-9.]+" . | float64) (get $units (regexFind "[a-zµ]+" .))) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{/* Every flag that is set by a value. */}}
{{- define "esc.flags" -}}
- --controllers={{ join "," .Values.controller.controllers }}
- --concurrent-service-endpoint-syncs={{ .Values.controller.concurrentServiceEndpointSyncs }}
- --max-endpoints-per-slice={{ .Values.controller.maxEndpointsPerSlice }}
- --endpointslice-updates-batch-period={{ .Values.controller.endpointsliceUpdatesBatchPeriod }}
- --mirroring-concurrent-service-endpoint-syncs={{ .Values.controller.mirroringConcurrentServiceEndpointSyncs }}
- --mirroring-max-endpoints-per-subset={{ .Values.controller.mirroringMaxEndpointsPerSubset }}
- --mirroring-endpointslice-updates-batch-period={{ .Values.controller.mirroringEndpointsliceUpdatesBatchPeriod }}
- --min-resync-period={{ .Values.controller.minResyncPeriod }}
- --kube-api-qps={{ .Values.controller.kubeApiQps }}
- --kube-api-burst={{ .Values.controller.kubeApiBurst | int64 }}
{{- if .Values.controller.kubeconfig }}
- --kubeconfig={{ .Values.controller.kubeconfig }}
{{- end }}
{{- if .Values.controller.master }}
- --master={{ .Values.controller.master }}
{{- end }}
- --leader-elect={{ .Values.leaderElection.enabled }}
{{- if .Values.leaderElection.enabled }}
- --leader-elect-lease-duration={{ .Values.leaderElection.leaseDuration }}
- --leader-elect-renew-deadline={{ .Values.leaderElection.renewDeadline }}
- --leader-elect-retry-period={{ .Values.leaderElection.retryPeriod }}
- --leader-elect-resource-name={{ .Values.leaderElection.resourceName }}
- --leader-elect-resource-namespace={{ include "esc.leaseNamespace" . }}
{{- end }}
{{- if .Values.metrics.enabled }}
- {{ printf "--metrics-bind-address=%s:%d" .Values.metrics.host (int .Values.metrics.port) | quote }}
{{- else }}
- --metrics-bind-address=0
{{- end }}
- --metrics-secure={{ .Values.metrics.secure.enabled }}
{{- if .Values.metrics.secure.certificateSecret }}
- --tls-cert-file=/etc/endpointslice-controller/tls/tls.crt
- --tls-private-key-file=/etc/endpointslice-controller/tls/tls.key
{{- end }}
- --logging-format={{ .Values.logging.format }}
- --v={{ .Values.logging.verbosity }}
{{- end -}}

{{- define "esc.loopback" -}}
{{- if has .Values.metrics.host (list "localhost" "127.0.0.1" "[::1]") -}}true{{- end -}}
{{- end -}}

{{/* What a probe asks. Call with a list: the root and the path. */}}
{{- define "esc.probed" -}}
{{- $root := index . 0 -}}
httpGet:
  path: {{ index . 1 }}
  port: metrics
  scheme: {{ ternary "HTTPS" "HTTP" $root.Values.metrics.secure.enabled }}
  {{- if include "esc.loopback" $root }}
  host: {{ trimAll "[]" $root.Values.metrics.host | quote }}
  {{- end }}
{{- end -}}

{{/* The subject of all bindings. */}}
{{- define "esc.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "esc.serviceAccountName" . }}
    namespace: {{ include "esc.namespace" . }}
{{- end -}}
