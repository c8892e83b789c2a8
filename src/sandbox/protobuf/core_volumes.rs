//! Field numbers of k8s.io/api/core/v1 (v0.36.3): volumes.

use super::core::{
    CORE_DOWNWARD_API_VOLUME_FILE, CORE_IMAGE_VOLUME_STATUS, CORE_LOCAL_OBJECT_REFERENCE,
    CORE_OBJECT_FIELD_SELECTOR, CORE_TYPED_LOCAL_OBJECT_REFERENCE, CORE_TYPED_OBJECT_REFERENCE,
};
use super::core_pods::{
    CORE_CONFIG_MAP_KEY_SELECTOR, CORE_FILE_KEY_SELECTOR, CORE_RESOURCE_FIELD_SELECTOR,
    CORE_SECRET_KEY_SELECTOR,
};
use super::meta::{META_LABEL_SELECTOR, META_OBJECT_META};
use super::shape::Type::{Message, Number, Quantity, Text, Truth};
use super::shape::{Shape, inline, kept, list, map, one};

pub(super) static CORE_AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE: Shape = Shape(&[
    kept(1, "volumeID", Text),
    one(2, "fsType", Text),
    one(3, "partition", Number),
    one(4, "readOnly", Truth),
]);

pub(super) static CORE_AZURE_DISK_VOLUME_SOURCE: Shape = Shape(&[
    kept(1, "diskName", Text),
    kept(2, "diskURI", Text),
    kept(3, "cachingMode", Text),
    kept(4, "fsType", Text),
    kept(5, "readOnly", Truth),
    kept(6, "kind", Text),
]);

pub(super) static CORE_AZURE_FILE_VOLUME_SOURCE: Shape =
    Shape(&[kept(1, "secretName", Text), kept(2, "shareName", Text), one(3, "readOnly", Truth)]);

pub(super) static CORE_CSI_VOLUME_SOURCE: Shape = Shape(&[
    kept(1, "driver", Text),
    kept(2, "readOnly", Truth),
    kept(3, "fsType", Text),
    map(4, "volumeAttributes", Text),
    kept(5, "nodePublishSecretRef", Message(&CORE_LOCAL_OBJECT_REFERENCE)),
]);

pub(super) static CORE_CEPH_FS_VOLUME_SOURCE: Shape = Shape(&[
    list(1, "monitors", Text),
    one(2, "path", Text),
    one(3, "user", Text),
    one(4, "secretFile", Text),
    kept(5, "secretRef", Message(&CORE_LOCAL_OBJECT_REFERENCE)),
    one(6, "readOnly", Truth),
]);

pub(super) static CORE_CINDER_VOLUME_SOURCE: Shape = Shape(&[
    kept(1, "volumeID", Text),
    one(2, "fsType", Text),
    one(3, "readOnly", Truth),
    kept(4, "secretRef", Message(&CORE_LOCAL_OBJECT_REFERENCE)),
]);

pub(super) static CORE_CLUSTER_TRUST_BUNDLE_PROJECTION: Shape = Shape(&[
    kept(1, "name", Text),
    kept(2, "signerName", Text),
    kept(3, "labelSelector", Message(&META_LABEL_SELECTOR)),
    kept(5, "optional", Truth),
    kept(4, "path", Text),
]);

pub(super) static CORE_CONFIG_MAP_ENV_SOURCE: Shape =
    Shape(&[inline(1, &CORE_LOCAL_OBJECT_REFERENCE), kept(2, "optional", Truth)]);

pub(super) static CORE_CONFIG_MAP_NODE_CONFIG_SOURCE: Shape = Shape(&[
    kept(1, "namespace", Text),
    kept(2, "name", Text),
    one(3, "uid", Text),
    one(4, "resourceVersion", Text),
    kept(5, "kubeletConfigKey", Text),
]);

pub(super) static CORE_CONFIG_MAP_PROJECTION: Shape = Shape(&[
    inline(1, &CORE_LOCAL_OBJECT_REFERENCE),
    list(2, "items", Message(&CORE_KEY_TO_PATH)),
    kept(4, "optional", Truth),
]);

pub(super) static CORE_CONFIG_MAP_VOLUME_SOURCE: Shape = Shape(&[
    inline(1, &CORE_LOCAL_OBJECT_REFERENCE),
    list(2, "items", Message(&CORE_KEY_TO_PATH)),
    kept(3, "defaultMode", Number),
    kept(4, "optional", Truth),
]);

pub(super) static CORE_DOWNWARD_API_PROJECTION: Shape =
    Shape(&[list(1, "items", Message(&CORE_DOWNWARD_API_VOLUME_FILE))]);

pub(super) static CORE_DOWNWARD_API_VOLUME_SOURCE: Shape =
    Shape(&[list(1, "items", Message(&CORE_DOWNWARD_API_VOLUME_FILE)), kept(2, "defaultMode", Number)]);

pub(super) static CORE_EMPTY_DIR_VOLUME_SOURCE: Shape =
    Shape(&[one(1, "medium", Text), kept(2, "sizeLimit", Quantity)]);

pub(super) static CORE_ENV_FROM_SOURCE: Shape = Shape(&[
    one(1, "prefix", Text),
    kept(2, "configMapRef", Message(&CORE_CONFIG_MAP_ENV_SOURCE)),
    kept(3, "secretRef", Message(&CORE_SECRET_ENV_SOURCE)),
]);

pub(super) static CORE_ENV_VAR_SOURCE: Shape = Shape(&[
    kept(1, "fieldRef", Message(&CORE_OBJECT_FIELD_SELECTOR)),
    kept(2, "resourceFieldRef", Message(&CORE_RESOURCE_FIELD_SELECTOR)),
    kept(3, "configMapKeyRef", Message(&CORE_CONFIG_MAP_KEY_SELECTOR)),
    kept(4, "secretKeyRef", Message(&CORE_SECRET_KEY_SELECTOR)),
    kept(5, "fileKeyRef", Message(&CORE_FILE_KEY_SELECTOR)),
]);

pub(super) static CORE_EPHEMERAL_VOLUME_SOURCE: Shape =
    Shape(&[kept(1, "volumeClaimTemplate", Message(&CORE_PERSISTENT_VOLUME_CLAIM_TEMPLATE))]);

pub(super) static CORE_EVENT_SOURCE: Shape = Shape(&[one(1, "component", Text), one(2, "host", Text)]);

pub(super) static CORE_FC_VOLUME_SOURCE: Shape = Shape(&[
    list(1, "targetWWNs", Text),
    kept(2, "lun", Number),
    one(3, "fsType", Text),
    one(4, "readOnly", Truth),
    list(5, "wwids", Text),
]);

pub(super) static CORE_FLEX_VOLUME_SOURCE: Shape = Shape(&[
    kept(1, "driver", Text),
    one(2, "fsType", Text),
    kept(3, "secretRef", Message(&CORE_LOCAL_OBJECT_REFERENCE)),
    one(4, "readOnly", Truth),
    map(5, "options", Text),
]);

pub(super) static CORE_FLOCKER_VOLUME_SOURCE: Shape =
    Shape(&[one(1, "datasetName", Text), one(2, "datasetUUID", Text)]);

pub(super) static CORE_GCE_PERSISTENT_DISK_VOLUME_SOURCE: Shape = Shape(&[
    kept(1, "pdName", Text),
    one(2, "fsType", Text),
    one(3, "partition", Number),
    one(4, "readOnly", Truth),
]);

pub(super) static CORE_GIT_REPO_VOLUME_SOURCE: Shape =
    Shape(&[kept(1, "repository", Text), one(2, "revision", Text), one(3, "directory", Text)]);

pub(super) static CORE_GLUSTERFS_VOLUME_SOURCE: Shape =
    Shape(&[kept(1, "endpoints", Text), kept(2, "path", Text), one(3, "readOnly", Truth)]);

pub(super) static CORE_HOST_PATH_VOLUME_SOURCE: Shape =
    Shape(&[kept(1, "path", Text), kept(2, "type", Text)]);

pub(super) static CORE_ISCSI_VOLUME_SOURCE: Shape = Shape(&[
    kept(1, "targetPortal", Text),
    kept(2, "iqn", Text),
    kept(3, "lun", Number),
    one(4, "iscsiInterface", Text),
    one(5, "fsType", Text),
    one(6, "readOnly", Truth),
    list(7, "portals", Text),
    one(8, "chapAuthDiscovery", Truth),
    one(11, "chapAuthSession", Truth),
    kept(10, "secretRef", Message(&CORE_LOCAL_OBJECT_REFERENCE)),
    kept(12, "initiatorName", Text),
]);

pub(super) static CORE_IMAGE_VOLUME_SOURCE: Shape =
    Shape(&[one(1, "reference", Text), one(2, "pullPolicy", Text)]);

pub(super) static CORE_KEY_TO_PATH: Shape =
    Shape(&[kept(1, "key", Text), kept(2, "path", Text), kept(3, "mode", Number)]);

pub(super) static CORE_NFS_VOLUME_SOURCE: Shape =
    Shape(&[kept(1, "server", Text), kept(2, "path", Text), one(3, "readOnly", Truth)]);

pub(super) static CORE_NODE_CONFIG_SOURCE: Shape =
    Shape(&[kept(2, "configMap", Message(&CORE_CONFIG_MAP_NODE_CONFIG_SOURCE))]);

pub(super) static CORE_PERSISTENT_VOLUME_CLAIM_SPEC: Shape = Shape(&[
    list(1, "accessModes", Text),
    kept(4, "selector", Message(&META_LABEL_SELECTOR)),
    one(2, "resources", Message(&CORE_VOLUME_RESOURCE_REQUIREMENTS)),
    one(3, "volumeName", Text),
    kept(5, "storageClassName", Text),
    kept(6, "volumeMode", Text),
    kept(7, "dataSource", Message(&CORE_TYPED_LOCAL_OBJECT_REFERENCE)),
    kept(8, "dataSourceRef", Message(&CORE_TYPED_OBJECT_REFERENCE)),
    kept(9, "volumeAttributesClassName", Text),
]);

pub(super) static CORE_PERSISTENT_VOLUME_CLAIM_TEMPLATE: Shape = Shape(&[
    one(1, "metadata", Message(&META_OBJECT_META)),
    kept(2, "spec", Message(&CORE_PERSISTENT_VOLUME_CLAIM_SPEC)),
]);

pub(super) static CORE_PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE: Shape =
    Shape(&[kept(1, "claimName", Text), one(2, "readOnly", Truth)]);

pub(super) static CORE_PHOTON_PERSISTENT_DISK_VOLUME_SOURCE: Shape =
    Shape(&[kept(1, "pdID", Text), one(2, "fsType", Text)]);

pub(super) static CORE_POD_CERTIFICATE_PROJECTION: Shape = Shape(&[
    one(1, "signerName", Text),
    one(2, "keyType", Text),
    kept(3, "maxExpirationSeconds", Number),
    one(4, "credentialBundlePath", Text),
    one(5, "keyPath", Text),
    one(6, "certificateChainPath", Text),
    map(7, "userAnnotations", Text),
]);

pub(super) static CORE_PORTWORX_VOLUME_SOURCE: Shape =
    Shape(&[kept(1, "volumeID", Text), one(2, "fsType", Text), one(3, "readOnly", Truth)]);

pub(super) static CORE_PROJECTED_VOLUME_SOURCE: Shape =
    Shape(&[list(1, "sources", Message(&CORE_VOLUME_PROJECTION)), kept(2, "defaultMode", Number)]);

pub(super) static CORE_QUOBYTE_VOLUME_SOURCE: Shape = Shape(&[
    kept(1, "registry", Text),
    kept(2, "volume", Text),
    one(3, "readOnly", Truth),
    one(4, "user", Text),
    one(5, "group", Text),
    one(6, "tenant", Text),
]);

pub(super) static CORE_RBD_VOLUME_SOURCE: Shape = Shape(&[
    list(1, "monitors", Text),
    kept(2, "image", Text),
    one(3, "fsType", Text),
    one(4, "pool", Text),
    one(5, "user", Text),
    one(6, "keyring", Text),
    kept(7, "secretRef", Message(&CORE_LOCAL_OBJECT_REFERENCE)),
    one(8, "readOnly", Truth),
]);

pub(super) static CORE_SCALE_IO_VOLUME_SOURCE: Shape = Shape(&[
    kept(1, "gateway", Text),
    kept(2, "system", Text),
    kept(3, "secretRef", Message(&CORE_LOCAL_OBJECT_REFERENCE)),
    one(4, "sslEnabled", Truth),
    one(5, "protectionDomain", Text),
    one(6, "storagePool", Text),
    one(7, "storageMode", Text),
    one(8, "volumeName", Text),
    one(9, "fsType", Text),
    one(10, "readOnly", Truth),
]);

pub(super) static CORE_SECRET_ENV_SOURCE: Shape =
    Shape(&[inline(1, &CORE_LOCAL_OBJECT_REFERENCE), kept(2, "optional", Truth)]);

pub(super) static CORE_SECRET_PROJECTION: Shape = Shape(&[
    inline(1, &CORE_LOCAL_OBJECT_REFERENCE),
    list(2, "items", Message(&CORE_KEY_TO_PATH)),
    kept(4, "optional", Truth),
]);

pub(super) static CORE_SECRET_VOLUME_SOURCE: Shape = Shape(&[
    one(1, "secretName", Text),
    list(2, "items", Message(&CORE_KEY_TO_PATH)),
    kept(3, "defaultMode", Number),
    kept(4, "optional", Truth),
]);

pub(super) static CORE_SERVICE_ACCOUNT_TOKEN_PROJECTION: Shape =
    Shape(&[one(1, "audience", Text), kept(2, "expirationSeconds", Number), kept(3, "path", Text)]);

pub(super) static CORE_STORAGE_OS_VOLUME_SOURCE: Shape = Shape(&[
    one(1, "volumeName", Text),
    one(2, "volumeNamespace", Text),
    one(3, "fsType", Text),
    one(4, "readOnly", Truth),
    kept(5, "secretRef", Message(&CORE_LOCAL_OBJECT_REFERENCE)),
]);

pub(super) static CORE_VOLUME: Shape = Shape(&[kept(1, "name", Text), inline(2, &CORE_VOLUME_SOURCE)]);

pub(super) static CORE_VOLUME_DEVICE: Shape = Shape(&[kept(1, "name", Text), kept(2, "devicePath", Text)]);

pub(super) static CORE_VOLUME_MOUNT: Shape = Shape(&[
    kept(1, "name", Text),
    one(2, "readOnly", Truth),
    kept(7, "recursiveReadOnly", Text),
    kept(3, "mountPath", Text),
    one(4, "subPath", Text),
    kept(5, "mountPropagation", Text),
    one(6, "subPathExpr", Text),
]);

pub(super) static CORE_VOLUME_MOUNT_STATUS: Shape = Shape(&[
    kept(1, "name", Text),
    kept(2, "mountPath", Text),
    one(3, "readOnly", Truth),
    kept(4, "recursiveReadOnly", Text),
    kept(5, "volumeStatus", Message(&CORE_VOLUME_STATUS)),
]);

pub(super) static CORE_VOLUME_PROJECTION: Shape = Shape(&[
    kept(1, "secret", Message(&CORE_SECRET_PROJECTION)),
    kept(2, "downwardAPI", Message(&CORE_DOWNWARD_API_PROJECTION)),
    kept(3, "configMap", Message(&CORE_CONFIG_MAP_PROJECTION)),
    kept(4, "serviceAccountToken", Message(&CORE_SERVICE_ACCOUNT_TOKEN_PROJECTION)),
    kept(5, "clusterTrustBundle", Message(&CORE_CLUSTER_TRUST_BUNDLE_PROJECTION)),
    kept(6, "podCertificate", Message(&CORE_POD_CERTIFICATE_PROJECTION)),
]);

pub(super) static CORE_VOLUME_RESOURCE_REQUIREMENTS: Shape =
    Shape(&[map(1, "limits", Quantity), map(2, "requests", Quantity)]);

pub(super) static CORE_VOLUME_SOURCE: Shape = Shape(&[
    kept(1, "hostPath", Message(&CORE_HOST_PATH_VOLUME_SOURCE)),
    kept(2, "emptyDir", Message(&CORE_EMPTY_DIR_VOLUME_SOURCE)),
    kept(3, "gcePersistentDisk", Message(&CORE_GCE_PERSISTENT_DISK_VOLUME_SOURCE)),
    kept(4, "awsElasticBlockStore", Message(&CORE_AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE)),
    kept(5, "gitRepo", Message(&CORE_GIT_REPO_VOLUME_SOURCE)),
    kept(6, "secret", Message(&CORE_SECRET_VOLUME_SOURCE)),
    kept(7, "nfs", Message(&CORE_NFS_VOLUME_SOURCE)),
    kept(8, "iscsi", Message(&CORE_ISCSI_VOLUME_SOURCE)),
    kept(9, "glusterfs", Message(&CORE_GLUSTERFS_VOLUME_SOURCE)),
    kept(10, "persistentVolumeClaim", Message(&CORE_PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE)),
    kept(11, "rbd", Message(&CORE_RBD_VOLUME_SOURCE)),
    kept(12, "flexVolume", Message(&CORE_FLEX_VOLUME_SOURCE)),
    kept(13, "cinder", Message(&CORE_CINDER_VOLUME_SOURCE)),
    kept(14, "cephfs", Message(&CORE_CEPH_FS_VOLUME_SOURCE)),
    kept(15, "flocker", Message(&CORE_FLOCKER_VOLUME_SOURCE)),
    kept(16, "downwardAPI", Message(&CORE_DOWNWARD_API_VOLUME_SOURCE)),
    kept(17, "fc", Message(&CORE_FC_VOLUME_SOURCE)),
    kept(18, "azureFile", Message(&CORE_AZURE_FILE_VOLUME_SOURCE)),
    kept(19, "configMap", Message(&CORE_CONFIG_MAP_VOLUME_SOURCE)),
    kept(20, "vsphereVolume", Message(&CORE_VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE)),
    kept(21, "quobyte", Message(&CORE_QUOBYTE_VOLUME_SOURCE)),
    kept(22, "azureDisk", Message(&CORE_AZURE_DISK_VOLUME_SOURCE)),
    kept(23, "photonPersistentDisk", Message(&CORE_PHOTON_PERSISTENT_DISK_VOLUME_SOURCE)),
    kept(26, "projected", Message(&CORE_PROJECTED_VOLUME_SOURCE)),
    kept(24, "portworxVolume", Message(&CORE_PORTWORX_VOLUME_SOURCE)),
    kept(25, "scaleIO", Message(&CORE_SCALE_IO_VOLUME_SOURCE)),
    kept(27, "storageos", Message(&CORE_STORAGE_OS_VOLUME_SOURCE)),
    kept(28, "csi", Message(&CORE_CSI_VOLUME_SOURCE)),
    kept(29, "ephemeral", Message(&CORE_EPHEMERAL_VOLUME_SOURCE)),
    kept(30, "image", Message(&CORE_IMAGE_VOLUME_SOURCE)),
]);

pub(super) static CORE_VOLUME_STATUS: Shape = Shape(&[kept(1, "image", Message(&CORE_IMAGE_VOLUME_STATUS))]);

pub(super) static CORE_VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE: Shape = Shape(&[
    kept(1, "volumePath", Text),
    one(2, "fsType", Text),
    one(3, "storagePolicyName", Text),
    one(4, "storagePolicyID", Text),
]);
