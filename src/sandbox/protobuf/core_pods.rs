//! Field numbers of k8s.io/api/core/v1 (v0.36.3): Pods and their containers.

use super::core::{
    CORE_LINUX_CONTAINER_USER, CORE_LOCAL_OBJECT_REFERENCE, CORE_NODE_ALLOCATABLE_RESOURCE_CLAIM_STATUS,
    CORE_SE_LINUX_OPTIONS, CORE_SYSCTL,
};
use super::core_volumes::{
    CORE_ENV_FROM_SOURCE, CORE_ENV_VAR_SOURCE, CORE_VOLUME, CORE_VOLUME_DEVICE, CORE_VOLUME_MOUNT,
    CORE_VOLUME_MOUNT_STATUS,
};
use super::meta::{META_LABEL_SELECTOR, META_OBJECT_META};
use super::shape::Type::{IntOrString, Message, Number, Quantity, Text, Time, Truth};
use super::shape::{Shape, inline, kept, list, map, one};

pub(super) static CORE_AFFINITY: Shape = Shape(&[
    kept(1, "nodeAffinity", Message(&CORE_NODE_AFFINITY)),
    kept(2, "podAffinity", Message(&CORE_POD_AFFINITY)),
    kept(3, "podAntiAffinity", Message(&CORE_POD_ANTI_AFFINITY)),
]);

pub(super) static CORE_APP_ARMOR_PROFILE: Shape =
    Shape(&[kept(1, "type", Text), kept(2, "localhostProfile", Text)]);

pub(super) static CORE_CAPABILITIES: Shape = Shape(&[list(1, "add", Text), list(2, "drop", Text)]);

pub(super) static CORE_CONFIG_MAP_KEY_SELECTOR: Shape =
    Shape(&[inline(1, &CORE_LOCAL_OBJECT_REFERENCE), kept(2, "key", Text), kept(3, "optional", Truth)]);

pub(super) static CORE_CONTAINER: Shape = Shape(&[
    kept(1, "name", Text),
    one(2, "image", Text),
    list(3, "command", Text),
    list(4, "args", Text),
    one(5, "workingDir", Text),
    list(6, "ports", Message(&CORE_CONTAINER_PORT)),
    list(19, "envFrom", Message(&CORE_ENV_FROM_SOURCE)),
    list(7, "env", Message(&CORE_ENV_VAR)),
    one(8, "resources", Message(&CORE_RESOURCE_REQUIREMENTS)),
    list(23, "resizePolicy", Message(&CORE_CONTAINER_RESIZE_POLICY)),
    kept(24, "restartPolicy", Text),
    list(25, "restartPolicyRules", Message(&CORE_CONTAINER_RESTART_RULE)),
    list(9, "volumeMounts", Message(&CORE_VOLUME_MOUNT)),
    list(21, "volumeDevices", Message(&CORE_VOLUME_DEVICE)),
    kept(10, "livenessProbe", Message(&CORE_PROBE)),
    kept(11, "readinessProbe", Message(&CORE_PROBE)),
    kept(22, "startupProbe", Message(&CORE_PROBE)),
    kept(12, "lifecycle", Message(&CORE_LIFECYCLE)),
    one(13, "terminationMessagePath", Text),
    one(20, "terminationMessagePolicy", Text),
    one(14, "imagePullPolicy", Text),
    kept(15, "securityContext", Message(&CORE_SECURITY_CONTEXT)),
    one(16, "stdin", Truth),
    one(17, "stdinOnce", Truth),
    one(18, "tty", Truth),
]);

pub(super) static CORE_CONTAINER_EXTENDED_RESOURCE_REQUEST: Shape =
    Shape(&[kept(1, "containerName", Text), kept(2, "resourceName", Text), kept(3, "requestName", Text)]);

pub(super) static CORE_CONTAINER_IMAGE: Shape = Shape(&[list(1, "names", Text), one(2, "sizeBytes", Number)]);

pub(super) static CORE_CONTAINER_PORT: Shape = Shape(&[
    one(1, "name", Text),
    one(2, "hostPort", Number),
    kept(3, "containerPort", Number),
    one(4, "protocol", Text),
    one(5, "hostIP", Text),
]);

pub(super) static CORE_CONTAINER_RESIZE_POLICY: Shape =
    Shape(&[kept(1, "resourceName", Text), kept(2, "restartPolicy", Text)]);

pub(super) static CORE_CONTAINER_RESTART_RULE: Shape = Shape(&[
    one(1, "action", Text),
    kept(2, "exitCodes", Message(&CORE_CONTAINER_RESTART_RULE_ON_EXIT_CODES)),
]);

pub(super) static CORE_CONTAINER_RESTART_RULE_ON_EXIT_CODES: Shape =
    Shape(&[one(1, "operator", Text), list(2, "values", Number)]);

pub(super) static CORE_CONTAINER_STATE: Shape = Shape(&[
    kept(1, "waiting", Message(&CORE_CONTAINER_STATE_WAITING)),
    kept(2, "running", Message(&CORE_CONTAINER_STATE_RUNNING)),
    kept(3, "terminated", Message(&CORE_CONTAINER_STATE_TERMINATED)),
]);

pub(super) static CORE_CONTAINER_STATE_RUNNING: Shape = Shape(&[one(1, "startedAt", Time)]);

pub(super) static CORE_CONTAINER_STATE_TERMINATED: Shape = Shape(&[
    kept(1, "exitCode", Number),
    one(2, "signal", Number),
    one(3, "reason", Text),
    one(4, "message", Text),
    one(5, "startedAt", Time),
    one(6, "finishedAt", Time),
    one(7, "containerID", Text),
]);

pub(super) static CORE_CONTAINER_STATE_WAITING: Shape =
    Shape(&[one(1, "reason", Text), one(2, "message", Text)]);

pub(super) static CORE_CONTAINER_STATUS: Shape = Shape(&[
    kept(1, "name", Text),
    one(2, "state", Message(&CORE_CONTAINER_STATE)),
    one(3, "lastState", Message(&CORE_CONTAINER_STATE)),
    kept(4, "ready", Truth),
    kept(5, "restartCount", Number),
    kept(6, "image", Text),
    kept(7, "imageID", Text),
    one(8, "containerID", Text),
    kept(9, "started", Truth),
    map(10, "allocatedResources", Quantity),
    kept(11, "resources", Message(&CORE_RESOURCE_REQUIREMENTS)),
    list(12, "volumeMounts", Message(&CORE_VOLUME_MOUNT_STATUS)),
    kept(13, "user", Message(&CORE_CONTAINER_USER)),
    list(14, "allocatedResourcesStatus", Message(&CORE_RESOURCE_STATUS)),
    kept(15, "stopSignal", Text),
]);

pub(super) static CORE_CONTAINER_USER: Shape =
    Shape(&[kept(1, "linux", Message(&CORE_LINUX_CONTAINER_USER))]);

pub(super) static CORE_ENV_VAR: Shape = Shape(&[
    kept(1, "name", Text),
    one(2, "value", Text),
    kept(3, "valueFrom", Message(&CORE_ENV_VAR_SOURCE)),
]);

pub(super) static CORE_EPHEMERAL_CONTAINER: Shape =
    Shape(&[inline(1, &CORE_EPHEMERAL_CONTAINER_COMMON), one(2, "targetContainerName", Text)]);

pub(super) static CORE_EPHEMERAL_CONTAINER_COMMON: Shape = Shape(&[
    kept(1, "name", Text),
    one(2, "image", Text),
    list(3, "command", Text),
    list(4, "args", Text),
    one(5, "workingDir", Text),
    list(6, "ports", Message(&CORE_CONTAINER_PORT)),
    list(19, "envFrom", Message(&CORE_ENV_FROM_SOURCE)),
    list(7, "env", Message(&CORE_ENV_VAR)),
    one(8, "resources", Message(&CORE_RESOURCE_REQUIREMENTS)),
    list(23, "resizePolicy", Message(&CORE_CONTAINER_RESIZE_POLICY)),
    kept(24, "restartPolicy", Text),
    list(25, "restartPolicyRules", Message(&CORE_CONTAINER_RESTART_RULE)),
    list(9, "volumeMounts", Message(&CORE_VOLUME_MOUNT)),
    list(21, "volumeDevices", Message(&CORE_VOLUME_DEVICE)),
    kept(10, "livenessProbe", Message(&CORE_PROBE)),
    kept(11, "readinessProbe", Message(&CORE_PROBE)),
    kept(22, "startupProbe", Message(&CORE_PROBE)),
    kept(12, "lifecycle", Message(&CORE_LIFECYCLE)),
    one(13, "terminationMessagePath", Text),
    one(20, "terminationMessagePolicy", Text),
    one(14, "imagePullPolicy", Text),
    kept(15, "securityContext", Message(&CORE_SECURITY_CONTEXT)),
    one(16, "stdin", Truth),
    one(17, "stdinOnce", Truth),
    one(18, "tty", Truth),
]);

pub(super) static CORE_EXEC_ACTION: Shape = Shape(&[list(1, "command", Text)]);

pub(super) static CORE_FILE_KEY_SELECTOR: Shape = Shape(&[
    kept(1, "volumeName", Text),
    kept(2, "path", Text),
    kept(3, "key", Text),
    kept(4, "optional", Truth),
]);

pub(super) static CORE_GRPC_ACTION: Shape = Shape(&[kept(1, "port", Number), kept(2, "service", Text)]);

pub(super) static CORE_HTTP_GET_ACTION: Shape = Shape(&[
    one(1, "path", Text),
    kept(2, "port", IntOrString),
    one(3, "host", Text),
    one(4, "scheme", Text),
    list(5, "httpHeaders", Message(&CORE_HTTP_HEADER)),
]);

pub(super) static CORE_HTTP_HEADER: Shape = Shape(&[kept(1, "name", Text), kept(2, "value", Text)]);

pub(super) static CORE_HOST_ALIAS: Shape = Shape(&[kept(1, "ip", Text), list(2, "hostnames", Text)]);

pub(super) static CORE_HOST_IP: Shape = Shape(&[kept(1, "ip", Text)]);

pub(super) static CORE_LIFECYCLE: Shape = Shape(&[
    kept(1, "postStart", Message(&CORE_LIFECYCLE_HANDLER)),
    kept(2, "preStop", Message(&CORE_LIFECYCLE_HANDLER)),
    kept(3, "stopSignal", Text),
]);

pub(super) static CORE_LIFECYCLE_HANDLER: Shape = Shape(&[
    kept(1, "exec", Message(&CORE_EXEC_ACTION)),
    kept(2, "httpGet", Message(&CORE_HTTP_GET_ACTION)),
    kept(3, "tcpSocket", Message(&CORE_TCP_SOCKET_ACTION)),
    kept(4, "sleep", Message(&CORE_SLEEP_ACTION)),
]);

pub(super) static CORE_NODE_AFFINITY: Shape = Shape(&[
    kept(1, "requiredDuringSchedulingIgnoredDuringExecution", Message(&CORE_NODE_SELECTOR)),
    list(2, "preferredDuringSchedulingIgnoredDuringExecution", Message(&CORE_PREFERRED_SCHEDULING_TERM)),
]);

pub(super) static CORE_NODE_SELECTOR: Shape =
    Shape(&[list(1, "nodeSelectorTerms", Message(&CORE_NODE_SELECTOR_TERM))]);

pub(super) static CORE_NODE_SELECTOR_REQUIREMENT: Shape =
    Shape(&[kept(1, "key", Text), kept(2, "operator", Text), list(3, "values", Text)]);

pub(super) static CORE_NODE_SELECTOR_TERM: Shape = Shape(&[
    list(1, "matchExpressions", Message(&CORE_NODE_SELECTOR_REQUIREMENT)),
    list(2, "matchFields", Message(&CORE_NODE_SELECTOR_REQUIREMENT)),
]);

pub(super) static CORE_POD: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    one(2, "spec", Message(&CORE_POD_SPEC)),
    one(3, "status", Message(&CORE_POD_STATUS)),
]);

pub(super) static CORE_POD_AFFINITY: Shape = Shape(&[
    list(1, "requiredDuringSchedulingIgnoredDuringExecution", Message(&CORE_POD_AFFINITY_TERM)),
    list(2, "preferredDuringSchedulingIgnoredDuringExecution", Message(&CORE_WEIGHTED_POD_AFFINITY_TERM)),
]);

pub(super) static CORE_POD_AFFINITY_TERM: Shape = Shape(&[
    kept(1, "labelSelector", Message(&META_LABEL_SELECTOR)),
    list(2, "namespaces", Text),
    kept(3, "topologyKey", Text),
    kept(4, "namespaceSelector", Message(&META_LABEL_SELECTOR)),
    list(5, "matchLabelKeys", Text),
    list(6, "mismatchLabelKeys", Text),
]);

pub(super) static CORE_POD_ANTI_AFFINITY: Shape = Shape(&[
    list(1, "requiredDuringSchedulingIgnoredDuringExecution", Message(&CORE_POD_AFFINITY_TERM)),
    list(2, "preferredDuringSchedulingIgnoredDuringExecution", Message(&CORE_WEIGHTED_POD_AFFINITY_TERM)),
]);

pub(super) static CORE_POD_CONDITION: Shape = Shape(&[
    kept(1, "type", Text),
    one(7, "observedGeneration", Number),
    kept(2, "status", Text),
    one(3, "lastProbeTime", Time),
    one(4, "lastTransitionTime", Time),
    one(5, "reason", Text),
    one(6, "message", Text),
]);

pub(super) static CORE_POD_DNS_CONFIG: Shape = Shape(&[
    list(1, "nameservers", Text),
    list(2, "searches", Text),
    list(3, "options", Message(&CORE_POD_DNS_CONFIG_OPTION)),
]);

pub(super) static CORE_POD_DNS_CONFIG_OPTION: Shape = Shape(&[one(1, "name", Text), kept(2, "value", Text)]);

pub(super) static CORE_POD_EXTENDED_RESOURCE_CLAIM_STATUS: Shape = Shape(&[
    list(1, "requestMappings", Message(&CORE_CONTAINER_EXTENDED_RESOURCE_REQUEST)),
    kept(2, "resourceClaimName", Text),
]);

pub(super) static CORE_POD_IP: Shape = Shape(&[kept(1, "ip", Text)]);

pub(super) static CORE_POD_OS: Shape = Shape(&[kept(1, "name", Text)]);

pub(super) static CORE_POD_READINESS_GATE: Shape = Shape(&[kept(1, "conditionType", Text)]);

pub(super) static CORE_POD_RESOURCE_CLAIM: Shape = Shape(&[
    kept(1, "name", Text),
    kept(3, "resourceClaimName", Text),
    kept(4, "resourceClaimTemplateName", Text),
]);

pub(super) static CORE_POD_RESOURCE_CLAIM_STATUS: Shape =
    Shape(&[kept(1, "name", Text), kept(2, "resourceClaimName", Text)]);

pub(super) static CORE_POD_SCHEDULING_GATE: Shape = Shape(&[kept(1, "name", Text)]);

pub(super) static CORE_POD_SCHEDULING_GROUP: Shape = Shape(&[kept(1, "podGroupName", Text)]);

pub(super) static CORE_POD_SECURITY_CONTEXT: Shape = Shape(&[
    kept(1, "seLinuxOptions", Message(&CORE_SE_LINUX_OPTIONS)),
    kept(8, "windowsOptions", Message(&CORE_WINDOWS_SECURITY_CONTEXT_OPTIONS)),
    kept(2, "runAsUser", Number),
    kept(6, "runAsGroup", Number),
    kept(3, "runAsNonRoot", Truth),
    list(4, "supplementalGroups", Number),
    kept(12, "supplementalGroupsPolicy", Text),
    kept(5, "fsGroup", Number),
    list(7, "sysctls", Message(&CORE_SYSCTL)),
    kept(9, "fsGroupChangePolicy", Text),
    kept(10, "seccompProfile", Message(&CORE_SECCOMP_PROFILE)),
    kept(11, "appArmorProfile", Message(&CORE_APP_ARMOR_PROFILE)),
    kept(13, "seLinuxChangePolicy", Text),
]);

pub(super) static CORE_POD_SPEC: Shape = Shape(&[
    list(1, "volumes", Message(&CORE_VOLUME)),
    list(20, "initContainers", Message(&CORE_CONTAINER)),
    list(2, "containers", Message(&CORE_CONTAINER)),
    list(34, "ephemeralContainers", Message(&CORE_EPHEMERAL_CONTAINER)),
    one(3, "restartPolicy", Text),
    kept(4, "terminationGracePeriodSeconds", Number),
    kept(5, "activeDeadlineSeconds", Number),
    one(6, "dnsPolicy", Text),
    map(7, "nodeSelector", Text),
    one(8, "serviceAccountName", Text),
    one(9, "serviceAccount", Text),
    kept(21, "automountServiceAccountToken", Truth),
    one(10, "nodeName", Text),
    one(11, "hostNetwork", Truth),
    one(12, "hostPID", Truth),
    one(13, "hostIPC", Truth),
    kept(27, "shareProcessNamespace", Truth),
    kept(14, "securityContext", Message(&CORE_POD_SECURITY_CONTEXT)),
    list(15, "imagePullSecrets", Message(&CORE_LOCAL_OBJECT_REFERENCE)),
    one(16, "hostname", Text),
    one(17, "subdomain", Text),
    kept(18, "affinity", Message(&CORE_AFFINITY)),
    one(19, "schedulerName", Text),
    list(22, "tolerations", Message(&CORE_TOLERATION)),
    list(23, "hostAliases", Message(&CORE_HOST_ALIAS)),
    one(24, "priorityClassName", Text),
    kept(25, "priority", Number),
    kept(26, "dnsConfig", Message(&CORE_POD_DNS_CONFIG)),
    list(28, "readinessGates", Message(&CORE_POD_READINESS_GATE)),
    kept(29, "runtimeClassName", Text),
    kept(30, "enableServiceLinks", Truth),
    kept(31, "preemptionPolicy", Text),
    map(32, "overhead", Quantity),
    list(33, "topologySpreadConstraints", Message(&CORE_TOPOLOGY_SPREAD_CONSTRAINT)),
    kept(35, "setHostnameAsFQDN", Truth),
    kept(36, "os", Message(&CORE_POD_OS)),
    kept(37, "hostUsers", Truth),
    list(38, "schedulingGates", Message(&CORE_POD_SCHEDULING_GATE)),
    list(39, "resourceClaims", Message(&CORE_POD_RESOURCE_CLAIM)),
    kept(40, "resources", Message(&CORE_RESOURCE_REQUIREMENTS)),
    kept(41, "hostnameOverride", Text),
    kept(43, "schedulingGroup", Message(&CORE_POD_SCHEDULING_GROUP)),
]);

pub(super) static CORE_POD_STATUS: Shape = Shape(&[
    one(17, "observedGeneration", Number),
    one(1, "phase", Text),
    list(2, "conditions", Message(&CORE_POD_CONDITION)),
    one(3, "message", Text),
    one(4, "reason", Text),
    one(11, "nominatedNodeName", Text),
    one(5, "hostIP", Text),
    list(16, "hostIPs", Message(&CORE_HOST_IP)),
    one(6, "podIP", Text),
    list(12, "podIPs", Message(&CORE_POD_IP)),
    kept(7, "startTime", Time),
    list(10, "initContainerStatuses", Message(&CORE_CONTAINER_STATUS)),
    list(8, "containerStatuses", Message(&CORE_CONTAINER_STATUS)),
    one(9, "qosClass", Text),
    list(13, "ephemeralContainerStatuses", Message(&CORE_CONTAINER_STATUS)),
    one(14, "resize", Text),
    list(15, "resourceClaimStatuses", Message(&CORE_POD_RESOURCE_CLAIM_STATUS)),
    kept(18, "extendedResourceClaimStatus", Message(&CORE_POD_EXTENDED_RESOURCE_CLAIM_STATUS)),
    map(19, "allocatedResources", Quantity),
    kept(20, "resources", Message(&CORE_RESOURCE_REQUIREMENTS)),
    list(21, "nodeAllocatableResourceClaimStatuses", Message(&CORE_NODE_ALLOCATABLE_RESOURCE_CLAIM_STATUS)),
]);

pub(super) static CORE_POD_TEMPLATE_SPEC: Shape =
    Shape(&[one(1, "metadata", Message(&META_OBJECT_META)), one(2, "spec", Message(&CORE_POD_SPEC))]);

pub(super) static CORE_PREFERRED_SCHEDULING_TERM: Shape =
    Shape(&[kept(1, "weight", Number), kept(2, "preference", Message(&CORE_NODE_SELECTOR_TERM))]);

pub(super) static CORE_PROBE: Shape = Shape(&[
    inline(1, &CORE_PROBE_HANDLER),
    one(2, "initialDelaySeconds", Number),
    one(3, "timeoutSeconds", Number),
    one(4, "periodSeconds", Number),
    one(5, "successThreshold", Number),
    one(6, "failureThreshold", Number),
    kept(7, "terminationGracePeriodSeconds", Number),
]);

pub(super) static CORE_PROBE_HANDLER: Shape = Shape(&[
    kept(1, "exec", Message(&CORE_EXEC_ACTION)),
    kept(2, "httpGet", Message(&CORE_HTTP_GET_ACTION)),
    kept(3, "tcpSocket", Message(&CORE_TCP_SOCKET_ACTION)),
    kept(4, "grpc", Message(&CORE_GRPC_ACTION)),
]);

pub(super) static CORE_RESOURCE_CLAIM: Shape = Shape(&[kept(1, "name", Text), one(2, "request", Text)]);

pub(super) static CORE_RESOURCE_FIELD_SELECTOR: Shape =
    Shape(&[one(1, "containerName", Text), kept(2, "resource", Text), one(3, "divisor", Quantity)]);

pub(super) static CORE_RESOURCE_HEALTH: Shape =
    Shape(&[kept(1, "resourceID", Text), one(2, "health", Text), kept(6, "message", Text)]);

pub(super) static CORE_RESOURCE_REQUIREMENTS: Shape = Shape(&[
    map(1, "limits", Quantity),
    map(2, "requests", Quantity),
    list(3, "claims", Message(&CORE_RESOURCE_CLAIM)),
]);

pub(super) static CORE_RESOURCE_STATUS: Shape =
    Shape(&[kept(1, "name", Text), list(2, "resources", Message(&CORE_RESOURCE_HEALTH))]);

pub(super) static CORE_SECCOMP_PROFILE: Shape =
    Shape(&[kept(1, "type", Text), kept(2, "localhostProfile", Text)]);

pub(super) static CORE_SECRET_KEY_SELECTOR: Shape =
    Shape(&[inline(1, &CORE_LOCAL_OBJECT_REFERENCE), kept(2, "key", Text), kept(3, "optional", Truth)]);

pub(super) static CORE_SECURITY_CONTEXT: Shape = Shape(&[
    kept(1, "capabilities", Message(&CORE_CAPABILITIES)),
    kept(2, "privileged", Truth),
    kept(3, "seLinuxOptions", Message(&CORE_SE_LINUX_OPTIONS)),
    kept(10, "windowsOptions", Message(&CORE_WINDOWS_SECURITY_CONTEXT_OPTIONS)),
    kept(4, "runAsUser", Number),
    kept(8, "runAsGroup", Number),
    kept(5, "runAsNonRoot", Truth),
    kept(6, "readOnlyRootFilesystem", Truth),
    kept(7, "allowPrivilegeEscalation", Truth),
    kept(9, "procMount", Text),
    kept(11, "seccompProfile", Message(&CORE_SECCOMP_PROFILE)),
    kept(12, "appArmorProfile", Message(&CORE_APP_ARMOR_PROFILE)),
]);

pub(super) static CORE_SLEEP_ACTION: Shape = Shape(&[kept(1, "seconds", Number)]);

pub(super) static CORE_TCP_SOCKET_ACTION: Shape =
    Shape(&[kept(1, "port", IntOrString), one(2, "host", Text)]);

pub(super) static CORE_TOLERATION: Shape = Shape(&[
    one(1, "key", Text),
    one(2, "operator", Text),
    one(3, "value", Text),
    one(4, "effect", Text),
    kept(5, "tolerationSeconds", Number),
]);

pub(super) static CORE_TOPOLOGY_SPREAD_CONSTRAINT: Shape = Shape(&[
    kept(1, "maxSkew", Number),
    kept(2, "topologyKey", Text),
    kept(3, "whenUnsatisfiable", Text),
    kept(4, "labelSelector", Message(&META_LABEL_SELECTOR)),
    kept(5, "minDomains", Number),
    kept(6, "nodeAffinityPolicy", Text),
    kept(7, "nodeTaintsPolicy", Text),
    list(8, "matchLabelKeys", Text),
]);

pub(super) static CORE_WEIGHTED_POD_AFFINITY_TERM: Shape =
    Shape(&[kept(1, "weight", Number), kept(2, "podAffinityTerm", Message(&CORE_POD_AFFINITY_TERM))]);

pub(super) static CORE_WINDOWS_SECURITY_CONTEXT_OPTIONS: Shape = Shape(&[
    kept(1, "gmsaCredentialSpecName", Text),
    kept(2, "gmsaCredentialSpec", Text),
    kept(3, "runAsUserName", Text),
    kept(4, "hostProcess", Truth),
]);
