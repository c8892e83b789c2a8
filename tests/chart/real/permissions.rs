//! One permission removed, one check fails: for each that the chart grants, the controller does its whole
//! job without it, and the check that notices goes into permissions.md.
//!
//! The loops are tried apart, since their roles overlap. The API server has the admission plugin on for
//! which `finalizers` are granted.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;

use super::job::{Duty, Failure, whole};
use super::variant::{Permission, account, granted, permissions};
use crate::drift;
use crate::support::Stage;
use crate::support::helm::Helm;
use crate::support::real::{self, Cluster, Etcd, RealStage, counted, programs};

/// Clusters side by side: the controllers of one would write for those of another.
const CLUSTERS: usize = 3;
const ADMISSION: &str = "--enable-admission-plugins=OwnerReferencesPermissionEnforcement";

/// Granted because kube-controller-manager's loops have them (see the first test); nothing uses them now. As role,
/// group, resource, verbs.
const UNUSED: &[(&str, &str, &str, &str)] = &[
    ("selector", "", "services", "get"),
    ("selector", "", "pods", "get"),
    ("selector", "", "nodes", "get"),
    ("selector", "", "events", "update"),
    ("selector", "events.k8s.io", "events", "create patch update"),
    ("mirroring", "", "services/finalizers", "update"),
    ("mirroring", "", "events", "update"),
    ("mirroring", "events.k8s.io", "events", "create patch update"),
    ("leader-election", "coordination.k8s.io", "leases", "list"),
];

/// Whoever moves gives us what the loops had before, no more and no less.
#[tokio::test]
async fn the_roles_of_the_loops_are_those_that_kube_controller_manager_gives_its_own() {
    let (Some(stage), Some(helm)) = (real::exclusive().await, Helm::new()) else { return };
    let ours = permissions(&helm.objects(""));
    for (role, theirs) in [
        ("selector", "clusterroles/system:controller:endpointslice-controller"),
        ("mirroring", "clusterroles/system:controller:endpointslicemirroring-controller"),
        ("leader-election", "namespaces/kube-system/roles/system::leader-locking-kube-controller-manager"),
    ] {
        let path = format!("/apis/rbac.authorization.k8s.io/v1/{theirs}");
        let mut theirs = granted(role, &stage.api().get(&path).await.expect("a built-in role"));
        // Theirs names its Lease in no rule, and has the newer kind of election, too.
        theirs.retain(|permission| permission.resource != "leasecandidates");
        let words = |permissions: &[Permission]| -> BTreeSet<String> {
            let of_role = permissions.iter().filter(|permission| permission.role == role);
            of_role.map(|p| format!("{} {}/{}", p.verb, p.group, p.resource)).collect()
        };
        assert_eq!(words(&ours), words(&theirs), "{role}");
    }
}

#[tokio::test]
async fn one_permission_removed_is_noticed_for_each() {
    let (Some(programs), Some(helm)) = (programs(), Helm::new()) else { return };
    counted();
    let objects = helm.objects("metrics: {secure: {enabled: true}}");
    let all = permissions(&objects);
    assert!(all.len() > 40, "{all:?}");
    // First each duty with everything; then each permission, the duty that it is for without it.
    let duties = [Duty::Selector, Duty::Mirroring, Duty::Secure];
    let mut tasks: Vec<(Duty, Option<&Permission>)> = duties.into_iter().map(|duty| (duty, None)).collect();
    tasks.extend(all.iter().map(|permission| (duty_of(permission), Some(permission))));
    let next = AtomicUsize::new(0);
    let etcd = Arc::new(Etcd::start(programs).await);
    let worker = async |number: usize| {
        let name = format!("permissions-{number}");
        let cluster = Arc::new(Cluster::start(&name, etcd.clone(), programs, &[ADMISSION.to_string()]).await);
        let stage = RealStage::new(cluster, None).await;
        let mut outcomes = Vec::new();
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            let Some((duty, lacking)) = tasks.get(task) else { return outcomes };
            stage.cluster().wipe().await;
            let granted: Vec<Permission> = all
                .iter()
                .filter(|permission| roles_of(*duty).contains(&permission.role.as_str()))
                .filter(|permission| Some(*permission) != *lacking)
                .cloned()
                .collect();
            let kubeconfig = account(&stage, &format!("test-{task}"), &granted, *lacking).await;
            let outcome = whole(&stage, &kubeconfig, *duty).await;
            let told = outcome.as_ref().map_or_else(Failure::to_string, |()| "all is done".to_string());
            println!("{duty:?} without {lacking:?}: {told}");
            outcomes.push((task, outcome));
        }
    };
    let mut outcomes: Vec<(usize, Result<(), Failure>)> =
        join_all((0..CLUSTERS).map(worker)).await.into_iter().flatten().collect();
    outcomes.sort_by_key(|(task, _)| *task);
    let mut table = HEAD.to_string();
    let mut wrong = Vec::new();
    for ((duty, lacking), (_, outcome)) in tasks.iter().zip(&outcomes) {
        let Some(lacking) = lacking else {
            outcome.as_ref().unwrap_or_else(|failure| panic!("{duty:?} with every permission: {failure}"));
            continue;
        };
        if outcome.is_ok() != unused(lacking) {
            wrong.push(format!("{lacking:?}: {outcome:?}"));
        }
        let check = match outcome {
            Ok(()) => "nothing but the tests of the table; the loop in kube-controller-manager has it",
            // A stream that cannot be opened is listed again now and then: which change is missed first depends on that.
            Err(_) if lacking.verb == "watch" && lacking.role != "leader-election" => {
                "a change after the start is seen"
            }
            Err(failure) => failure.check,
        };
        let group = if lacking.group.is_empty() { "core" } else { &lacking.group };
        let _ = writeln!(
            table,
            "| {} | {} | {group} | {} | {check} |",
            lacking.role, lacking.verb, lacking.resource
        );
    }
    assert!(wrong.is_empty(), "not noticed, or noticed against what UNUSED says:\n{}", wrong.join("\n"));
    drift::check("tests/chart/permissions.md", &table);
}

fn unused(permission: &Permission) -> bool {
    UNUSED.iter().any(|(role, group, resource, verbs)| {
        let same = (*role, *group, *resource) == (&permission.role, &permission.group, &permission.resource);
        same && verbs.split(' ').any(|verb| verb == permission.verb)
    })
}

fn duty_of(permission: &Permission) -> Duty {
    match permission.role.as_str() {
        "mirroring" => Duty::Mirroring,
        "metrics-secure" => Duty::Secure,
        _ => Duty::Selector,
    }
}

fn roles_of(duty: Duty) -> &'static [&'static str] {
    match duty {
        Duty::Selector => &["selector", "leader-election"],
        Duty::Mirroring => &["mirroring", "leader-election"],
        Duty::Secure => &["selector", "mirroring", "metrics-secure"],
    }
}

const HEAD: &str = "\
# What notices that a permission is missing

For each permission that the chart and the manifests grant: the controller did its whole job on a real API server
without this one, and this check failed. Made by `UPDATE=1 cargo test --test chart one_permission`.

| role | verb | group | resource | what fails without it |
|---|---|---|---|---|
";
