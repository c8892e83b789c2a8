//! ServiceAccount, roles and bindings, ValidatingAdmissionPolicy, FlowSchemas.

use serde_json::{Value, json};

use super::{has, only};
use crate::support::helm::{Helm, names, one};

const ACCOUNT: &str = "endpointslice-controller-account";

/// Every (group, resource, verb) of a role, sorted.
fn granted(role: &Value) -> Vec<String> {
    let words = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_string)).collect()
    };
    let mut all = Vec::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                for verb in words(&rule["verbs"]) {
                    let names = words(&rule["resourceNames"]).join(",");
                    all.push(format!("{group}/{resource} {verb} {names}").trim_end().to_string());
                }
            }
        }
    }
    all.sort();
    all
}

/// `resource: verbs` in the words of the table of permissions.
fn wanted(lines: &[(&str, &str)]) -> Vec<String> {
    let all = lines
        .iter()
        .flat_map(|(resource, verbs)| verbs.split(' ').map(move |verb| format!("{resource} {verb}")));
    let mut all: Vec<String> = all.collect();
    all.sort();
    all
}

const READ: &str = "get list watch";
const SLICES: (&str, &str) = ("discovery.k8s.io/endpointslices", "get list watch create update delete");
const EVENTS: [(&str, &str); 2] =
    [("/events", "create patch update"), ("events.k8s.io/events", "create patch update")];

#[test]
fn clusterroles_are_two_by_loop_with_exactly_the_permissions_of_the_table() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("");
    let selector =
        [("/services", READ), ("/pods", READ), ("/nodes", READ), ("/services/finalizers", "update"), SLICES];
    let mirroring = [
        ("/services", READ),
        ("/endpoints", READ),
        ("/endpoints/finalizers", "update"),
        ("/services/finalizers", "update"),
        SLICES,
    ];
    for (name, lines) in [("selector", selector), ("mirroring", mirroring)] {
        let name = format!("endpointslice-controller-{name}");
        let lines: Vec<(&str, &str)> = lines.into_iter().chain(EVENTS).collect();
        assert_eq!(granted(one(&objects, "ClusterRole", &name)), wanted(&lines), "{name}");
        let binding = one(&objects, "ClusterRoleBinding", &name);
        assert_eq!(binding["roleRef"]["name"], name.as_str());
        assert_eq!(
            binding["subjects"],
            json!([{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": "kube-system"}])
        );
    }
    assert_eq!(objects.iter().filter(|object| object["kind"] == "ClusterRole").count(), 2);
}

#[test]
fn clusterroles_are_those_of_the_loops_that_are_on() {
    let Some(helm) = Helm::new() else { return };
    for (controllers, loops) in [
        ("['*']", &["mirroring", "selector"][..]),
        ("[endpointslice-controller]", &["selector"]),
        ("[endpointslicemirroring]", &["mirroring"]),
        ("['*', -endpointslice]", &["mirroring"]),
        ("[-endpointslice-mirroring-controller, '*', endpointslicemirroring]", &["selector"]),
        (
            "[endpointslice, -endpointslice-controller, endpointslice-mirroring-controller]",
            &["mirroring", "selector"],
        ),
    ] {
        let objects = helm.objects(&format!("controller: {{controllers: {controllers}}}"));
        let found: Vec<String> =
            names(&objects).into_iter().filter(|name| name.starts_with("ClusterRole ")).collect();
        let wanted: Vec<String> =
            loops.iter().map(|name| format!("ClusterRole endpointslice-controller-{name}")).collect();
        assert_eq!(found, wanted, "{controllers}");
        // Exactly as the program itself reads the flag.
        let given: Vec<String> = serde_saphyr::from_str(controllers).expect("a list");
        let loops = endpointslice_controller::cli::config::loops(&given).expect("loops");
        assert_eq!(loops.len(), found.len(), "{controllers}");
    }
    assert!(!has(&helm.objects("rbac: {create: false}"), "ClusterRole"));
}

#[test]
fn leader_election_may_touch_the_one_lease() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("leaderElection: {resourceName: shared, resourceNamespace: leases}");
    let role = only(&objects, "Role");
    assert_eq!(role["metadata"]["namespace"], "leases");
    let verbs = ["create", "get shared", "list shared", "update shared", "watch shared"];
    assert_eq!(granted(role), verbs.map(|verb| format!("coordination.k8s.io/leases {verb}")));
    assert_eq!(only(&objects, "RoleBinding")["metadata"]["namespace"], "leases");
    let objects = helm.objects("{replicas: 1, leaderElection: {enabled: false}}");
    assert!(!has(&objects, "Role") && !has(&objects, "RoleBinding"));
}

#[test]
fn metrics_secure_may_ask_who_scrapes_and_only_then() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("metrics: {secure: {enabled: true}}");
    let role = one(&objects, "ClusterRole", "endpointslice-controller-metrics-secure");
    assert_eq!(
        granted(role),
        ["authentication.k8s.io/tokenreviews create", "authorization.k8s.io/subjectaccessreviews create"]
    );
    one(&objects, "ClusterRoleBinding", "endpointslice-controller-metrics-secure");
    assert!(!names(&helm.objects("")).iter().any(|name| name.contains("metrics-secure")));
}

#[test]
fn serviceaccount_is_not_the_one_of_the_in_tree_loop() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("serviceAccount: {annotations: {a: b}}");
    let account = only(&objects, "ServiceAccount");
    assert_eq!(
        (&account["metadata"]["name"], &account["metadata"]["annotations"]),
        (&json!(ACCOUNT), &json!({"a": "b"}))
    );
    let objects = helm.objects("serviceAccount: {create: false, name: other, automount: false}");
    assert!(!has(&objects, "ServiceAccount"));
    let pod = &only(&objects, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(
        (&pod["serviceAccountName"], &pod["automountServiceAccountToken"]),
        (&json!("other"), &json!(false))
    );
    assert_eq!(only(&objects, "RoleBinding")["subjects"][0]["name"], "other");
}

#[test]
fn flowschemas_stand_before_those_of_service_accounts_and_name_the_account() {
    let Some(helm) = Helm::new() else { return };
    let objects = helm.objects("");
    let requests = &one(&objects, "FlowSchema", "endpointslice-controller")["spec"];
    let lease = &one(&objects, "FlowSchema", "endpointslice-controller-leader-election")["spec"];
    assert_eq!(
        (&requests["priorityLevelConfiguration"]["name"], &requests["matchingPrecedence"]),
        (&json!("workload-high"), &json!(801))
    );
    assert_eq!(
        (&lease["priorityLevelConfiguration"]["name"], &lease["matchingPrecedence"]),
        (&json!("leader-election"), &json!(101))
    );
    for schema in [requests, lease] {
        let subject = &schema["rules"][0]["subjects"][0]["serviceAccount"];
        assert_eq!(*subject, json!({"name": ACCOUNT, "namespace": "kube-system"}));
    }
    assert_eq!(lease["rules"][0]["resourceRules"][0]["resources"], json!(["leases"]));
    let objects = helm.objects("{replicas: 1, leaderElection: {enabled: false}}");
    assert_eq!(only(&objects, "FlowSchema")["metadata"]["name"], "endpointslice-controller");
    assert!(!has(&helm.objects("flowSchemas: {enabled: false}"), "FlowSchema"));
}

#[test]
fn validatingadmissionpolicy_judges_this_account_by_the_loops_that_are_on() {
    let Some(helm) = Helm::new() else { return };
    assert!(!has(&helm.objects(""), "ValidatingAdmissionPolicy"));
    let objects = helm
        .objects("{validatingAdmissionPolicy: {enabled: true}, controller: {controllers: [endpointslice]}}");
    let policy = &only(&objects, "ValidatingAdmissionPolicy")["spec"];
    assert_eq!(
        policy["matchConditions"][0]["expression"],
        format!("request.userInfo.username == 'system:serviceaccount:kube-system:{ACCOUNT}'")
    );
    assert_eq!(policy["variables"][0]["expression"], "['endpointslice-controller.k8s.io']");
    assert_eq!(
        policy["matchConstraints"]["resourceRules"][0]["operations"],
        json!(["CREATE", "UPDATE", "DELETE"])
    );
    let binding = &only(&objects, "ValidatingAdmissionPolicyBinding")["spec"];
    assert_eq!(binding["policyName"], only(&objects, "ValidatingAdmissionPolicy")["metadata"]["name"]);
    assert_eq!(binding["validationActions"], json!(["Deny"]));
}
