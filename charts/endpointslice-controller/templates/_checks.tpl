{{/*
Combinations of values that the schema cannot see: each is refused with the key and the reason.
*/}}
{{- define "esc.checks" -}}
{{- if and (not .Values.leaderElection.enabled) (gt (int .Values.replicas) 1) -}}
{{- fail (printf "replicas: %d without leaderElection.enabled: Pods that do not elect a leader all write the same slices, and fight; set replicas to 1 or leave leader election on" (int .Values.replicas)) -}}
{{- end -}}
{{- if not (include "esc.loops" .) -}}
{{- fail (printf "controller.controllers: [%s] leaves no loop on" (join ", " .Values.controller.controllers)) -}}
{{- end -}}
{{- $lease := include "esc.seconds" .Values.leaderElection.leaseDuration | float64 -}}
{{- $renew := include "esc.seconds" .Values.leaderElection.renewDeadline | float64 -}}
{{- $retry := include "esc.seconds" .Values.leaderElection.retryPeriod | float64 -}}
{{- if ge $renew $lease -}}
{{- fail (printf "leaderElection.renewDeadline: %s is not less than leaderElection.leaseDuration %s: a leader would go on writing when another one has taken over" .Values.leaderElection.renewDeadline .Values.leaderElection.leaseDuration) -}}
{{- end -}}
{{- if or (le $retry 0.0) (ge (mulf $retry 1.2) $renew) -}}
{{- fail (printf "leaderElection.retryPeriod: %s: it must be above 0s, and 1.2 times it less than leaderElection.renewDeadline %s" .Values.leaderElection.retryPeriod .Values.leaderElection.renewDeadline) -}}
{{- end -}}
{{- if and (eq (include "esc.namespace" .) "kube-system") (has (include "esc.serviceAccountName" .) (list "endpointslice-controller" "endpointslicemirroring-controller")) -}}
{{- fail (printf "serviceAccount.name: kube-system/%s is the account of kube-controller-manager's own loop, with permissions of its own; choose another name" (include "esc.serviceAccountName" .)) -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled: Prometheus would scrape each Pod twice; choose one" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) -}}
{{- fail "serviceMonitor.enabled without service.enabled: a ServiceMonitor needs the Service; turn it on or use podMonitor" -}}
{{- end -}}
{{- if not .Values.metrics.enabled -}}
{{- range $key, $on := dict "serviceMonitor" .Values.serviceMonitor.enabled "podMonitor" .Values.podMonitor.enabled -}}
{{- if $on -}}
{{- fail (printf "%s.enabled without metrics.enabled: there is nothing to scrape" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (include "esc.loopback" .) (not .Values.hostNetwork) -}}
{{- fail (printf "metrics.host: %s without hostNetwork: the kubelet could not reach the probes" .Values.metrics.host) -}}
{{- end -}}
{{- if and (eq .Values.dnsPolicy "None") (not .Values.dnsConfig) -}}
{{- fail "dnsPolicy: None without dnsConfig: the API server would refuse the Pods" -}}
{{- end -}}
{{- if and .Values.metrics.secure.certificateSecret (not .Values.metrics.secure.enabled) -}}
{{- fail "metrics.secure.certificateSecret without metrics.secure.enabled: nothing would use the certificate" -}}
{{- end -}}
{{- if and (not (kindIs "invalid" .Values.podDisruptionBudget.minAvailable)) (not (kindIs "invalid" .Values.podDisruptionBudget.maxUnavailable)) -}}
{{- fail "podDisruptionBudget.minAvailable and podDisruptionBudget.maxUnavailable: a budget has one of them" -}}
{{- end -}}
{{- if and (eq (toString .Values.strategy.maxSurge | trimSuffix "%") "0") (eq (toString .Values.strategy.maxUnavailable | trimSuffix "%") "0") -}}
{{- fail "strategy.maxSurge and strategy.maxUnavailable: with both 0 no Pod could ever be replaced" -}}
{{- end -}}
{{- $set := list -}}
{{- range include "esc.flags" . | fromYamlArray -}}
{{- $set = append $set (index (splitList "=" .) 0) -}}
{{- end -}}
{{- range .Values.extraArgs -}}
{{- $flag := index (splitList "=" .) 0 -}}
{{- if or (has $flag $set) (hasPrefix "-v" $flag) -}}
{{- fail (printf "extraArgs: %s has a value of its own in this chart; set that" $flag) -}}
{{- end -}}
{{- end -}}
{{- end -}}
