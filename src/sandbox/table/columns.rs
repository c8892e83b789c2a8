//! The columns of each kind, as kube-apiserver 1.36.3 sends them with a table.

use serde_json::{Value, json};

use super::super::kinds::Kind;

/// One column.
pub(super) struct Column {
    name: &'static str,
    /// `string` or `integer`.
    kind: &'static str,
    /// `name` for the name of the object, else empty.
    format: &'static str,
    /// 0 is always shown, 1 only by `-o wide`.
    priority: u8,
    description: &'static str,
}

impl Column {
    /// `metav1.TableColumnDefinition`.
    pub(super) fn definition(&self) -> Value {
        json!({
            "name": self.name, "type": self.kind, "format": self.format, "priority": self.priority,
            "description": self.description,
        })
    }

    const fn text(name: &'static str, description: &'static str) -> Column {
        Column { name, kind: "string", format: "", priority: 0, description }
    }

    const fn number(name: &'static str, description: &'static str) -> Column {
        Column { name, kind: "integer", format: "", priority: 0, description }
    }

    const fn wide(name: &'static str, description: &'static str) -> Column {
        Column { name, kind: "string", format: "", priority: 1, description }
    }
}

/// Those of a kind, in their order.
pub(super) fn of(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Namespace => NAMESPACE,
        Kind::Node => NODE,
        Kind::Pod => POD,
        Kind::Service => SERVICE,
        Kind::Endpoints => ENDPOINTS,
        Kind::EndpointSlice => ENDPOINT_SLICE,
        Kind::Event => EVENT,
        Kind::Lease => LEASE,
        Kind::Deployment => DEPLOYMENT,
        Kind::ReplicaSet => REPLICA_SET,
    }
}

const NAME_OF_OBJECT: &str = "\
        Name must be unique within a namespace. Is required when creating resources, although some \
        resources may allow a client to request the generation of an appropriate name automatically. \
        Name is primarily intended for creation idempotence and configuration definition. Cannot be \
        updated. More info: \
        https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const NAME: Column =
    Column { name: "Name", kind: "string", format: "name", priority: 0, description: NAME_OF_OBJECT };
const AGE: Column = Column::text(
    "Age",
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is \
     not guaranteed to be set in happens-before order across separate operations. Clients may not set \
     this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. \
     Read-only. Null for lists. More info: \
     https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
);

const POD: &[Column] = &[
    NAME,
    Column::text("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    Column::text("Status", "The aggregate status of the containers in this pod."),
    Column::text(
        "Restarts",
        "The number of times the containers in this pod have been restarted and when the last container \
         in this pod has restarted.",
    ),
    AGE,
    Column::wide(
        "IP",
        "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet \
         allocated.",
    ),
    Column::wide(
        "Node",
        "NodeName indicates in which node this pod is scheduled. If empty, this pod is a candidate for \
         scheduling by the scheduler defined in schedulerName. Once this field is set, the kubelet for \
         this node becomes responsible for the lifecycle of this pod. This field should not be used to \
         express a desire for the pod to be scheduled on a specific node. \
         https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename",
    ),
    Column::wide(
        "Nominated Node",
        "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be \
         scheduled right away as preemption victims receive their graceful termination periods. This \
         field does not guarantee that the pod will be scheduled on this node. Scheduler may decide to \
         place the pod elsewhere if other nodes become available sooner. Scheduler may also decide to \
         give the resources on this node to a higher priority pod that is created after preemption. As \
         a result, this field may be different than PodSpec.nodeName when the pod is scheduled.",
    ),
    Column::wide(
        "Readiness Gates",
        "If specified, all readiness gates will be evaluated for pod readiness. A pod is ready when all \
         its containers are ready AND all conditions specified in the readiness gates have status equal \
         to \"True\" More info: https://git.k8s.io/enhancements/keps/sig-network/580-pod-readiness-gates",
    ),
];

const REPLICA_SET: &[Column] = &[
    NAME,
    Column::number(
        "Desired",
        "Replicas is the number of desired pods. This is a pointer to distinguish between explicit zero \
         and unspecified. Defaults to 1. More info: \
         https://kubernetes.io/docs/concepts/workloads/controllers/replicaset",
    ),
    Column::number(
        "Current",
        "Replicas is the most recently observed number of non-terminating pods. More info: \
         https://kubernetes.io/docs/concepts/workloads/controllers/replicaset",
    ),
    Column::number(
        "Ready",
        "The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition.",
    ),
    AGE,
    Column::wide("Containers", "Names of each container in the template."),
    Column::wide("Images", "Images referenced by each container in the template."),
    Column::wide(
        "Selector",
        "Selector is a label query over pods that should match the replica count. Label keys and values \
         that must match in order to be controlled by this replica set. It must match the pod \
         template's labels. More info: \
         https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

const SERVICE: &[Column] = &[
    NAME,
    Column::text(
        "Type",
        "type determines how the Service is exposed. Defaults to ClusterIP. Valid options are \
         ExternalName, ClusterIP, NodePort, and LoadBalancer. \"ClusterIP\" allocates a \
         cluster-internal IP address for load-balancing to endpoints. Endpoints are determined by the \
         selector or if that is not specified, by manual construction of an Endpoints object or \
         EndpointSlice objects. If clusterIP is \"None\", no virtual IP is allocated and the endpoints \
         are published as a set of endpoints rather than a virtual IP. \"NodePort\" builds on ClusterIP \
         and allocates a port on every node which routes to the same endpoints as the clusterIP. \
         \"LoadBalancer\" builds on NodePort and creates an external load-balancer (if supported in the \
         current cloud) which routes to the same endpoints as the clusterIP. \"ExternalName\" aliases \
         this service to the specified externalName. Several other fields do not apply to ExternalName \
         services. More info: \
         https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types",
    ),
    Column::text(
        "Cluster-IP",
        "clusterIP is the IP address of the service and is usually assigned randomly. If an address is \
         specified manually, is in-range (as per system configuration), and is not in use, it will be \
         allocated to the service; otherwise creation of the service will fail. This field may not be \
         changed through updates unless the type field is also being changed to ExternalName (which \
         requires this field to be blank) or the type field is being changed from ExternalName (in \
         which case this field may optionally be specified, as describe above).  Valid values are \
         \"None\", empty string (\"\"), or a valid IP address. Setting this to \"None\" makes a \
         \"headless service\" (no virtual IP), which is useful when direct endpoint connections are \
         preferred and proxying is not required.  Only applies to types ClusterIP, NodePort, and \
         LoadBalancer. If this field is specified when creating a Service of type ExternalName, \
         creation will fail. This field will be wiped when updating a Service to type ExternalName. \
         More info: \
         https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies",
    ),
    Column::text(
        "External-IP",
        "externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic \
         for this service.  These IPs are not managed by Kubernetes.  The user is responsible for \
         ensuring that traffic arrives at a node with this IP.  A common example is external \
         load-balancers that are not part of the Kubernetes system.",
    ),
    Column::text(
        "Port(s)",
        "The list of ports that are exposed by this service. More info: \
         https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies",
    ),
    AGE,
    Column::wide(
        "Selector",
        "Route service traffic to pods with label keys and values matching this selector. If empty or \
         not present, the service is assumed to have an external process managing its endpoints, which \
         Kubernetes will not modify. Only applies to types ClusterIP, NodePort, and LoadBalancer. \
         Ignored if type is ExternalName. More info: \
         https://kubernetes.io/docs/concepts/services-networking/service/",
    ),
];

const ENDPOINTS: &[Column] = &[
    NAME,
    Column::text(
        "Endpoints",
        "The set of all endpoints is the union of all subsets. Addresses are placed into subsets \
         according to the IPs they share. A single address with multiple ports, some of which are ready \
         and some of which are not (because they come from different containers) will result in the \
         address being displayed in different subsets for the different ports. No address will appear \
         in both Addresses and NotReadyAddresses in the same subset. Sets of addresses and ports that \
         comprise a service.",
    ),
    AGE,
];

const ENDPOINT_SLICE: &[Column] = &[
    NAME,
    Column::text(
        "AddressType",
        "addressType specifies the type of address carried by this EndpointSlice. All addresses in this \
         slice must be the same type. This field is immutable after creation. The following address \
         types are currently supported: * IPv4: Represents an IPv4 Address. * IPv6: Represents an IPv6 \
         Address. * FQDN: Represents a Fully Qualified Domain Name. (Deprecated) The EndpointSlice \
         controller only generates, and kube-proxy only processes, slices of addressType \"IPv4\" and \
         \"IPv6\". No semantics are defined for the \"FQDN\" type.",
    ),
    Column::text(
        "Ports",
        "ports specifies the list of network ports exposed by each endpoint in this slice. Each port \
         must have a unique name. Each slice may include a maximum of 100 ports. Services always have \
         at least 1 port, so EndpointSlices generated by the EndpointSlice controller will likewise \
         always have at least 1 port. EndpointSlices used for other purposes may have an empty ports \
         list.",
    ),
    Column::text(
        "Endpoints",
        "endpoints is a list of unique endpoints in this slice. Each slice may include a maximum of \
         1000 endpoints.",
    ),
    AGE,
];

const NODE: &[Column] = &[
    NAME,
    Column::text("Status", "The status of the node"),
    Column::text("Roles", "The roles of the node"),
    AGE,
    Column::text("Version", "Kubelet Version reported by the node."),
    Column::wide(
        "Internal-IP",
        "List of addresses reachable to the node. Queried from cloud provider, if available. More info: \
         https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared \
         as mergeable, but the merge key is not sufficiently unique, which can cause data corruption \
         when it is merged. Callers should instead use a full-replacement patch. See \
         https://pr.k8s.io/79391 for an example. Consumers should assume that addresses can change \
         during the lifetime of a Node. However, there are some exceptions where this may not be \
         possible, such as Pods that inherit a Node's address in its own status or consumers of the \
         downward API (status.hostIP).",
    ),
    Column::wide(
        "External-IP",
        "List of addresses reachable to the node. Queried from cloud provider, if available. More info: \
         https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared \
         as mergeable, but the merge key is not sufficiently unique, which can cause data corruption \
         when it is merged. Callers should instead use a full-replacement patch. See \
         https://pr.k8s.io/79391 for an example. Consumers should assume that addresses can change \
         during the lifetime of a Node. However, there are some exceptions where this may not be \
         possible, such as Pods that inherit a Node's address in its own status or consumers of the \
         downward API (status.hostIP).",
    ),
    Column::wide(
        "OS-Image",
        "OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy)).",
    ),
    Column::wide(
        "Kernel-Version",
        "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64).",
    ),
    Column::wide(
        "Container-Runtime",
        "ContainerRuntime Version reported by the node through runtime remote API (e.g. \
         containerd://1.4.2).",
    ),
];

const EVENT: &[Column] = &[
    Column::text("Last Seen", "The time at which the most recent occurrence of this event was recorded."),
    Column::text("Type", "Type of this event (Normal, Warning), new types could be added in the future"),
    Column::text(
        "Reason",
        "This should be a short, machine understandable string that gives the reason for the transition \
         into the object's current status.",
    ),
    Column::text("Object", "The object that this event is about."),
    Column::wide(
        "Subobject",
        "If referring to a piece of an object instead of an entire object, this string should contain a \
         valid JSON/Go field access statement, such as desiredState.manifest.containers[2]. For \
         example, if the object reference is to a container within a pod, this would take on a value \
         like: \"spec.containers{name}\" (where \"name\" refers to the name of the container that \
         triggered the event) or if no container name is specified \"spec.containers[2]\" (container \
         with index 2 in this pod). This syntax is chosen only to have some well-defined way of \
         referencing a part of an object.",
    ),
    Column::wide(
        "Source",
        "The component reporting this event. Should be a short machine understandable string.",
    ),
    Column::text("Message", "A human-readable description of the status of this operation."),
    Column::wide(
        "First Seen",
        "The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)",
    ),
    Column::wide("Count", "The number of times this event has occurred."),
    Column { name: "Name", kind: "string", format: "name", priority: 1, description: NAME_OF_OBJECT },
];

const NAMESPACE: &[Column] = &[NAME, Column::text("Status", "The status of the namespace"), AGE];

const DEPLOYMENT: &[Column] = &[
    NAME,
    Column::text("Ready", "Number of the pod with ready state"),
    Column::text(
        "Up-to-date",
        "Total number of non-terminating pods targeted by this deployment that have the desired \
         template spec.",
    ),
    Column::text(
        "Available",
        "Total number of available non-terminating pods (ready for at least minReadySeconds) targeted \
         by this deployment.",
    ),
    AGE,
    Column::wide("Containers", "Names of each container in the template."),
    Column::wide("Images", "Images referenced by each container in the template."),
    Column::wide(
        "Selector",
        "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones \
         affected by this deployment. It must match the pod template's labels.",
    ),
];

const LEASE: &[Column] = &[
    NAME,
    Column::text(
        "Holder",
        "holderIdentity contains the identity of the holder of a current lease. If Coordinated Leader \
         Election is used, the holder identity must be equal to the elected \
         LeaseCandidate.metadata.name field.",
    ),
    AGE,
];

/// Those of the subresource `scale`.
pub(super) const SCALE: &[Column] = &[
    Column::text("Name", NAME_OF_OBJECT),
    Column::number("Desired", "replicas is the desired number of instances for the scaled object."),
    Column::number("Available", "replicas is the actual number of observed instances of the scaled object."),
    AGE,
];
